"""Deterministic DICOM for a row of the IDC index: its real identifiers, made-up pixels, one size for all files."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sandbox import pictures
from sandbox.encoding import encoded
from sandbox.header import header, image_header, layout_of, of_instance
from sandbox.index import Row
from sandbox.pictures import Layout

_HEADER_BYTES = 4096  # room for the header; what it leaves is padding
_PADDING = b"\xfc\xff\xfc\xffOB\0\0"  # (FFFC,FFFC), Data Set Trailing Padding (PS3.10 §7.2)


class Images:
    """The DICOM files of every series.

    Parameters
    ----------
    pixels
        Rows and columns of an image, even.
    incompressible
        Noise instead of a picture, so that a zip is as large as what it holds.
    """

    def __init__(self, pixels: int = 64, *, incompressible: bool = False) -> None:
        if pixels < 16 or pixels % 2:  # noqa: PLR2004  below that nothing can be seen
            raise ValueError(f"pixels must be an even number from 16 on, not {pixels}")
        self.pixels = pixels
        self._incompressible = incompressible
        self.image_bytes = _HEADER_BYTES + 2 * pixels**2
        kept = max(16, (64 << 20) // self.image_bytes)
        self._image = lru_cache(maxsize=kept)(self._make)
        self._template = lru_cache(maxsize=256)(self._make_template)
        self._md5 = lru_cache(maxsize=1 << 17)(self._hash)

    def image(self, row: Row, number: int) -> bytes:
        """Return the DICOM file of instance `number`, from 1, of a series."""
        return self._image(_Series(row), number)

    def md5(self, row: Row, number: int) -> str:
        """Return the MD5 of that file in hex digits."""
        return self._md5(_Series(row), number)

    def _hash(self, series: "_Series", number: int) -> str:
        return hashlib.md5(self._image(series, number), usedforsecurity=False).hexdigest()

    def _make(self, series: "_Series", number: int) -> bytes:
        template = self._template(series)
        head = template.filled(series.row, number)
        data = self._pixels(template.layout, series.row, number) if template.layout else b""
        return b"".join((head, data, template.padding))

    def _pixels(self, layout: Layout, row: Row, number: int) -> bytes:
        count = row["instanceCount"]
        depth = (number - 0.5) / count
        if self._incompressible:
            return pictures.noise(layout, row["SeriesInstanceUID"], depth)
        return pictures.pixels(layout, row["Modality"] or "OT", row["SeriesInstanceUID"], depth, 1 / count)

    def _make_template(self, series: "_Series") -> "_Template":
        layout = layout_of(series.row, self.pixels)
        values = header(series.row)
        if layout:
            values |= image_header(series.row, layout)
        head, slots = encoded(values)
        if layout:
            code = b"OW" if layout.bits == 16 else b"OB"  # noqa: PLR2004  bits of a pixel
            head += struct.pack("<HH2sHI", 0x7FE0, 0x0010, code, 0, layout.length)
        room = self.image_bytes - len(head) - (layout.length if layout else 0) - len(_PADDING) - 4
        if room < 0:
            raise ValueError(f"the header of {series.uid} needs {-room} bytes more than there is room for")
        return _Template(head, slots, layout, _PADDING + struct.pack("<I", room) + bytes(room))


class _Series:
    """A row of the index that can be remembered by its SeriesInstanceUID."""

    __slots__ = ("row", "uid")

    def __init__(self, row: Row) -> None:
        self.row, self.uid = row, row["SeriesInstanceUID"]

    def __hash__(self) -> int:
        return hash(self.uid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Series) and self.uid == other.uid


@dataclass(frozen=True, slots=True)
class _Template:
    """Header and padding of all files of a series; `slots` are where the values of one file go."""

    head: bytes
    slots: Mapping[str, slice]
    layout: Layout | None
    padding: bytes

    def filled(self, row: Row, number: int) -> bytearray:
        head = bytearray(self.head)
        for keyword, value in of_instance(row, number).items():
            if keyword in self.slots:
                head[self.slots[keyword]] = value.encode()
        return head
