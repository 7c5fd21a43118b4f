"""A table that says which path becomes which subject and session."""

import csv
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.foreign import parsing
from tcia_xnat.core.model import Label
from tcia_xnat.core.tables import original
from tcia_xnat.sources.local.model import shown

_COLUMNS = ("path", "subject", "session")
_HINT = "write a CSV with the columns path, subject and session, paths as they are below ROOT"
_SAVE = 'save it as "CSV UTF-8 (comma delimited)", as spreadsheets call it, or as Unicode text'
_LARGEST = 64 << 20
_HEAD = 4096  # bytes of a first line
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_mapping(file: Path, root: Path) -> Mapping[tuple[str, ...], Label]:
    """Return the names of each path by its parts below `root` (`parts_of`), from a CSV of path, subject and session.

    Raises
    ------
    UsageError
        It is none, names what is not there, or names something twice.
    """
    names: dict[tuple[str, ...], Label] = {}
    lines: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(_rows(file), 2):
        path, subject, session = ((row.get(column) or "").strip() for column in _COLUMNS)
        if not (path or subject or session):
            continue
        where = f"{shown(path)} in line {number}"
        if not (path and subject and session):
            raise UsageError(f"{file.name} lacks path, subject or session in line {number}", _HINT)
        parts = _below(path, root, f"{file.name} names {where}")
        if parts in lines:
            raise UsageError(f"{file.name} names {where} and in line {lines[parts]}", "keep one of the two lines")
        names[parts], lines[parts] = Label(subject, session), number
    if not names:
        raise UsageError(f"{file.name} names no path", _HINT)
    return names


def is_mapping(file: Path) -> bool:
    """Whether a file starts as such a table does, in whatever encoding."""
    if file.suffix.lower() not in {".csv", ".tsv", ".txt"} or not file.is_file():
        return False
    with file.open("rb") as content:
        head = content.read(_HEAD)
    first, *_ = head.decode(_encoding(head), "replace").splitlines() or [""]
    return set(_COLUMNS) <= set(_heading(first))


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a path as they are compared: with either slash, and accents in one form (NFC)."""
    parts = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in {"", "."})


def mapped(names: Mapping[tuple[str, ...], Label], path: str) -> Label | None:
    """Return the names of the longest listed path that is, or holds, this one."""
    parts = parts_of(path)
    return next((names[parts[:end]] for end in range(len(parts), -1, -1) if parts[:end] in names), None)


def _below(path: str, root: Path, told: str) -> tuple[str, ...]:
    """Return the parts of a path that lies below `root`, and is there."""
    is_absolute = path.startswith("/")
    if is_absolute and not Path(path).is_relative_to(root):
        raise UsageError(f"{told}, which is not below {root}", _HINT)
    parts = parts_of(str(Path(path).relative_to(root)) if is_absolute else path)
    if ".." in parts:
        raise UsageError(f"{told}, which is not below {root}", _HINT)
    try:
        is_there = _is_there(root, parts)
    except OSError as error:
        raise UsageError(f"{told}, which cannot be looked at: {error.strerror}", "have it made readable") from error
    if not is_there:
        raise UsageError(f"{told}, which is not there", _HINT)
    return parts


def _is_there(root: Path, parts: tuple[str, ...]) -> bool:
    if root.joinpath(*parts).exists():
        return True
    found = [root]  # names on disk may have their accents in another form
    for part in parts:
        inside = (one for folder in found if folder.is_dir() for one in folder.iterdir())
        found = [one for one in inside if parts_of(one.name) == (part,)]
    return bool(found)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file} is too large to be a mapping", _HINT)
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"the mapping {file} cannot be read: {error.strerror}", _HINT) from error
    first, *lines = _text(content, file).splitlines() or [""]
    heading = _heading(first)
    if not set(_COLUMNS) <= set(heading):
        raise UsageError(f"{file.name} is no mapping: its first line is not path,subject,session", _HINT)
    with parsing(lambda said: UsageError(f"the mapping {file} cannot be read: {said}", _HINT)):
        rows = list(csv.DictReader(lines, heading, delimiter=_separator(first)))
    return [{name: original(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]


def _text(content: bytes, file: Path) -> str:
    try:
        return content.decode(_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(f"the mapping {file} is neither UTF-8 nor UTF-16", _SAVE) from error


def _encoding(content: bytes) -> str:
    """Return the encoding of a text: by its mark, else by the zeros that UTF-16 has beside each ASCII letter."""
    if marked := _UTF_16.get(content[:2]):
        return marked
    head = content[:_HEAD]
    if b"\0" not in head:
        return "utf-8"
    return "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"


def _heading(line: str) -> list[str]:
    return [cell.strip(' "\t\r\n\ufeff').lower() for cell in line.split(_separator(line))]


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)
