"""The ring: its index, its budget and the footage in it."""
