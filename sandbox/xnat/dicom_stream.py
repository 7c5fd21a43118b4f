"""DICOM streams: read up to a tag, also where meta information is missing or wrong, and rewound."""

import io
import re
import struct
from collections.abc import Callable
from typing import BinaryIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian

_PREAMBLE = 128
_ELEMENT = struct.Struct("<HH2s2s")
_META = struct.Struct("<4sHH2sHI")  # DICM and the length of the meta information
_META_GROUP = 0x0002
_FIRST_GROUPS = {_META_GROUP, 0x0008}
StopWhen = Callable[[BaseTag, str | None, int], bool]


class NotDicom(Exception):
    """The bytes do not begin with a DICOM header that can be read."""


def read_head(file: BinaryIO, is_past: StopWhen) -> FileDataset:
    """Read up to a tag; also without meta information, and where that says explicit VR of what is implicit.

    Raises
    ------
    NotDicom
        Or whatever pydicom's parser met first.
    """
    start = file.read(_PREAMBLE + _META.size)
    file.seek(0)
    if start[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        if not _begins_with_an_element(start):
            raise NotDicom("no DICOM stream")
    elif len(start) == _PREAMBLE + _META.size and _says_explicit_wrongly(file, start):
        file.seek(_PREAMBLE + 4)
        meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != _META_GROUP)  # noqa: FBT003
        meta.set_original_encoding(False, True)  # noqa: FBT003  pydicom's own order
        dataset = read_dataset(file, True, True, stop_when=is_past)  # noqa: FBT003
        return FileDataset(file, dataset, start[:_PREAMBLE], FileMetaDataset(meta), True, True)  # noqa: FBT003
    return read_partial(file, stop_when=is_past, force=True)


def _says_explicit_wrongly(file: BinaryIO, start: bytes) -> bool:
    """Whether an explicit transfer syntax is followed by elements without VR: pydicom would warn of each file."""
    _, group, element, representation, _, length = _META.unpack_from(start, _PREAMBLE)
    if (group, element, representation) != (_META_GROUP, 0, b"UL"):
        return False
    meta = file.read(_PREAMBLE + _META.size + length)[_PREAMBLE + _META.size :]
    first = file.read(_ELEMENT.size)
    file.seek(0)
    is_explicit = re.search(re.escape(ExplicitVRLittleEndian.encode()) + rb"(?![.\d])", meta) is not None
    return is_explicit and len(first) == _ELEMENT.size and not re.fullmatch(rb"[A-Z]{2}", first[4:6])


def _begins_with_an_element(start: bytes) -> bool:
    """Whether bytes without a preamble begin with an element that the dictionary knows, as dcm4che guesses."""
    if len(start) < _ELEMENT.size:
        return False
    group, element, representation, length = _ELEMENT.unpack_from(start)
    tag = (group << 16) + element
    if group not in _FIRST_GROUPS or not dictionary_has_tag(tag):
        return False
    is_explicit = representation == dictionary_VR(tag).encode()
    return is_explicit or int.from_bytes(representation + length, "little") <= _PREAMBLE


class GrowingHead(io.RawIOBase):
    """A stream that can be rewound: what was read from it is kept, so that a header can be parsed and then copied.

    Parameters
    ----------
    source
        What is read, in pieces of `piece` bytes.
    """

    def __init__(self, source: BinaryIO, piece: int = 1 << 16) -> None:
        self._source, self._piece = source, piece
        self._kept = bytearray()
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes from the position on."""
        end = self._position + size if size >= 0 else None
        while end is None or len(self._kept) < end:
            piece = self._source.read(self._piece)
            if not piece:
                break
            self._kept += piece
        found = bytes(self._kept[self._position : end])
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position among the bytes kept, or further on."""
        if whence == io.SEEK_END:
            self.read()
        base = (0, self._position, len(self._kept))[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def kept_from(self, position: int) -> bytes:
        """Return what was read and lies at `position` or after it."""
        return bytes(self._kept[position:])
