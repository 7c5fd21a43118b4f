"""The files of a tree, in the order of their names; nothing is opened, and nothing is changed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tcia_xnat.sources.local.junk import JUNK, is_junk, is_junk_folder
from tcia_xnat.sources.local.model import Passed, Weight

_Identity = tuple[int, int]  # device and inode
_LOOP = Passed("a link to a folder that it lies in")
_OUT = Passed("a link out of ROOT: follow it with --follow-links, or leave it out with --exclude", Weight.LOST)
_JUNK, _STORE = Passed(JUNK), Passed("a folder that systems or tools keep for themselves")
_SPECIAL = Passed("no regular file")


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a folder that is passed over as a whole; bytes of its name that are no UTF-8 are surrogates."""

    path: str
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    passed: Passed | None = None


def walk(root: Path, *, follows: bool = False) -> Iterator[Found]:
    """Yield every file at and below `root`; links that stay in it are followed.

    Junk of systems, links that lead round in a circle and what cannot be read are passed over, each by itself.

    Parameters
    ----------
    root
        A folder or a file.
    follows
        Whether links that lead out of `root` are followed, too; else they are passed over as lost, since what lies
        behind them may be images.
    """
    if not root.is_dir():
        yield _file(str(root), root)
        return
    home = None if follows else os.path.realpath(root)
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
        below = []
        for entry in entries:
            if found := _found(entry, home):
                yield found
            else:
                below.append(entry.path)
        folders += [(path, above | {identity}) for path in reversed(below)]


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    with os.scandir(folder) as listing:
        return sorted(listing, key=lambda entry: entry.name)


def _found(entry: "os.DirEntry[str]", home: str | None) -> Found | None:
    """Return what an entry is; None for a folder that is to be looked through.

    Parameters
    ----------
    home
        The real path of the tree, out of which no link may lead; None lets links lead anywhere.
    """
    try:
        if is_junk_folder(entry.name) and entry.is_dir(follow_symlinks=False):
            return Found(entry.path, passed=_STORE)
        if home is not None and entry.is_symlink() and _leads_out(entry.path, home):
            return Found(entry.path, passed=_OUT)
        if entry.is_dir():
            return None
    except OSError as error:  # a link to itself, or into a folder that is closed to this user
        return Found(entry.path, passed=_unreadable(error))
    return _file(entry.path, entry)


def _leads_out(path: str, home: str) -> bool:
    target = os.path.realpath(path, strict=True)
    return target != home and not target.startswith(os.path.join(home, ""))  # noqa: PTH118  bytes that are no text


def _file(path: str, entry: "os.DirEntry[str] | Path") -> Found:
    try:
        status = entry.stat()
    except OSError as error:
        return Found(path, passed=_unreadable(error))
    if not stat.S_ISREG(status.st_mode):
        return Found(path, passed=_SPECIAL)
    if is_junk(os.fspath(entry.name), status.st_size):
        return Found(path, passed=_JUNK)
    return Found(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _unreadable(error: OSError) -> Passed:
    return Passed(f"cannot be read: {error.strerror}", Weight.SUSPECT)
