"""Headers that are odd, deep, large or bombs: read where that is possible, refused within limits else."""

import io
import resource
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.uid import ImplicitVRLittleEndian

from tcia_xnat.core.dicom import Limits, read_identity, read_tags, read_whole
from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.destinations.disk.headers import read_header
from tcia_xnat.destinations.disk.names import read_head
from tcia_xnat.sources.local.model import Image, Passed
from tcia_xnat.sources.local.read import read_file
from tcia_xnat.sources.verification import proved_sop_instance_uid
from tests.images import SERIES, image, series

DEFLATED = b"1.2.840.10008.1.2.1.99"
ITEM, ITEM_END = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
SEQUENCE = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff"


def meta(syntax: bytes) -> bytes:
    """Return preamble and file meta information."""
    value = syntax + b"\0" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(value)) + value
    return bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(element)) + element


def deflated(content: bytes) -> bytes:
    """Return a file whose data set is one deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return meta(DEFLATED) + packer.compress(content) + packer.flush()


def data_set() -> bytes:
    """Return the data set of an image, explicit and little endian."""
    whole = image(1)
    return whole[whole.index(b"\x08\x00\x16\x00UI") :]


def nested(depth: int) -> bytes:
    return meta(b"1.2.840.10008.1.2.1") + depth * (SEQUENCE + ITEM) + depth * (ITEM_END + SEQUENCE_END)


def with_wrong_length(content: bytes) -> bytes:
    """Return a file whose (0002,0000) UL has a value of three bytes."""
    return content[:138] + b"\x03\x00" + content[140:143] + content[144:]


@pytest.mark.parametrize("read", [read_identity, read_head])
def test_a_number_of_a_wrong_length_makes_no_file_unreadable(read: object) -> None:
    assert callable(read)
    assert read(io.BytesIO(with_wrong_length(image(1))), "x")


def test_a_deflated_file_is_read() -> None:
    content = deflated(data_set())
    assert read_identity(io.BytesIO(content), "x").sop_instance_uid == f"{SERIES}.1"
    assert read_whole(io.BytesIO(content), len(content), "x").series_instance_uid == SERIES
    assert read_head(io.BytesIO(content), "x").instance_number == 1
    assert read_header(io.BytesIO(content), "x", len(content), geometry=True).patient_id == "P1"


def test_a_deflated_file_that_is_cut_off_is_damaged() -> None:
    content = deflated(data_set())[:-20]
    with pytest.raises(SeriesDamaged):
        read_whole(io.BytesIO(content), len(content), "x")


@pytest.mark.parametrize("value", [b"/etc/x", b"1.2\\1.3", b"1.2.\xe9x", b"", b"1.2.\n4"])
def test_an_identifier_that_is_none_is_refused_as_its_bytes_are(value: bytes) -> None:
    padded = value + b"\0" * (len(value) % 2)
    whole = image(1)
    at = whole.index(b"\x08\x00\x18\x00UI")
    old = struct.unpack_from("<H", whole, at + 6)[0]
    content = whole[: at + 6] + struct.pack("<H", len(padded)) + padded + whole[at + 8 + old :]
    with pytest.raises(SeriesDamaged, match="SOPInstanceUID"):
        proved_sop_instance_uid(series(1), read_identity(io.BytesIO(content), "x"), "x")


def test_a_header_of_very_many_elements_is_refused() -> None:
    content = io.BytesIO(meta(b"1.2.840.10008.1.2.1") + SEQUENCE + ITEM + 100 * b"\x08\0\0\1LO\0\0")
    with pytest.raises(ValueError, match="too large"):
        read_tags(content, [], None, Limits(1 << 20, 100))


def with_elements(*elements: tuple[int, str, bytes]) -> bytes:
    """Return an implicit CT image with more elements before its pixels, so that values may be long."""
    dataset = pydicom.dcmread(io.BytesIO(image(1)))
    for tag, representation, value in elements:
        dataset[tag] = DataElement(tag, "OB" if representation == "SQ" else representation, value)
    file = io.BytesIO()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with warnings.catch_warnings(action="ignore"):  # of values that are no honest ones
        dataset.save_as(file)
    return file.getvalue()


EMPTY_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0"


def test_frames_without_end_are_not_decoded() -> None:
    code = "content, refused = with_elements((0x52009230, 'SQ', EMPTY_ITEM * 1_500_000)), 0"
    assert in_a_child(code).stdout.split() == ["1", "refused"]


def test_very_many_items_before_the_identifiers_end_within_seconds() -> None:
    code = "content, refused = meta(b'1.2.840.10008.1.2.1') + SEQUENCE + (ITEM + ITEM_END) * 1_000_000, 2"
    assert in_a_child(code, readers="SOON[:1]", seconds=20).stdout.split() == ["3", "refused"]


BOMBS = {
    "nested": "nested(5000)",
    "zeros": "meta(DEFLATED) + BOMB",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_limits(name: str) -> None:
    done = in_a_child(f"content, refused = {BOMBS[name]}, 0", readers="[*SOON, *ALL, by_upload]")
    assert done.stdout.split() == ["5", "refused"], done.stderr[-500:]


def by_upload(file: io.BytesIO) -> Image:
    """Read an image as uploads do, from a file on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.dcm")
        path.write_bytes(file.read())
        thing = next(read_file(path, path.stat().st_size))
    if isinstance(thing, Passed):
        raise SeriesDamaged(thing.reason)
    return thing


def in_a_child(made: str, readers: str = "ALL", seconds: int = 240) -> subprocess.CompletedProcess[str]:
    """Run readers in a process of bounded memory and processor time."""

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    line = [sys.executable, "-c", SCRIPT.format(made=made, readers=readers)]
    return subprocess.run(line, preexec_fn=bounded, capture_output=True, text=True, check=False)


SCRIPT = """
import io, warnings, zlib
warnings.simplefilter("ignore")
from tests.unit.test_dicom_limits import *
packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
BOMB = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
{made}
SOON = [lambda file: read_identity(file, "x"), lambda file: read_head(file, "x")]
ALL = [
    lambda file: read_whole(file, len(content), "x"),
    lambda file: read_header(file, "x", len(content), geometry=True),
]
for read in {readers}:
    try:
        found = read(io.BytesIO(content))
        refused += not found.sop_instance_uid
    except SeriesDamaged:
        refused += 1
print(refused, "refused")
"""
