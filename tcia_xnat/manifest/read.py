"""From a file to a `Manifest`: which form it has is seen from what it holds, not from its name."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tcia_xnat.errors import ManifestError
from tcia_xnat.manifest.model import Manifest
from tcia_xnat.manifest.table import heading, is_table, parse_table, parse_workbook
from tcia_xnat.manifest.text import LIST_KEY, parse_text

_LARGEST = 512 << 20  # a list of ten million series is smaller
_HEAD = 4096
_WORKBOOK = b"PK\x03\x04"


def read(path: Path) -> Manifest:
    """Read a list of series from a file.

    Raises
    ------
    ManifestError
        There is no such file, or it cannot be used.
    """
    try:
        if path.is_dir():
            raise ManifestError(f"{path} is a folder, not a manifest")
        if path.stat().st_size > _LARGEST:
            raise ManifestError(f"{path} is too large to be a list of series")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ManifestError(
            f"no such manifest: {path}", "without arguments the manifests at hand are listed"
        ) from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from error
    return parse(content, path.name)


def parse(content: bytes, name: str) -> Manifest:
    """Read a list of series from its bytes.

    Raises
    ------
    ManifestError
    """
    return replace(_parse(content, name), original=content)


def find(folders: Iterable[Path]) -> list[Path]:
    """Return the manifests in some folders, by name; only the head of a file is read."""
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in {".tcia", ".csv", ".tsv"} and path.is_file() and _looks_like_one(path)
    ]


def _parse(content: bytes, name: str) -> Manifest:
    if content.startswith(_WORKBOOK):
        return parse_workbook(content, name)
    text = _decoded(content)
    start = text.lstrip()
    if "\x00" in text:
        raise ManifestError(f"{name} is no manifest: it is no text", "a .tcia, a list of UIDs or a table is")
    if start.startswith("<"):
        raise ManifestError(
            f"{name} is XML, which holds no list of series", "it points at other manifests: fetch the one it names"
        )
    if start.startswith(("[", "{")):
        raise ManifestError(
            f"{name} is JSON, as for controlled access", "such data are fetched with an account of their own, not here"
        )
    if is_table(start.split("\n", 1)[0]):
        return parse_table(text, name)
    return parse_text(text, name)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _looks_like_one(path: Path) -> bool:
    with path.open("rb") as file:
        head = _decoded(file.read(_HEAD))
    return LIST_KEY in heading(head) or is_table(head.lstrip().split("\n", 1)[0])
