"""Settlements, reversals, stays and line items from files of the insurer."""
