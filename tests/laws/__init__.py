"""The three laws of uploads, checked after every run on random trees in random orders."""
