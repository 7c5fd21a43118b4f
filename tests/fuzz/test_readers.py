"""Each reader of bytes from outside against changed bytes: a result, or an error of ours."""

import io
import os
import random
import time
from collections.abc import Callable

import pytest

from tcia_xnat.dicom import read_identity, read_whole
from tcia_xnat.errors import Error
from tcia_xnat.folder.names import read_head
from tcia_xnat.manifest.json_rows import parse_rows
from tcia_xnat.manifest.table import parse_table
from tcia_xnat.manifest.text import parse_text
from tcia_xnat.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia import NbiaSource
from tcia_xnat.spool import Spool
from tests.images import image, images, nbia_zip, series
from tests.unit.test_zip_fuzz import OneAnswer

SEED = int(os.environ.get("SEED", "1"))
SECONDS_EACH = float(os.environ.get("SECONDS_EACH", "0.5"))
ONCE = Patience(RetryPolicy(1), lambda _seconds: None)


def changed(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with some of them replaced, and sometimes cut off."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        data[chance.randrange(len(data))] = chance.choice([chance.randrange(256), 0, 255])
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


def dicom(content: bytes) -> None:
    for read in (read_identity, read_head, lambda file, name: read_whole(file, len(content), name)):
        try:
            read(io.BytesIO(content), "x")
        except Error:
            continue


def zipped(content: bytes) -> None:
    with Spool() as spool:
        list(NbiaSource(OneAnswer(content), ONCE).fetch(series(3), spool, lambda _count: None))


def hashes(content: bytes) -> None:
    files = images(3)
    zipped(nbia_zip(files, dict.fromkeys(files, content.decode("latin-1"))))


def manifest(content: bytes) -> None:
    text = content.decode("latin-1")
    for parse in (parse_text, parse_rows):
        try:
            parse(text, "m")
        except Error:
            continue
    if text.strip() and not text.startswith("#"):
        parse_table(text, "m.csv")


LIST = b'SeriesInstanceUID,x\n1.2.3,a\n1.2.4,"b\nc"\n'
READERS: dict[str, tuple[bytes, Callable[[bytes], None]]] = {
    "dicom": (image(1), dicom),
    "zip": (nbia_zip(images(3)), zipped),
    "hashes": (b'0123456789abcdef,"\n', hashes),
    "manifest": (LIST, manifest),
}


@pytest.mark.timeout(SECONDS_EACH + 120)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_only_errors_of_ours_leave_a_reader(name: str) -> None:
    content, read = READERS[name]
    ends, count = time.monotonic() + SECONDS_EACH, 0
    while time.monotonic() < ends or not count:
        chance = random.Random(f"{SEED}-{count}")  # noqa: S311  a case that can be repeated
        try:
            read(changed(content, chance))
        except Error:
            pass
        except Exception as error:  # noqa: BLE001  each is a finding
            pytest.fail(f"seed {SEED}-{count}: {type(error).__name__}: {error}")
        count += 1
