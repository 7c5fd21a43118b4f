"""A table that says which path becomes which subject and session."""

import csv
from collections.abc import Mapping
from pathlib import Path

from tcia_xnat.core.foreign import parsing
from tcia_xnat.core.tables import original
from tcia_xnat.errors import UsageError
from tcia_xnat.model import Label

_COLUMNS = ("path", "subject", "session")
_HINT = "write a CSV with the columns path, subject and session, paths as they are below ROOT"
_LARGEST = 64 << 20


def read_mapping(file: Path, root: Path) -> Mapping[tuple[str, ...], Label]:
    """Return the names of each path by its parts below `root`, from a CSV of path, subject and session.

    Raises
    ------
    UsageError
        It is none, or names what is not there.
    """
    names: dict[tuple[str, ...], Label] = {}
    for number, row in enumerate(_rows(file), 2):
        path, subject, session = ((row.get(column) or "").strip() for column in _COLUMNS)
        if not (path or subject or session):
            continue
        if not (path and subject and session):
            raise UsageError(f"{file.name} lacks path, subject or session in line {number}", _HINT)
        if not (root / path).exists():
            raise UsageError(f"{file.name} names {path} in line {number}, which is not there", _HINT)
        absolute = root / path
        if not absolute.is_relative_to(root) or ".." in absolute.parts:
            raise UsageError(f"{file.name} names {path} in line {number}, which is not below {root}", _HINT)
        names[absolute.relative_to(root).parts] = Label(subject, session)
    if not names:
        raise UsageError(f"{file.name} names no path", _HINT)
    return names


def is_mapping(file: Path) -> bool:
    """Whether a file starts as such a table does."""
    if file.suffix.lower() not in {".csv", ".tsv"} or not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        return set(_COLUMNS) <= set(_heading(lines.readline(4096)))


def mapped(names: Mapping[tuple[str, ...], Label], path: str) -> Label | None:
    """Return the names of the longest listed path that is, or holds, this one."""
    parts = tuple(path.split("/"))
    return next((names[parts[:end]] for end in range(len(parts), -1, -1) if parts[:end] in names), None)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file} is too large to be a mapping", _HINT)
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the mapping {file} cannot be read: {error}", _HINT) from error
    first, *lines = text.splitlines() or [""]
    heading = _heading(first)
    if not set(_COLUMNS) <= set(heading):
        raise UsageError(f"{file.name} is no mapping: its first line is not path,subject,session", _HINT)
    with parsing(lambda said: UsageError(f"the mapping {file} cannot be read: {said}", _HINT)):
        rows = list(csv.DictReader(lines, heading, delimiter=_separator(first)))
    return [{name: original(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]


def _heading(line: str) -> list[str]:
    return [cell.strip(' "\t\r\n').lower() for cell in line.split(_separator(line))]


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)
