"""Downloads to disk: the tool as a process of its own, and its files read without it."""
