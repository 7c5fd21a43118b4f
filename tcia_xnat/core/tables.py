"""CSV and TSV that spreadsheets open: no cell is taken for a formula, and none holds control characters.

A text that a spreadsheet would run gets an apostrophe in front, as OWASP advises; `original` takes it off again.
Numbers and UIDs stay as they are.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

FORMULA = "^'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20][\\s\\S]"  # and the full-width forms; a lone sign is none
NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]"
"""What `cell` looks for, in the syntax of DuckDB, which writes tables by itself; `\\x{}` is its own."""

_FORMULA = re.compile(FORMULA)
_NUMBER = re.compile(NUMBER, re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def cell(value: object) -> object:
    """Return a value as a cell may hold it; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def original(text: str) -> str:
    """Return the text that `cell` was given, but for control characters."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def printable(text: str) -> str:
    """Return a text with a replacement character for each control character but tab; each line ends with LF."""
    if text.isprintable():
        return text
    return _CONTROL.sub(_REPLACEMENT, text.replace("\r\n", "\n").replace("\r", "\n"))


class TableWriter:
    """Writes rows to an open file.

    Parameters
    ----------
    file
        Opened with `newline=""`.
    columns
        Names of the columns, which are written at once.
    separator
        Stands between two cells.
    """

    def __init__(self, file: TextIO, columns: Sequence[str], separator: str = ",") -> None:
        self._writer = csv.writer(file, delimiter=separator, lineterminator="\n")
        self._columns = columns
        self._writer.writerow(map(cell, columns))

    def rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows with a value for each column."""
        self._writer.writerows([cell(value) for value in row] for row in rows)

    def mappings(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Write rows by the names of the columns; a value that is missing is an empty cell."""
        self.rows([row.get(column, "") for column in self._columns] for row in rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV table of rows with a value for each column."""
    text = io.StringIO(newline="")
    TableWriter(text, columns).rows(rows)
    return text.getvalue()


def table_of(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return a CSV table of rows by the names of the columns."""
    return table(columns, ([row.get(column, "") for column in columns] for row in rows))
