"""Insured persons and staff: what allows their faces to be kept, their photos and templates, and their erasure."""
