"""Which image of a series is shown: the one in the middle, by position in the patient, else by number."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

HEAD_BYTES = 1 << 14  # position and number lie in front of the pixels, in most files within the first 4 kB

_ORIENTED, _PLACED = 6, 3  # numbers in ImageOrientationPatient and ImagePositionPatient
_NUMBER = re.compile(rb"-?\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image lies: millimetres along the normal of its plane, and its InstanceNumber; None when not told."""

    depth: float | None
    number: int | None


def place(head: bytes) -> Place:
    """Return where an image lies, from the first bytes of its file.

    The elements are found by their tags instead of by parsing: a hundred times faster, and where other bytes look the
    same only another slice is shown.
    """
    number = _NUMBER.match(_value(head, 0x0013, b"IS").strip())
    return Place(_depth(head), int(number[0]) if number else None)


def middle(places: Sequence[Place]) -> int:
    """Return the index of the image in the middle; an image that tells less than most others is not chosen."""
    indices = range(len(places))
    placed = [index for index in indices if places[index].depth is not None]
    numbered = [index for index in indices if places[index].number is not None]
    if 2 * len(placed) > len(places):
        order = sorted(placed, key=lambda index: (places[index].depth or 0.0, places[index].number or 0))
    elif 2 * len(numbered) > len(places):
        order = sorted(numbered, key=lambda index: places[index].number or 0)
    else:
        order = list(indices)
    return order[len(order) // 2]


def of_slide(heads: Sequence[bytes], sizes: Sequence[int]) -> int:
    """Return the index of the image of a whole slide: its thumbnail, else its smallest level (PS3.3 C.8.12.4)."""
    types = [_find(head, 0x0008, 0x0008, b"CS") for head in heads]
    wanted = [index for index, kind in enumerate(types) if b"THUMBNAIL" in kind]
    levels = [index for index, kind in enumerate(types) if b"LABEL" not in kind and b"OVERVIEW" not in kind]
    return min(wanted or levels or range(len(sizes)), key=lambda index: sizes[index])


def depth_of(orientation: Sequence[float], position: Sequence[float]) -> float | None:
    """Return the distance of a plane from the origin along its normal (DICOM PS3.3 C.7.6.2.1.1)."""
    if len(orientation) != _ORIENTED or len(position) != _PLACED:
        return None
    a, b, c, d, e, f = orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return sum(along * at for along, at in zip(normal, position, strict=True))


def _depth(head: bytes) -> float | None:
    return depth_of(_numbers(_value(head, 0x0037, b"DS")), _numbers(_value(head, 0x0032, b"DS")))


def _numbers(value: bytes) -> list[float]:
    try:
        return [float(number) for number in value.split(b"\\")]
    except ValueError:
        return []


def _value(head: bytes, element: int, representation: bytes) -> bytes:
    return _find(head, 0x0020, element, representation)


def _find(head: bytes, group: int, element: int, representation: bytes) -> bytes:
    """Return the value of an element in little endian, explicit or implicit (PS3.5 §7.1), if it is there."""
    at = head.find(struct.pack("<HH", group, element))
    if at < 0:
        return b""
    is_explicit = head[at + 4 : at + 6] == representation
    length = int.from_bytes(head[at + 6 : at + 8] if is_explicit else head[at + 4 : at + 8], "little")
    return head[at + 8 : at + 8 + length].rstrip(b"\0 ") if length <= HEAD_BYTES else b""
