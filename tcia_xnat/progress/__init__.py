"""What people and programs see of a run: a live view on a terminal, lines in a log, JSON lines."""

from tcia_xnat.progress.words import counted, duration, rough_duration, size

__all__ = ["counted", "duration", "rough_duration", "size"]
