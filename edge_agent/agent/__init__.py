"""The agent as a whole: what starts, watches and stops its parts."""
