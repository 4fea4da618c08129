"""The box's memory and what it has to send."""
