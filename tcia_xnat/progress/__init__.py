"""What people and programs see of a run: a live view on a terminal, lines in a log, JSON lines."""

from tcia_xnat.core.words import counted
from tcia_xnat.progress.words import duration, rough_duration, size

__all__ = ["counted", "duration", "rough_duration", "size"]
