"""One file for each change, in the order that each names the one before."""
