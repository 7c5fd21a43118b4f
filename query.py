#!/usr/bin/env python3
"""Search what TCIA and IDC hold: tables, lists of series, PET/CT pairs, what to cite."""

from tcia_xnat.pairs.command import pairs
from tcia_xnat.query.commands import query

query.add_command(pairs)

if __name__ == "__main__":
    query()
