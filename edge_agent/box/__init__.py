"""The pages and addresses a box offers to its terminals and its operator."""
