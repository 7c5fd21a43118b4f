"""Bodies, lists and sheets of others, within limits; rooms that hold what is in spools."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import openpyxl
import pytest

from tcia_xnat.core.errors import ManifestError, SeriesDamaged, SeriesIncomplete, SourceError, UsageError
from tcia_xnat.core.model import Series, SeriesPackage, SourceName
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest.json_rows import parse_rows
from tcia_xnat.manifest.table import parse_workbook
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.local.choice import read_excluded_folders
from tcia_xnat.sources.local.mapping import read_mapping
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.sources.throttle import Bandwidth, Gate, PoliteSource
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.staging.spool import Spool
from tests.images import SERIES, images, md5, nbia_zip, series
from tests.unit.test_zip_fuzz import OneAnswer

ONCE = Patience(RetryPolicy(1), lambda _seconds: None)


class Endless(OneAnswer):
    """An NBIA whose zip does not end."""

    def get_image(self, series_instance_uid: str, write: object) -> None:
        del series_instance_uid
        assert callable(write)
        while True:
            write(bytes(1 << 20))


def test_an_endless_body_is_a_damaged_series_after_bounded_bytes() -> None:
    arrived: list[int] = []
    with Spool() as spool, pytest.raises(SeriesDamaged, match="NBIA sends more than"):
        list(NbiaSource(Endless(b""), ONCE).fetch(replace(series(3), byte_count=4096), spool, arrived.append))
    assert sum(arrived) < 80 << 20


def test_a_zip_that_would_unpack_to_far_more_than_is_listed_is_not_unpacked() -> None:
    content = nbia_zip(images(2) | {"1-03.dcm": bytes(70 << 20)})
    source = NbiaSource(OneAnswer(content), ONCE)
    with Spool() as spool, pytest.raises(SeriesDamaged, match="would unpack to"):
        list(source.fetch(replace(series(3), byte_count=4096), spool, lambda _count: None))


@pytest.mark.parametrize("hashes", [{"x": "1" * 200_000}, {"1-01.dcm": "a\rb"}])
def test_a_list_of_hashes_that_csv_cannot_read(hashes: dict[str, str]) -> None:
    content = nbia_zip(images(3), hashes)
    with Spool() as spool, pytest.raises(SourceError):
        list(NbiaSource(OneAnswer(content), ONCE).fetch(series(3), spool, lambda _count: None))


def test_deep_json_and_long_cells_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)
    with pytest.raises(ManifestError, match="cannot be read as JSON"):
        parse_rows("[" * 200_000, "m.json")
    with pytest.raises(UsageError, match="cannot be read as JSON"):
        read_excluded_folders(deep)
    mapping = tmp_path / "m.csv"
    mapping.write_text("path,subject,session\n" + "a" * 300_000 + ",S,E\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read_mapping(mapping, tmp_path)


def test_a_workbook_that_unpacks_to_very_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.manifest.table._WORKBOOK_BYTES", 2 << 20)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/s.xml", "w") as file:
        for _ in range(3):
            file.write(bytes(1 << 20))
    with pytest.raises(ManifestError, match="would unpack to"):
        parse_workbook(made.getvalue(), "m.xlsx")


def test_a_sheet_of_very_many_cells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.manifest.table._SHEET_CELLS", 100)
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in range(60):
        book.active.append([f"1.2.{row}"])
    book.save(file)
    with pytest.raises(ManifestError, match="has more than 100 cells"):
        parse_workbook(file.getvalue(), "m.xlsx")


def test_a_question_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.sources.idc.database._MEMORY", "32MB")
    with pytest.raises(UsageError, match="SQL: Out of Memory"):
        Database({}).ask(Query("SELECT list(range ORDER BY random()) FROM range(20000000)"))


class Failing:
    name = SourceName.IDC

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        spool.write_at(0, bytes(100))
        on_bytes(100)
        yield SeriesPackage(series, self.name, ())
        raise SeriesDamaged("MD5")


def test_the_spool_is_empty_when_its_room_is_given_back() -> None:
    source = PoliteSource(
        Failing(), Gate(1), Bandwidth(None, lambda _seconds: None), Room(lambda _one: 1), lambda: None
    )
    with Spool() as spool:
        with pytest.raises(SeriesDamaged):
            list(source.fetch(series(1), spool, lambda _count: None))
        assert spool.size == 0


class EndlessImage(OneAnswer):
    """An NBIA whose zip lacks its list of hashes, and whose single images do not end."""

    def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
        return [f"{series_instance_uid}.{number}" for number in range(1, 4)]

    def get_md5_hash_for_image(self, sop_instance_uid: str) -> str:
        del sop_instance_uid
        return ""

    def stream(self, asked: object, write: Callable[[bytes], None]) -> None:
        del asked
        while True:
            write(bytes(1 << 20))


def test_an_endless_single_image_is_bounded_by_what_is_listed() -> None:
    arrived: list[int] = []
    source = NbiaSource(EndlessImage(nbia_zip(images(3), listed=False)), ONCE)
    with Spool() as spool, pytest.raises(SourceError, match="NBIA sends more than"):
        list(source.fetch(replace(series(3), byte_count=4096), spool, arrived.append))
    assert sum(arrived) < 80 << 20


def test_a_list_of_more_images_than_there_are_repairs_nothing() -> None:
    class Many(EndlessImage):
        def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
            return [f"{series_instance_uid}.{number}" for number in range(1, 1000)]

    with Spool() as spool, pytest.raises(SeriesIncomplete, match="NBIA lists 999 to repair it"):
        list(NbiaSource(Many(nbia_zip(images(3), listed=False)), ONCE).fetch(series(3), spool, lambda _count: None))


@pytest.mark.parametrize(
    ("held", "listed", "words"),
    [
        (4, 3, "the zip holds 4 images, its md5hashes.csv lists 3"),
        (3, 4, "the zip holds 3 images, its md5hashes.csv lists 4"),
        (3, 3, "1 of 3 are not what md5hashes.csv says"),
    ],
)
def test_what_the_list_of_a_zip_does_not_say_is_no_image_of_the_series(held: int, listed: int, words: str) -> None:
    content = zip_with_hashes(held, listed, {"1-02.dcm": md5(b"other bytes")} if held == listed else {})

    class Unable(OneAnswer):
        def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
            del series_instance_uid
            return []

    with Spool() as spool, pytest.raises(SeriesIncomplete, match=re.escape(words)):
        list(NbiaSource(Unable(content), ONCE).fetch(series(held), spool, lambda _count: None))


@pytest.mark.parametrize("is_right", [True, False])
def test_an_image_that_the_list_of_its_zip_lacks_is_proved_by_what_nbia_says_of_it(*, is_right: bool) -> None:
    class Telling(EndlessImage):
        asked: ClassVar[list[str]] = []

        def get_md5_hash_for_image(self, sop_instance_uid: str) -> str:
            self.asked.append(sop_instance_uid)
            return md5(images(3)["1-03.dcm"] if is_right else b"other bytes")

        def stream(self, asked: object, write: Callable[[bytes], None]) -> None:
            del asked, write
            raise SeriesDamaged("not to be had")

    source, uid = NbiaSource(Telling(zip_with_hashes(3, 2)), ONCE), f"{SERIES}.3"
    with Spool() as spool:
        if is_right:
            (package,) = source.fetch(series(3), spool, lambda _count: None)
            assert len(package.members) == 3
        else:
            with pytest.raises(SeriesIncomplete, match=f"image {re.escape(uid)} cannot be had alone"):
                list(source.fetch(series(3), spool, lambda _count: None))
    assert Telling.asked == [uid]


def zip_with_hashes(held: int, listed: int, wrong: Mapping[str, str] | None = None) -> bytes:
    """Return a zip of so many images, whose list of hashes has another number of them."""
    rows = {name: md5(data) for name, data in images(listed).items()} | dict(wrong or {})
    made = io.BytesIO(nbia_zip(images(held), listed=False))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("md5hashes.csv", "Filename,MD5Hash\n" + "".join(f"{n},{h}\n" for n, h in rows.items()))
    return made.getvalue()


def test_a_single_image_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.core.limits.SINGLE_IMAGE", 1 << 22)
    with pytest.raises(SeriesDamaged, match="as one image"):
        EndlessImage(b"").stream_single_image("1.2", "1.2.3", lambda _chunk: None)
