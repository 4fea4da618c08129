"""Wards: beds, who is admitted to them, when they are looked at, and what is seen."""
