"""What the system says of a disk, as errors of ours: one mapping for files and for SQLite."""

import errno
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tcia_xnat.core.errors import Error, FolderError, SpaceError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""No blocks, no inodes, no quota, the largest file, a disk that is read-only: nobody can write there now."""

_AGAIN = "then run the same command again: it continues"


def storage_error(error: OSError, place: Path | str = "") -> Error:
    """Return what the system said as `SpaceError` where nothing can be written, else as `FolderError`.

    Parameters
    ----------
    place
        The file or folder that was meant, where the error does not name one.
    """
    name = error.filename or place
    said = f"{name}: {error.strerror or error}" if name else str(error.strerror or error)
    if error.errno == errno.EROFS:
        return SpaceError(f"the disk is read-only ({said})", f"choose another folder, or make it writable; {_AGAIN}")
    if error.errno in FULL:
        return SpaceError(f"the disk is full ({said})", f"free some space or inodes, or raise the quota; {_AGAIN}")
    return FolderError(f"the disk does not do it ({said})", f"look at the rights and at the disk, {_AGAIN}")


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Yield a text file that takes the place of `path` when the block ends well; else nothing is left of it.

    Two runs may replace the same file: the last one wins.

    Raises
    ------
    SpaceError, FolderError
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with storage_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                yield file
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def storage_errors(place: Path | str = "") -> Iterator[None]:
    """Turn what the system says of a disk into errors of ours, see `storage_error`.

    Raises
    ------
    SpaceError
        Nothing can be written there: no room, no inodes, no quota, read-only.
    FolderError
        Anything else.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, place) from error
