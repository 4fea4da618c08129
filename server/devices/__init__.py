"""Boxes: how they become known, their tokens and keys, and the templates they ask for."""
