"""Settlements and checks that are the same use of a credential."""
