"""Sending: batches of checks and reports, resumable clips, templates asked for."""
