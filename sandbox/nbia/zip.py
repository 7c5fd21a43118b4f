"""The zip of getImage, coded as java.util.zip.ZipOutputStream codes it (tcia-nbia-and-idc.md §3.2 to §3.4)."""

import struct
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sandbox.dicom import Images
from sandbox.index import Index, Row
from sandbox.nbia.tables import POLICY, licence
from sandbox.uids import acquisition_number

_FLAGS = 0x0808  # sizes follow in a descriptor; names are UTF-8
_DEFLATED = 8
_VERSION, _VERSION_64 = 20, 45
_MANY, _LARGE = 0xFFFF, 0xFFFFFFFF  # from here on a zip needs the fields of Zip64


class Entry(NamedTuple):
    """One file of the zip."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Variant:
    """Which of NBIA's zips: names of the images, and what goes with them (§3.2)."""

    new_names: bool
    with_license: bool
    with_md5: bool


def entries(row: Row, index: Index, images: Images, variant: Variant) -> Iterator[Entry]:
    """Yield the files of a series in NBIA's order: LICENSE, images, md5hashes.csv."""
    if variant.with_license:
        yield Entry("LICENSE", license_text(row, index).encode())
    hashes: dict[str, str] = {}
    for name, number in _named(row, new_names=variant.new_names):
        hashes[name] = images.md5(row, number)
        yield Entry(name, images.image(row, number))
    if variant.with_md5:
        rows = "".join(f"{name},{hashes[name]}\n" for name in hash_map_order(hashes))
        yield Entry("md5hashes.csv", f"Filename,MD5Hash\n{rows}".encode())


def license_text(row: Row, index: Index) -> str:
    """Return the LICENSE of a series (§3.4)."""
    known = licence(row["license_short_name"])
    return (
        f"License Information. The {index.collection(row['collection_id'])} collection is distributed under the"
        f" {known.short} at {known.url or 'Not Specified'} By downloading the data, you agree to abide by terms of"
        f" this license.\n{POLICY}"
    )


def new_file_names(numbers: Sequence[tuple[int | None, int | None]]) -> list[str]:
    """Return the names of images in the order of their InstanceNumbers: `1-001.dcm` (§3.2).

    Parameters
    ----------
    numbers
        AcquisitionNumber and InstanceNumber of each image. The first part of a name counts changes of the former
        along that order; it is not the number itself.
    """
    acquisitions = [acquisition or 0 for acquisition, _ in numbers]
    changes = [False, *(before != after for before, after in pairwise(acquisitions))]
    wide = len(str(1 + _changes([acquisition for acquisition, _ in numbers])))
    long = len(str(1 + _changes([instance for _, instance in numbers])))
    names, group, place = [], 1, 0
    for changed in changes[: len(numbers)]:
        group, place = (group + 1, 1) if changed else (group, place + 1)
        names.append(f"{group:0{wide}}-{place:0{long}}.dcm")
    return names


def hash_map_order(names: Iterable[str]) -> list[str]:
    """Return names in the order in which a java.util.HashMap, filled with them one by one, lists them."""
    listed = list(names)
    size = 16
    while len(listed) > size * 3 // 4:
        size *= 2
    return sorted(listed, key=lambda name: _spread(name) & (size - 1))


def coded(files: Iterable[Entry], level: int = 6) -> Iterator[bytes]:
    """Yield a zip while it is made; `level` is that of deflate."""
    offset, central, stamp = 0, [], _dos_time()
    for name, data in files:
        packer = zlib.compressobj(level, wbits=-15)
        packed = packer.compress(data) + packer.flush()
        fields, encoded = (zlib.crc32(data), len(packed), len(data)), name.encode()
        head = struct.pack("<4s3H4s3I2H", b"PK\x03\x04", _VERSION, _FLAGS, _DEFLATED, stamp, 0, 0, 0, len(encoded), 0)
        piece = b"".join((head, encoded, packed, struct.pack("<4s3I", b"PK\x07\x08", *fields)))
        central.append(_central(encoded, fields, stamp, offset))
        offset += len(piece)
        yield piece
    yield b"".join((*central, _end(len(central), sum(map(len, central)), offset)))


def series_file_names(row: Row) -> list[str]:
    """Return the new names of all images of a series, in the order of their InstanceNumbers."""
    return new_file_names([(acquisition_number(row, number), number) for number in range(1, row["instanceCount"] + 1)])


def _named(row: Row, *, new_names: bool) -> list[tuple[str, int]]:
    """Return name and number of the images, in the order of their entries."""
    numbers = list(range(1, row["instanceCount"] + 1))
    if new_names:
        return list(zip(series_file_names(row), numbers, strict=True))
    # default names come in the order of the database, which is none (§3.2)
    shuffled = sorted(numbers, key=lambda number: zlib.crc32(f"{row['SeriesInstanceUID']}{number}".encode()))
    return [(f"{position:08}.dcm", number) for position, number in enumerate(shuffled, 1)]


def _changes(values: Sequence[int | None]) -> int:
    """Count the changes of a number; where there is none, the one before it goes on."""
    count, current = 0, (values[0] or 0) if values else 0
    for value in values:
        if value is not None and value != current:
            count, current = count + 1, value
    return count


def _spread(text: str) -> int:
    """Return what HashMap makes of String.hashCode: its upper half is mixed into the lower one."""
    code = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        code = (31 * code + unit) & 0xFFFFFFFF
    return code ^ (code >> 16)


def _dos_time() -> bytes:
    now = time.localtime()
    clock = now.tm_hour << 11 | now.tm_min << 5 | now.tm_sec // 2
    return struct.pack("<2H", clock, (now.tm_year - 1980) << 9 | now.tm_mon << 5 | now.tm_mday)


def _central(name: bytes, fields: tuple[int, int, int], stamp: bytes, offset: int) -> bytes:
    extra = struct.pack("<2HQ", 1, 8, offset) if offset >= _LARGE else b""
    version = _VERSION_64 if extra else _VERSION
    head = struct.pack("<4s4H4s", b"PK\x01\x02", version, version, _FLAGS, _DEFLATED, stamp)
    tail = struct.pack("<3I5H2I", *fields, len(name), len(extra), 0, 0, 0, 0, min(offset, _LARGE))
    return head + tail + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    large = b""
    if count >= _MANY or offset >= _LARGE:
        large = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, size, offset)
        large += struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
    few = min(count, _MANY)
    return large + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, few, few, size, min(offset, _LARGE), 0)
