"""Where swipes come from."""
