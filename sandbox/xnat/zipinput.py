"""A zip read as java.util.zip.ZipInputStream reads it: local headers one after the other, no central directory.

Everything here that looks wrong is what Java does, and what becomes of an upload depends on it (xnat-http.md §5.7).
"""

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_LOCAL_SIGNATURE, _DESCRIPTOR_SIGNATURE = 0x04034B50, 0x08074B50
_LOCAL = struct.Struct("<IHHHIIIIHH")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _HAS_DESCRIPTOR = 1, 8
_ZIP64_MAGIC = 0xFFFFFFFF
_ZIP64_EXTRA = 1
_PIECE = 1 << 17
_INFLATED = 1 << 20  # bytes at a time: a few compressed ones may stand for a thousand times as many


class ZipReadError(Exception):
    """What Java throws as ZipException or EOFException: the stream cannot be read on."""


class MalformedName(Exception):
    """What Java throws as IllegalArgumentException: the name of an entry is not UTF-8."""


@dataclass(slots=True)
class _Local:
    """A local header; sizes and CRC are 0 when they follow in a descriptor."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int


class ZipEntry(ABC):
    """One entry, open for reading once; what is not read is skipped with the same errors."""

    def __init__(self, file: BinaryIO, local: _Local) -> None:
        self.name = local.name
        self.is_directory = local.name.endswith("/")
        self._file, self._local = file, local
        self._crc, self._count = 0, 0
        self._ended = False

    def read(self, _size: int = -1) -> bytes:
        """Return the next piece, of any length; empty at the end.

        Raises
        ------
        ZipReadError
        """
        piece = b"" if self._ended else self._next()
        while not piece and not self._ended:
            piece = self._next()
        return piece

    def close(self) -> None:
        """Read to the end, as Java's closeEntry does."""
        while self.read():
            pass

    @abstractmethod
    def _next(self) -> bytes:
        """Return a piece, or set `_ended`."""

    def _note(self, piece: bytes) -> bytes:
        self._crc = zlib.crc32(piece, self._crc)
        self._count += len(piece)
        return piece


class _StoredEntry(ZipEntry):
    """Not compressed: ends after the size in its header; a wrong CRC is told once and forgotten."""

    def _next(self) -> bytes:
        left = self._local.size - self._count
        if left <= 0:
            self._ended = True
            return b""
        piece = self._file.read(min(_PIECE, left))
        if not piece:
            raise ZipReadError("unexpected EOF")
        self._note(piece)
        if len(piece) == left and self._crc != self._local.crc:
            raise ZipReadError(f"invalid entry CRC (expected 0x{self._local.crc:x} but got 0x{self._crc:x})")
        return piece


