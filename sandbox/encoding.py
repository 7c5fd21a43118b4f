"""Explicit VR Little Endian, written so that values can be put in later (DICOM PS3.5 §7.1.2, PS3.10 §7.1)."""

import struct
from collections.abc import Mapping

from pydicom.datadict import dictionary_VR, tag_for_keyword


def encoded(values: Mapping[str, str | int]) -> tuple[bytes, dict[str, slice]]:
    """Return preamble, file meta information and data set, and where the value of each element lies."""
    tags = sorted((tag_for_keyword(keyword) or 0, keyword) for keyword in values)
    head, slots = bytearray(bytes(128) + b"DICM"), {}
    meta = _element(0x00020001, "OB", b"\0\1") + b"".join(
        _element(tag, dictionary_VR(tag), _value(tag, values[keyword])) for tag, keyword in tags if tag < 0x00030000  # noqa: PLR2004  group 2
    )  # fmt: skip
    head += _element(0x00020000, "UL", struct.pack("<I", len(meta)))
    head += _element(0x00020001, "OB", b"\0\1")
    for tag, keyword in tags:
        value = _value(tag, values[keyword])
        head += _element(tag, dictionary_VR(tag), value)
        slots[keyword] = slice(len(head) - len(value), len(head))
    return bytes(head), slots


def _value(tag: int, value: str | int) -> bytes:
    if isinstance(value, int):
        return struct.pack("<H", value)
    data = value.encode()
    return data + (b"\0" if dictionary_VR(tag) == "UI" else b" ") * (len(data) % 2)


def _element(tag: int, code: str, value: bytes) -> bytes:
    """Return an element in Explicit VR Little Endian (PS3.5 §7.1.2)."""
    form = "<HH2sHI" if code == "OB" else "<HH2sH"
    length = (0, len(value)) if code == "OB" else (len(value),)
    return struct.pack(form, tag >> 16, tag & 0xFFFF, code.encode(), *length) + value
