"""Trees as people have them, by kind: how each is written, and what must come of it in one run and in several."""
