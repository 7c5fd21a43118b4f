"""The one file in which a lane keeps its series until XNAT has it."""

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.errors import SpaceError
from tcia_xnat.core.storage import FULL, storage_errors

_CHUNK = 1 << 18


class Spool(Closing):
    """A nameless temporary file: gone with the process, however that ends.

    Several threads may read and write it at once, each in its own range.

    Parameters
    ----------
    directory
        Folder on the disk that has room for it; None is the system's temporary folder.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        with storage_errors(directory or tempfile.gettempdir()):
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0, prefix="tcia-xnat-")  # noqa: SIM115  closed in `close`
        self._descriptor = self._file.fileno()

    def clear(self) -> None:
        """Give the disk back what the last series took."""
        os.ftruncate(self._descriptor, 0)

    @property
    def size(self) -> int:
        """Bytes up to the end of the last range written."""
        return os.fstat(self._descriptor).st_size

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`.

        Raises
        ------
        SpaceError
            When the disk is full.
        """
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise SpaceError(
                f"the disk of the spool in {self._directory or tempfile.gettempdir()} is full ({error.strerror})",
                "free some space, or name another disk with --spool-dir; then run the same command again: it continues",
            ) from error

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset` on, in chunks of at most 256 KiB.

        Raises
        ------
        EOFError
            When the file ends before.
        """
        end = offset + length
        while offset < end:
            chunk = os.pread(self._descriptor, min(_CHUNK, end - offset), offset)
            if not chunk:
                raise EOFError(f"the spool ends {end - offset} bytes early")
            yield chunk
            offset += len(chunk)

    def open_range(self, offset: int, length: int) -> BinaryIO:
        """Open a range as a file of its own, to be read from its beginning."""
        return open_range(self._descriptor, offset, length)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._descriptor

    def close(self) -> None:
        """Give the file back to the system."""
        self._file.close()


def open_range(descriptor: int, offset: int, length: int) -> BinaryIO:
    """Open a range of a file as a file of its own, to be read from its beginning."""
    return io.BufferedReader(_Range(descriptor, offset, length), 1 << 13)


class _Range(io.RawIOBase):
    """A range of a file, with a position of its own."""

    name = "spool"  # readers ask files for one

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor, self._start, self._length = descriptor, start, length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed names a private type
        wanted = max(0, min(len(buffer), self._length - self._position))
        data = os.pread(self._descriptor, wanted, self._start + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
