"""The recordings of the last hours: an index of segments, and the same footage interface as recorded files."""
