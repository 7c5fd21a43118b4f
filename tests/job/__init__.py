"""The main job end to end: the tool as a process of its own, against the sandbox."""
