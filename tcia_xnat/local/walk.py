"""The files of a tree, in the order of their names; nothing is opened, and nothing is changed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tcia_xnat.local.model import Passed, Weight

_Identity = tuple[int, int]  # device and inode
_LOOP = Passed("a link to a folder that it lies in")
_HIDDEN = Passed("hidden")
_SPECIAL = Passed("no regular file")


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a folder that is passed over as a whole; bytes of its name that are no UTF-8 are surrogates."""

    path: str
    size: int = 0
    mtime_ns: int = 0
    passed: Passed | None = None


def walk(root: Path) -> Iterator[Found]:
    """Yield every file at and below `root`, links followed.

    Hidden files and folders, links that lead round in a circle and folders that cannot be read are passed over.

    Parameters
    ----------
    root
        A folder or a file.
    """
    if not root.is_dir():
        yield _file(str(root), root)
        return
    folders: list[tuple[str, frozenset[_Identity]]] = [(str(root), frozenset())]
    while folders:
        folder, above = folders.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116  a Path for each of a million folders takes time and tells nothing
            identity = status.st_dev, status.st_ino
            entries = _entries(folder) if identity not in above else None
        except OSError as error:
            yield Found(folder, passed=Passed(f"cannot be read: {error.strerror}", Weight.LOST))
            continue
        if entries is None:
            yield Found(folder, passed=_LOOP)
            continue
        yield from (_found(entry) for entry in entries if _is_hidden(entry) or not entry.is_dir())
        below = [entry.path for entry in entries if entry.is_dir() and not _is_hidden(entry)]
        folders += [(path, above | {identity}) for path in reversed(below)]


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    with os.scandir(folder) as listing:
        return sorted(listing, key=lambda entry: entry.name)


def _is_hidden(entry: "os.DirEntry[str]") -> bool:
    return entry.name.startswith(".") or entry.name == "__MACOSX"


def _found(entry: "os.DirEntry[str]") -> Found:
    return Found(entry.path, passed=_HIDDEN) if _is_hidden(entry) else _file(entry.path, entry)


def _file(path: str, entry: "os.DirEntry[str] | Path") -> Found:
    try:
        status = entry.stat()
    except OSError as error:
        return Found(path, passed=Passed(f"cannot be read: {error.strerror}", Weight.SUSPECT))
    if not stat.S_ISREG(status.st_mode):
        return Found(path, passed=_SPECIAL)
    return Found(path, status.st_size, status.st_mtime_ns)
