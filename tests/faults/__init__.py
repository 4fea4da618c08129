"""The fault campaign: one agent, thousands of swipes, and everything that can go wrong meanwhile (`make faults`)."""
