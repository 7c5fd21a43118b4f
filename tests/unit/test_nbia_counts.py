"""NBIA's numbers of a series that IDC lists too: the same limits as in a plan."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tcia_xnat.core.errors import SeriesDamaged, SourceError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia.connection import Question
from tcia_xnat.sources.nbia.series_zip import save_series
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tests.images import SERIES, STUDY, images, nbia_zip, series
from tests.unit.test_zip_fuzz import OneAnswer

PATIENCE = Patience(RetryPolicy(1), lambda _seconds: None)
ROW = {"SeriesInstanceUID": SERIES, "ImageCount": 3, "FileSize": 4096}


class Telling(OneAnswer):
    """An NBIA that tells these rows of a series, and sends what `send` writes."""

    def __init__(self, *told: object, send: Callable[[Callable[[bytes], None]], None] | None = None) -> None:
        super().__init__(nbia_zip(images(3)))
        self._told, self._send = list(told), send

    def content(self, asked: Question) -> bytes:
        assert asked.endpoint == "getSeriesMetadata"
        return json.dumps(self._told).encode()

    def get_image(self, series_instance_uid: str, write: object) -> None:
        assert callable(write)
        if self._send:
            self._send(write)
        else:
            super().get_image(series_instance_uid, write)


def fetch(client: OneAnswer, arrived: list[int]) -> int:
    """Fetch a series that IDC lists from NBIA; return how many images arrived."""
    source = NbiaSource(client, PATIENCE)
    with Spool() as spool:
        (package,) = source.fetch(replace(series(9), crdc_series_uuid="u"), spool, arrived.append)
    return len(package.members)


def endless(write: Callable[[bytes], None]) -> None:
    for _ in range(200):
        write(bytes(1 << 20))


def test_its_numbers_count_and_not_those_of_idc() -> None:
    assert fetch(Telling(ROW), []) == 3
    assert fetch(Telling(ROW | {"SeriesInstanceUID": "9.9"}, None, ROW), []) == 3


def test_an_absurd_size_bounds_nothing_and_is_no_bound() -> None:
    arrived: list[int] = []
    with pytest.raises(SeriesDamaged):
        fetch(Telling(ROW | {"ImageCount": 1, "FileSize": 4096}, send=endless), arrived)
    assert sum(arrived) < 80 << 20
    assert fetch(Telling(ROW | {"FileSize": -(10**15)}), []) == 3
    assert fetch(Telling(ROW | {"FileSize": "abc"}), []) == 3


@pytest.mark.parametrize("count", [-1, 1e9, "abc", float("nan"), [3], True])
def test_a_number_of_images_that_cannot_be_is_an_error(count: Any) -> None:  # noqa: ANN401  whatever a server sends
    with pytest.raises(SourceError, match="as ImageCount of this series"):
        fetch(Telling(ROW | {"ImageCount": count}), [])


def test_a_saved_zip_has_the_licence_whatever_letters_it_has(tmp_path: Path) -> None:
    row = ROW | {"StudyInstanceUID": STUDY, "PatientID": "P1", "LicenseName": "CC\ud800"}
    assert save_series(Telling(row), SERIES, tmp_path / "a.zip", PATIENCE) == 3
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert b"distributed under CC?" in archive.read("LICENSE")


def test_rows_that_tell_different_numbers_are_an_error() -> None:
    with pytest.raises(SourceError, match="2 different rows"):
        fetch(Telling(ROW, ROW | {"ImageCount": 2}), [])
