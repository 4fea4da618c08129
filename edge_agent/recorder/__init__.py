"""One process per camera: packets in, segments of a ring out; nothing is decoded."""
