"""The layout of a tree is a decision: it is said, and where two readings differ the user decides."""

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.model import Spot
from tcia_xnat.sources.local.recognition import decide


def spot(folder: str, patient: str, study: str = "") -> Spot:
    """Return images of a patient in a folder, of a study of that patient's."""
    uid = f"2.25.9{sum(map(ord, patient + study)):05}"
    return Spot(folder, f"{uid}.1", uid, patient)


def spots(tree: dict[str, str]) -> list[Spot]:
    return [spot(folder, *patient.split("/")) for folder, patient in tree.items()]


FOLDERS = {
    "as dicomUpload has it": {"007/pre/t1": "M1", "007/post/t1": "M1/b", "008/pre/t1": "M2"},
    "one study in two sessions": {"007/pre": "M1", "007/post": "M1"},
    "dates are sessions": {"S1/2020-01-01/x": "M1", "S1/20210101/x": "M1/b"},
    "BIDS": {"sub-01/ses-01/anat": "M1", "sub-02/ses-01/anat": "M2"},
    "nobody is named": {"S1/v1": "", "S2/v1": ""},
}
HEADERS = {
    "flat": {"": "M1", "x": "M2"},
    "a medium": {"DICOM/PA000001/ST000001/SE000001": "M1", "DICOM/PA000002/ST000001/SE000001": "M2"},
    "a medium of one patient": {"DICOM/PA000001/ST000001/SE000001": "M1"},
    "sites": {"site1/s1/ses1": "M1", "site1/s2/ses1": "M2", "site2/s1/ses1": "M3", "site2/s2/ses1": "M4"},
    "dates": {"2020-01-01/exam1": "M1", "2020-02-02/exam1": "M2"},
    "after patients": {"coll/M1/x": "M1", "coll/M2/x": "M2"},
    "no two readings": {"M1/v1": "M1", "M2/v1": "M2", "M3": "M3"},
}
TWO_READINGS = {
    "stray.dcm": ({"S1/v1": "M1", "S2/v1": "M2", "S3/v1": "M3", "": "M4"}, "above the session folders"),
    "BIDS without a session": ({"sub-1/ses-1": "M1", "sub-2/ses-1": "M2", "sub-3": "M3"}, "images lie in sub-3, above"),
    "two patients in one of many": ({"S1/v1": "M1", "S2/v1": "M2", "S3/v1": "M3", "S3/v2": "M4"}, "of 2 PatientIDs"),
    "one patient in two": ({"base/x": "M1", "follow/x": "M1/b"}, "hold images of one PatientID"),
    "two studies in a session": ({"S1/v1/a": "M1", "S1/v1/b": "M1/b"}, "S1/v1 holds several studies"),
    "XNAT's own download": ({"E1/scans/1": "M1", "E2/scans/1": "M2"}, "E1/scans is no name of a session"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str) -> None:
    assert decide(spots(FOLDERS[name]), []).layout is Layout.FOLDERS


@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str) -> None:
    assert decide(spots(HEADERS[name]), []).layout is Layout.HEADERS


@pytest.mark.parametrize("name", TWO_READINGS)
def test_two_readings(name: str) -> None:
    tree, words = TWO_READINGS[name]
    for order in (spots(tree), spots(tree)[::-1]):
        with pytest.raises(UsageError) as refused:
            decide(order, [])
        assert words in str(refused.value)
        assert "by folders, " in str(refused.value)
        assert "--layout folders" in refused.value.hint


def test_zips_of_downloaders() -> None:
    assert decide([], ["2.25.1/img.zip"]).layout is Layout.ZIPS
    assert decide([], ["S/v/a.zip"]).layout is Layout.FOLDERS
    assert decide([], ["a.zip"]).layout is Layout.HEADERS
