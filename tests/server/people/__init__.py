"""People: entering, photos, templates for boxes, erasure."""
