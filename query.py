#!/usr/bin/env python3
"""Search what TCIA and IDC hold: tables, lists of series, PET/CT pairs, what to cite; and merge reports."""

if __name__ == "__main__":
    from tcia_xnat.core.installed import require_libraries

    require_libraries()  # before any of them is imported

from tcia_xnat.cli.convert import convert
from tcia_xnat.cli.merge_reports import merge_reports
from tcia_xnat.pairs.command import pairs
from tcia_xnat.query.commands import query

__all__ = ["query"]

for command in (convert, merge_reports, pairs):
    query.add_command(command)

if __name__ == "__main__":
    query()
