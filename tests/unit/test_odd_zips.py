"""Zips that are odd in one way each, in every reader of zips: NBIA, an upload, and a folder on disk."""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tcia_xnat.core.errors import SeriesDamaged, SourceError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.destinations.disk.images import all_series_in, digest_of, opened, series_in
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.read import read_file
from tcia_xnat.sources.local.source import LocalSource
from tcia_xnat.sources.local.tree import Wanted, gather
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tests.images import SERIES, image, images, nbia_zip, series
from tests.unit.test_zip_fuzz import OneAnswer

OTHER = "1.2.826.1.3"
OWN = {f"{SERIES}.{number}" for number in (1, 2, 3)}


def packed(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("1.dcm", image(1))
    return made.getvalue()


def with_bare_returns() -> bytes:
    return nbia_zip(images(3), {"1-01.dcm": "a\rb"})


def encrypted() -> bytes:
    content = bytearray(packed())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


def broken_lzma() -> bytes:
    content = bytearray(packed(zipfile.ZIP_LZMA))
    for place in range(60, 75):
        content[place] ^= 0xFF
    return bytes(content)


def with_a_nameless_member() -> bytes:
    made = io.BytesIO(nbia_zip(images(3)))
    with zipfile.ZipFile(made, "a") as archive:
        nameless = zipfile.ZipInfo("x")
        nameless.filename = ""
        archive.writestr(nameless, b"nothing")
    return made.getvalue()


ODD: dict[str, Callable[[], bytes]] = {
    "bare returns in the list of hashes": with_bare_returns,
    "an encrypted member": encrypted,
    "a broken member of LZMA": broken_lzma,
    "a member without a name": with_a_nameless_member,
    "an unknown method": lambda: packed().replace(b"\x08\x00", b"\x63\x00"),
}


@pytest.fixture(params=ODD)
def content(request: pytest.FixtureRequest) -> bytes:
    return ODD[request.param]()


def test_of_nbia_it_is_a_damaged_or_a_short_series(content: bytes) -> None:
    source = NbiaSource(OneAnswer(content), Patience(RetryPolicy(1), lambda _seconds: None))
    with Spool() as spool, pytest.raises(SourceError):
        list(source.fetch(series(3), spool, lambda _count: None))


def test_in_an_upload_it_harms_no_other_series(content: bytes, tmp_path: Path) -> None:
    root = tmp_path / "tree" / "S" / "E"
    root.mkdir(parents=True)
    (root / "img.zip").write_bytes(content)
    (root / "good.dcm").write_bytes(image(2, series=OTHER))
    assert list(read_file(root / "img.zip", len(content)))
    with Inventory(tmp_path / "files.sqlite", tmp_path / "tree") as inventory, Spool() as spool:
        tree = gather(Wanted(tmp_path / "tree"), inventory, lambda: None, lambda _count, _total: None)
        source = LocalSource(inventory, tree.problems, tree.notes, 1 << 30)
        (package,) = source.fetch(tree.catalogue.series[OTHER], spool, lambda _count: None)
        assert [member.sop_instance_uid for member in package.members] == [f"{OTHER}.2"]
        for wrong in tree.catalogue.series.keys() - {OTHER}:
            with suppress(SourceError):
                packages = list(source.fetch(tree.catalogue.series[wrong], spool, lambda _count: None))
                assert {one.sop_instance_uid for package in packages for one in package.members} <= OWN


def test_on_disk_it_is_a_file_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "img.zip"
    path.write_bytes(content)
    assert series_in(path) in {"", SERIES}
    assert all_series_in(path) <= {SERIES}
    try:
        found = list(opened(path, digest_of))
    except (OSError, ValueError, SeriesDamaged):
        return
    assert found
