"""Who did what: entries, their chain, and its verification."""
