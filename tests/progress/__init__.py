"""The live view, lines and JSON lines of a run, on real terminals."""
