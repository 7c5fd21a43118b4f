"""From a file to a `Manifest`: which form it has is seen from what it holds, not from its name."""

import codecs
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.manifest.archive import is_archive, parse_archive
from tcia_xnat.manifest.columns import heading
from tcia_xnat.manifest.json_rows import parse_rows
from tcia_xnat.manifest.merge import merge
from tcia_xnat.manifest.model import Manifest, Original
from tcia_xnat.manifest.table import is_table, parse_table, parse_workbook
from tcia_xnat.manifest.text import LIST_KEY, parse_text
from tcia_xnat.manifest.wrapper import parse_wrapper

STDIN = Path("-")

_SUFFIXES = {".tcia", ".csv", ".tsv", ".s5cmd"}  # of what is listed as a manifest at hand
_LARGEST = 512 << 20  # a list of ten million series is smaller
_HEAD = 4096
_ZIP = b"PK\x03\x04"  # a workbook, or manifests
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # Excel's "Unicode text"


def read(path: Path, column: str = "") -> Manifest:
    """Read a list of series from a file; `-` is what comes on stdin.

    Parameters
    ----------
    column
        Heading of the column of a table that names what is meant; empty leaves it to the headings.

    Raises
    ------
    ManifestError
        There is no such file, or it cannot be used.
    """
    if path == STDIN:
        return parse(_some(sys.stdin.buffer.read(_LARGEST + 1), "stdin"), "stdin", column)
    try:
        if path.is_dir():
            raise ManifestError(f"{path} is a folder, not a manifest", "name a file in it, or several with commas")
        with path.open("rb") as file:
            return parse(_some(file.read(_LARGEST + 1), str(path)), path.name, column)
    except FileNotFoundError as error:
        raise ManifestError(
            f"no such manifest: {path}", "download.py without arguments lists the manifests at hand"
        ) from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}", "look at its name and its rights") from error


def read_all(paths: Iterable[Path]) -> Manifest:
    """Read several lists of series as one; a series that several of them name is in it once.

    Raises
    ------
    ManifestError
    """
    return merge([read(path) for path in paths])


def parse(content: bytes, name: str, column: str = "") -> Manifest:
    """Read a list of series from its bytes.

    Raises
    ------
    ManifestError
    """
    return replace(_parse(content, name, column), originals=(Original(name, content),))


def find(folders: Iterable[Path]) -> list[Path]:
    """Return the manifests in some folders, by name; only the head of a file is read."""
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES and path.is_file() and _looks_like_one(path)
    ]


def _parse(content: bytes, name: str, column: str = "") -> Manifest:
    if content.startswith(_ZIP):
        if is_archive(content):
            return parse_archive(content, name, lambda inner, part: _parse(inner, part, column))
        return parse_workbook(content, name, column)
    if content.startswith(_OLD_WORKBOOK):
        raise ManifestError(f"{name} is a workbook of an old form", "save it as XLSX or CSV")
    text = _decoded(content)
    start = text.lstrip()[:1]
    if "\x00" in text:
        raise ManifestError(f"{name} is no manifest: it is no text", "name a .tcia, a list of UIDs or a table")
    if start == "<":
        return parse_wrapper(text, name)
    if start in {"[", "{"}:
        return parse_rows(text, name, column)
    if is_table(text, name) or (column and LIST_KEY not in heading(text[:_HEAD])):  # a .tcia has no columns
        return parse_table(text, name, column)
    return parse_text(text, name)


def _decoded(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _some(content: bytes, name: str) -> bytes:
    if len(content) > _LARGEST:
        raise ManifestError(f"{name} is too large to be a list of series", "look whether it is the right file")
    return content


def _looks_like_one(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = _decoded(file.read(_HEAD))
    except OSError:
        return False
    return path.suffix.lower() == ".s5cmd" or LIST_KEY in heading(head) or is_table(head)
