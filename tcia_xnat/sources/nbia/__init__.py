"""TCIA's NBIA server: its client, and series from there."""
