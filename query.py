#!/usr/bin/env python3
"""Search what TCIA and IDC hold: tables, lists of series, what to cite."""

from tcia_xnat.query.commands import query

if __name__ == "__main__":
    query()
