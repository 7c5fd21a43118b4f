"""Files that once made a reader raise what is none of our errors, named after it; each reader ends well with each."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tcia_xnat.core.dicom import read_identity, read_whole
from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.destinations.disk.headers import read_header
from tcia_xnat.destinations.disk.names import read_head
from tests.images import SERIES, image
from tests.unit.test_dicom_limits import by_upload, nested

FOUND = {path.stem: path for path in Path(__file__).with_name("found").iterdir()}


def of_three_bytes(content: bytes) -> bytes:
    """Return an image whose (0008,0016) is a number of three bytes."""
    at = content.index(b"\x08\x00\x16\x00UI")
    return content[: at + 4] + b"US\x03\x00abc" + content[at + 8 + content[at + 6] :]


def of_no_known_kind(content: bytes) -> bytes:
    """Return an image whose InstanceNumber has a representation that nobody knows."""
    at = content.index(b"\x20\x00\x13\x00IS")
    return content[: at + 4] + b"I?" + content[at + 6 :]


CONTENTS: dict[str, Callable[[], bytes]] = {
    **{name: path.read_bytes for name, path in FOUND.items()},
    "a number of three bytes": lambda: of_three_bytes(image(1)),
    "a representation that nobody knows": lambda: of_no_known_kind(image(1)),
    "5,000 sequences in each other": lambda: nested(5000),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_every_reader_ends_with_a_value_or_a_damaged_series(name: str) -> None:
    content = CONTENTS[name]()
    for read in (
        read_identity,
        read_head,
        lambda file, name: read_whole(file, len(content), name),
        lambda file, name: read_header(file, name, len(content), geometry=True),
        lambda file, _name: by_upload(file),
    ):
        try:
            read(io.BytesIO(content), "x")
        except SeriesDamaged:
            continue


def test_an_unknown_representation_of_a_value_that_nobody_needs_loses_no_image() -> None:
    content = of_no_known_kind(image(1))
    assert read_identity(io.BytesIO(content), "x").sop_instance_uid == f"{SERIES}.1"
    assert read_head(io.BytesIO(content), "x").instance_number == 1