class _DeflatedEntry(ZipEntry):
    """Compressed: ends where the compressed stream says so; an error stays an error."""

    def __init__(self, file: BinaryIO, local: _Local, *, any_zip64: bool) -> None:
        super().__init__(file, local)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._any_zip64 = any_zip64
        self._packed = 0
        self._failed: ZipReadError | None = None

    def _next(self) -> bytes:
        if self._failed:
            raise self._failed
        try:
            if self._inflater.eof:
                self._check_end()
                self._ended = True
                return b""
            return self._inflate()
        except ZipReadError as error:
            self._failed = error
            raise

    def _inflate(self) -> bytes:
        packed = self._inflater.unconsumed_tail or self._file.read(_PIECE)
        try:
            piece = self._inflater.decompress(packed, _INFLATED)
        except zlib.error as error:
            raise ZipReadError(str(error)) from error
        if not (packed or piece or self._inflater.eof):
            raise ZipReadError("Unexpected end of ZLIB input stream")
        left = len(self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail)
        self._packed += len(packed) - left
        if self._inflater.eof:
            self._file.seek(-left, 1)
        return self._note(piece)

    def _check_end(self) -> None:
        """Compare with sizes and CRC, from the header or from the descriptor (ZipInputStream.readEnd)."""
        if self._local.flags & _HAS_DESCRIPTOR:
            self._read_descriptor()
        said = (self._local.size, self._local.packed, self._local.crc)
        words = ("size", "compressed size", "CRC")
        for word, expected, found in zip(words, said, (self._count, self._packed, self._crc), strict=True):
            if expected != found:
                raise ZipReadError(f"invalid entry {word} (expected {expected} but got {found} bytes)")

    def _read_descriptor(self) -> None:
        is_large = max(self._count, self._packed) > _ZIP64_MAGIC
        start = self._file.tell()
        head = _exactly(self._file, 4)
        if int.from_bytes(head, "little") != _DESCRIPTOR_SIGNATURE:
            self._file.seek(start)
        width = 8 if is_large or self._fits_zip64() else 4
        fields = _exactly(self._file, 4 + 2 * width)
        self._local.crc = int.from_bytes(fields[:4], "little")
        self._local.packed = int.from_bytes(fields[4 : 4 + width], "little")
        self._local.size = int.from_bytes(fields[4 + width :], "little")

    def _fits_zip64(self) -> bool:
        """Newer JDKs try a small descriptor with 8-byte sizes, too; the one of XNAT 1.8 does not."""
        if not self._any_zip64:
            return False
        start = self._file.tell()
        fields = self._file.read(20)
        self._file.seek(start)
        return fields[4:] == struct.pack("<QQ", self._packed, self._count)


class _UnreadableEntry(ZipEntry):
    """Compressed in a way that Java does not know."""

    def _next(self) -> bytes:
        raise ZipReadError("invalid compression method")


class ZipInput:
    """The entries of a zip.

    Parameters
    ----------
    file
        Seekable; read from where it is.
    any_zip64
        Accept descriptors with 8-byte sizes on small entries, as JDK 25 does.
    """

    def __init__(self, file: BinaryIO, *, any_zip64: bool = False) -> None:
        self._file, self._any_zip64 = file, any_zip64

    def __iter__(self) -> Iterator[ZipEntry]:
        """Yield the entries in the order of the file; it ends where no local header stands.

        Raises
        ------
        ZipReadError, MalformedName
        """
        while local := self._local_header():
            entry = self._entry(local)
            yield entry
            entry.close()

    def _local_header(self) -> _Local | None:
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size:
            return None
        signature, _, flags, method, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(head)
        if signature != _LOCAL_SIGNATURE:
            return None
        name, extra = self._file.read(name_length), self._file.read(extra_length)
        if len(name) + len(extra) < name_length + extra_length:
            return None
        local = _Local(_text(name), flags, method, crc, packed, size)
        _refuse(local)
        _enlarge(local, extra)
        return local

    def _entry(self, local: _Local) -> ZipEntry:
        if local.method == _STORED:
            return _StoredEntry(self._file, local)
        if local.method == _DEFLATED:
            return _DeflatedEntry(self._file, local, any_zip64=self._any_zip64)
        return _UnreadableEntry(self._file, local)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise MalformedName(f"malformed input off : {error.start}, length : 1") from error


def _refuse(local: _Local) -> None:
    if local.flags & _ENCRYPTED:
        raise ZipReadError("encrypted ZIP entry not supported")
    if local.flags & _HAS_DESCRIPTOR and local.method != _DEFLATED:
        raise ZipReadError("only DEFLATED entries can have EXT descriptor")
    if local.flags & _HAS_DESCRIPTOR:
        local.crc = local.packed = local.size = 0


def _enlarge(local: _Local, extra: bytes) -> None:
    """Take the sizes that do not fit 4 bytes from the zip64 field (ZipEntry.setExtra0)."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _ZIP64_EXTRA and _ZIP64_MAGIC in (local.size, local.packed):
            values = struct.unpack_from(f"<{length // 8}Q", extra, position + 4)
            if len(values) > 1:
                local.size, local.packed = values[:2]
        position += 4 + length


def _exactly(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise ZipReadError("EOFException")
    return found
