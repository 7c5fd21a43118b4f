"""Searching what IDC and TCIA hold: query.py's commands, from options to tables, files and lists of series."""
