"""Files that are packed with gzip or tar: what is in them, within limits.

An image in a tar lies at an offset of the stream, after gzip where there is one; an image that gzip packed alone is the
whole stream.
"""

import gzip
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, cast

_GZIP = b"\x1f\x8b"
_DICOM = slice(128, 132)
_TAR = slice(257, 262)
_RATIO, _SMALL = 200, 64 << 20  # what unpacks better than this, and is larger, is a bomb
_MEMBERS = 1_000_000
_CHUNK = 1 << 20
HEAD = 512  # bytes that tell what a file is

_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_NAMED = {".iso": "iso", ".nrg": "iso", ".7z": "7z", ".rar": "rar"}


class _Bounded:
    """A stream that unpacks no further than to some byte."""

    name = "packed"

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        if size < 0 or size > _CHUNK:
            data = b"".join([data, *self._rest(size, len(data))])
        self._check(self._file.tell())
        return data

    def _rest(self, size: int, done: int) -> Iterator[bytes]:
        while size < 0 or done < size:
            self._check(self._file.tell())
            piece = self._file.read(_CHUNK if size < 0 else min(_CHUNK, size - done))
            if not piece:
                return
            done += len(piece)
            yield piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._check(offset)
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""

    def _check(self, offset: int) -> None:
        if offset > self._most:
            raise ValueError(f"it unpacks to more than {_RATIO} times its size")


def unpacked(file: BinaryIO, size: int) -> BinaryIO:
    """Return a file of `size` bytes as it is, or the stream in it where gzip packed it; open at the beginning."""
    head = file.read(HEAD)
    file.seek(0)
    if not is_gzip(head):
        return file
    return cast("BinaryIO", _Bounded(cast("BinaryIO", gzip.GzipFile(fileobj=file)), max(_SMALL, _RATIO * size)))


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins so is a stream of gzip; the preamble of DICOM may hold any bytes."""
    return head.startswith(_GZIP) and head[_DICOM] != b"DICM"


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar."""
    return head[_TAR] == b"ustar" and head[_DICOM] != b"DICM"


def other_archive(head: bytes, name: str) -> str:
    """Return which kind of archive a file is that this tool does not open; empty when it is none."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return next((kind for mark, kind in _ARCHIVES.items() if head.startswith(mark)), "") or _NAMED.get(suffix, "")


def size_of(file: BinaryIO) -> int:
    """Return how many bytes a stream has, all of which are read."""
    file.seek(0)
    total = 0
    while chunk := file.read(_CHUNK):
        total += len(chunk)
    return total


def members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Yield what is in a tar, but for folders.

    Raises
    ------
    ValueError, tarfile.TarError, EOFError
        It is damaged, or holds absurdly much.
    """
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for _ in range(_MEMBERS):
            if (info := archive.next()) is None:
                break
            vars(archive)["members"].clear()  # tarfile keeps them all, and each costs memory
            if not info.isdir():
                yield info
        else:
            raise ValueError(f"it holds more than {_MEMBERS} files")
        file.seek(archive.offset)
        if len(file.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
            raise ValueError("it is cut off")


class Member:
    """A part of a stream, as a file that can only be read."""

    name = "member"

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def read(self, size: int = -1) -> bytes:
        """Read from where the part was left."""
        left = self._size - self._at
        self._file.seek(self._start + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte of the part."""
        base = (0, self._at, self._size)[whence]
        self._at = min(max(base + offset, 0), self._size)
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def close(self) -> None:
        """Leave the stream open: others read from it."""


def member_of(file: BinaryIO, start: int, size: int) -> BinaryIO:
    """Return a part of a stream as a file."""
    return cast("BinaryIO", Member(file, start, size))
