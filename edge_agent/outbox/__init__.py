"""What the agent must not lose: accepted swipes, finished checks, and what has yet to be sent."""
