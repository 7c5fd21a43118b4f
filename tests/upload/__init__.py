"""Uploads end to end: trees on disk, the tool as a process of its own, the archive read from the sandbox's disk."""
