"""What NBIA says of a series, in the catalogue's words."""

import json
from typing import Any

import pytest

from tcia_xnat.core.errors import SourceError
from tcia_xnat.core.model import Series, SourceName
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import offered_by
from tcia_xnat.sources.lookup import look_up
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.nbia.connection import Question
from tcia_xnat.sources.nbia.series import from_nbia

ROW = {
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
    "PatientID": "MSB-1",
    "Collection": "CMB-AML",
    "Modality": "CT",
    "SeriesNumber": 3,
    "SeriesDescription": "Scout",
    "StudyDate": "12-31-1959",
    "StudyDesc": "Thorax",
    "ImageCount": 7,
    "FileSize": 4200,
    "LicenseName": "Creative Commons Attribution 4.0 International License",
    "DataDescriptionURI": "https://doi.org/10.7937/PCTE-6M66",
}


def test_a_row_of_metadata() -> None:
    assert from_nbia(ROW) == Series(
        series_instance_uid="1.2.3",
        study_instance_uid="1.2",
        patient_id="MSB-1",
        collection_id="cmb_aml",
        modality="CT",
        series_number="3",
        series_description="Scout",
        study_date="1959-12-31",
        study_description="Thorax",
        image_count=7,
        byte_count=4200,
        licence="CC BY 4.0",
        source_doi="10.7937/pcte-6m66",
    )


def test_columns_that_nbia_leaves_out_are_empty() -> None:
    assert from_nbia({"SeriesInstanceUID": "1.1", "StudyInstanceUID": "1.2", "PatientID": "3"}) == Series(
        "1.1", "1.2", "3"
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Creative Commons Attribution 3.0 Unported License", "CC BY 3.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International License", "CC BY-NC 4.0"),
        ("Creative Commons Attribution-Non Commercial 3.0 Unported License", "CC BY-NC 3.0"),
        ("TCIA Restricted", "TCIA Restricted"),
    ],
)
def test_licences_are_written_as_idc_writes_them(name: str, short: str) -> None:
    assert from_nbia(ROW | {"LicenseName": name}).licence == short


def test_only_idc_s_series_are_asked_of_idc() -> None:
    order = (SourceName.IDC, SourceName.NBIA)
    assert offered_by(Series("1", "2", "3"), order) == [SourceName.NBIA]
    assert offered_by(Series("1", "2", "3", crdc_series_uuid="u"), order) == list(order)
    assert offered_by(Series("1", "2", "3"), order[:1]) == []


class Nbia(TCIAClient):
    """A client whose server answers with these bytes."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("http://127.0.0.1:9")
        self._bytes = answer

    def content(self, asked: Question) -> bytes:
        assert asked.endpoint == "getSeriesMetadata"
        return self._bytes


PATIENCE = Patience(RetryPolicy(2), lambda _seconds: None)
ASKED = Manifest("m", ("1.2.3", "1.2.4"))


def rows(*given: object) -> bytes:
    return json.dumps(given).encode()


WRONG_ROWS: dict[str, dict[str, object]] = {
    "no study": {"StudyInstanceUID": None},
    "study is no UID": {"StudyInstanceUID": "../../x"},
    "study is a list": {"StudyInstanceUID": ["1.2"]},
    "no patient": {"PatientID": ""},
    "patient is a list": {"PatientID": ["A"]},
    "patient cannot be written": {"PatientID": "A\ud800"},
    "description is an object": {"SeriesDescription": {}},
    "negative images": {"ImageCount": -1},
    "a thousand million images": {"ImageCount": 1e9},
    "images are text": {"ImageCount": "abc"},
    "images are NaN": {"ImageCount": float("nan")},
    "images are true": {"ImageCount": True},
}


@pytest.mark.parametrize("name", WRONG_ROWS)
def test_one_wrong_row_fails_its_own_series_only(name: str) -> None:
    good = ROW | {"SeriesInstanceUID": "1.2.4"}
    found = look_up(ASKED, None, Nbia(rows(ROW | WRONG_ROWS[name], good)), PATIENCE)
    assert list(found.series) == ["1.2.4"]
    assert isinstance(found.missing["1.2.3"], SourceError)


@pytest.mark.parametrize("size", [1e15, -1, "abc", float("nan"), float("inf"), [1], True, 5 << 40])
def test_an_absurd_size_is_not_known(size: Any) -> None:  # noqa: ANN401  whatever a server sends
    found = look_up(ASKED, None, Nbia(rows(ROW | {"FileSize": size})), PATIENCE)
    assert found.series["1.2.3"].byte_count == 0


def test_a_wrong_series_number_is_no_reason_to_lose_a_series() -> None:
    assert from_nbia(ROW | {"SeriesNumber": "abc"}).series_number == "abc"


def test_half_a_character_in_a_text_is_replaced() -> None:
    assert from_nbia(ROW | {"Collection": "CMB\ud800", "SeriesDescription": "\ud800"}).collection_id == "cmb?"


def test_rows_that_nobody_asked_for_are_dropped_and_named() -> None:
    stray = ROW | {"SeriesInstanceUID": "9.9"}
    others: tuple[object, ...] = (None, [], "x", {"SeriesInstanceUID": "../../x"}, {"SeriesInstanceUID": ["1.2.3"]})
    found = look_up(ASKED, None, Nbia(rows(stray, ROW, *others)), PATIENCE)
    assert list(found.series) == ["1.2.3"]
    assert found.notes == ("NBIA sent 6 series that nobody asked for, which were dropped: 9.9",)


def test_two_rows_that_name_two_patients_are_no_series() -> None:
    found = look_up(ASKED, None, Nbia(rows(ROW, ROW | {"PatientID": "other"})), PATIENCE)
    assert not found.series
    assert "2 different rows" in str(found.missing["1.2.3"])


@pytest.mark.parametrize("answer", [b"[" * 200_000, b"\xff\xfe", b'{"a":1}', b"1" * 5000, b"<html>", b"[{]"])
def test_what_is_no_list_fails_the_batch_with_our_error(answer: bytes) -> None:
    found = look_up(ASKED, None, Nbia(answer), PATIENCE)
    assert all(isinstance(error, SourceError) for error in found.missing.values())
    assert set(found.missing) == {"1.2.3", "1.2.4"}
