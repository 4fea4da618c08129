"""A small invented town: people, a pharmacy counter, its footage and its swipes, with the truth written beside."""
