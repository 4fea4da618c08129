"""What the vision process of a box does: swipe checks, bed checks and ambient glances over the rings."""
