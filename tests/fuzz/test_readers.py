"""Each reader of bytes from outside against changed bytes: a result, or an error of ours; nothing written elsewhere."""

import io
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import openpyxl
import pydicom
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tcia_xnat.core.dicom import read_identity, read_whole
from tcia_xnat.core.errors import Error
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.core.uids import is_uid
from tcia_xnat.destinations.disk.headers import read_header
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.names import read_head
from tcia_xnat.destinations.disk.writer import write_series
from tcia_xnat.manifest.read import parse
from tcia_xnat.sources.local.read import read_file
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tests.fuzz.bounded import MOST_GROWTH, SECONDS_EACH, Round, run
from tests.images import image, images, md5, nbia_zip, series
from tests.unit.test_zip_fuzz import OneAnswer

ONCE = Patience(RetryPolicy(1), lambda _seconds: None)
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
UIDS = ("../../../evil", "/evil/evil", "1.2\0", "1.2\n3", "..", "1.2/3", "é", "", "1" * 64, "img.zip", "a\\b")


def changed(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with some of them replaced, and sometimes cut off."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        data[chance.randrange(len(data))] = chance.choice([chance.randrange(256), 0, 255])
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


@cache
def in_syntax(syntax: str) -> bytes:
    """Return an image with a nested sequence, in a transfer syntax."""
    template = pydicom.dcmread(io.BytesIO(image(1)))
    template.file_meta.TransferSyntaxUID = UID(syntax)
    dataset = Dataset({element.tag: element for element in template})
    dataset.file_meta, dataset.preamble = template.file_meta, bytes(128)
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [1, 2, 3], [1, 0, 0, 0, 1, 0]
    inner, outer = Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3"
    outer.ReferencedImageSequence = Sequence([inner, inner])
    dataset.ReferencedStudySequence = Sequence([outer])
    dataset["ReferencedStudySequence"].is_undefined_length = True
    if syntax == JPEGBaseline8Bit:
        dataset.PixelData = encapsulate([dataset.PixelData])
        dataset["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def with_uid(content: bytes, uid: str) -> bytes:
    """Return an image whose SOPInstanceUID is another text."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.SOPInstanceUID = uid
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def dicom(chance: random.Random, folder: Path) -> None:
    content = changed(in_syntax(chance.choice(SYNTAXES)), chance)
    file = folder / "x.dcm"
    file.write_bytes(content)
    list(read_file(file, len(content)))
    for read in (
        read_identity,
        read_head,
        lambda file, name: read_whole(file, len(content), name),
        lambda file, name: read_header(file, name, len(content), geometry=True),
    ):
        try:
            read(io.BytesIO(content), "x")
        except Error:
            continue


def taken(content: bytes, folder: Path, count: int = 3, *, zipped: bool = False) -> None:
    """Fetch a series of NBIA from these bytes, and write it to disk."""
    place = folder / "series"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with Spool(folder) as spool:
        packages = NbiaSource(OneAnswer(content), ONCE).fetch(replace(series(count), byte_count=20_000), spool, ignored)
        written = write_series(Layout(zipped=zipped), spool, packages, place)
        assert all(is_uid(uid) for uid in written.images)
    assert {path.name for path in place.iterdir()} == {file.name for file in written.files}


def ignored(_count: int) -> None:
    """Take no note of bytes that arrive."""


def zipped(chance: random.Random, folder: Path) -> None:
    taken(changed(nbia_zip(images(3)), chance), folder, zipped=chance.random() < 0.3)


def image_names(chance: random.Random, folder: Path) -> None:
    files = images(2)
    files["1-03.dcm"] = with_uid(image(3), chance.choice(UIDS))
    if chance.random() < 0.3:
        files[chance.choice(UIDS) or "."] = files.pop("1-02.dcm")  # zipfile writes no empty name
    taken(nbia_zip(files), folder, zipped=chance.random() < 0.3)


def hashes(chance: random.Random, folder: Path) -> None:
    files = images(3)
    listed = "Filename,MD5Hash\n" + "".join(f"{name},{md5(data)}\n" for name, data in files.items())
    made = io.BytesIO(nbia_zip(files, listed=False))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("md5hashes.csv", changed(listed.encode(), chance))
    taken(made.getvalue(), folder)


@cache
def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (("SeriesInstanceUID", "Modality"), ("1.2.3", "CT"), ("1.2.4", "MR")):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


LISTS: dict[str, Callable[[], bytes]] = {
    "m.csv": lambda: b'SeriesInstanceUID,StudyInstanceUID\n1.2.3,1.2\n1.2.4,"1.2\n"\n',
    "m.tsv": lambda: b"PET SeriesInstanceUID\tCT SeriesInstanceUID\n1.2.3\t1.2.4\n",
    "m.tcia": lambda: (
        b"downloadServerUrl=https://x.org/y\nincludeAnnotation=true\nListOfSeriesToDownload=\n1.2.3\n1.2.4\n"
    ),
    "m.json": lambda: b'[{"SeriesInstanceUID": "1.2.3", "x": 1}, {"SeriesInstanceUID": "1.2.4"}]',
    "m.xml": lambda: b"<TCIACollection><Downloads><URL>https://x.org/a.tcia</URL></Downloads></TCIACollection>",
    "m.s5cmd": lambda: b"cp s3://idc-open-data/0a1b2c3d-0000-4000-8000-123456789abc/* .\n",
    "m.xlsx": workbook,
}


def manifest(chance: random.Random, _folder: Path) -> None:
    name = chance.choice(list(LISTS))
    found = parse(changed(LISTS[name](), chance), name)
    assert all(is_uid(uid) for uid in (*found.series_instance_uids, *found.study_instance_uids))


READERS: tuple[Round, ...] = (dicom, zipped, image_names, hashes, manifest)


@pytest.mark.timeout(SECONDS_EACH + 120)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_only_errors_of_ours_leave_a_reader(tmp_path: Path, read: Round) -> None:
    ended = run(read.__name__, read, tmp_path / "folder")
    assert not ended.failure, f"seed {ended.seed!r}: {ended.failure}"
    assert ended.growth < MOST_GROWTH
