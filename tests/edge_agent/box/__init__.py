"""What the box answers and shows."""
