"""NBIA through tcia_utils, TCIA's own client (tcia-nbia-and-idc.md §6.2)."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
import requests
from tcia_utils import nbia

from sandbox.index import Row
from sandbox.sandbox import Sandbox

UNKNOWN = "1.2.3.4"

renames_in_place = pytest.mark.filterwarnings("ignore:The inplace keyword")  # tcia_utils does, pandas 3.1 warns


@pytest.fixture(autouse=True)
def _base_url(archives: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point tcia_utils to the sandbox: it takes names of TCIA's servers only, no address."""
    base = archives.environment["TCIA_XNAT_NBIA_URL"]
    monkeypatch.setattr(nbia, "setApiUrl", lambda _endpoint, _api_url="": f"{base}/v4/")


@pytest.fixture
def series(archives: Sandbox) -> Sequence[Row]:
    query = "SELECT * FROM nbia WHERE instanceCount BETWEEN 3 AND 12 ORDER BY SeriesInstanceUID LIMIT 2"
    return archives.index.nbia(query)


@pytest.fixture
def uids(series: Sequence[Row]) -> list[str]:
    return [row["SeriesInstanceUID"] for row in series]


def md5s(archives: Sandbox, row: Row) -> set[str]:
    """Return the MD5s of the images of a series."""
    return {archives.images.md5(row, number) for number in range(1, row["instanceCount"] + 1)}


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def test_collections() -> None:
    assert nbia.getCollections() == [{"Collection": "CMB-AML"}]
    assert list(nbia.getCollections(format="df")["Collection"]) == ["CMB-AML"]


def test_the_values_to_choose_from(archives: Sandbox) -> None:
    rows = archives.index.nbia("SELECT * FROM nbia")
    for known, column in (
        (nbia.getModality(collection="CMB-AML"), "Modality"),
        (nbia.getBodyPart(collection="CMB-AML"), "BodyPartExamined"),
        (nbia.getManufacturer(collection="CMB-AML"), "Manufacturer"),
    ):
        assert {row[column] for row in known} == {row[column] for row in rows} - {None}
    patients = {row["PatientId"] for row in nbia.getPatient(collection="CMB-AML")}
    assert patients == {row["PatientID"] for row in rows}


def test_series_of_a_collection_are_those_of_the_index(archives: Sandbox) -> None:
    rows = archives.index.nbia("SELECT * FROM nbia ORDER BY SeriesInstanceUID")
    found = nbia.getSeries(collection="CMB-AML", format="df").sort_values("SeriesInstanceUID")
    assert list(found["SeriesInstanceUID"]) == [row["SeriesInstanceUID"] for row in rows]
    assert list(found["ImageCount"]) == [row["instanceCount"] for row in rows]
    assert list(found["FileSize"]) == [round(row["series_size_MB"] * 1e6) for row in rows]


def test_series_are_found_by_patient_study_and_modality(series: Sequence[Row]) -> None:
    row = series[0]
    found = nbia.getSeries(
        collection="CMB-AML",
        patientId=row["PatientID"],
        studyUid=row["StudyInstanceUID"],
        modality=row["Modality"],
        manufacturer=row["Manufacturer"],
    )
    assert row["SeriesInstanceUID"] in {one["SeriesInstanceUID"] for one in found}
    assert {one["StudyInstanceUID"] for one in found} == {row["StudyInstanceUID"]}
    [study] = nbia.getStudy("CMB-AML", studyUid=row["StudyInstanceUID"])
    assert study["PatientID"] == row["PatientID"]


def test_nothing_found_is_none() -> None:
    assert nbia.getSeries(collection="Nobody's") is None
    assert nbia.getSeriesList([UNKNOWN]) is None


@renames_in_place
def test_metadata_of_a_list_leave_unknown_series_out(series: Sequence[Row], uids: list[str]) -> None:
    found = nbia.getSeriesList([*uids, UNKNOWN]).set_index("SeriesInstanceUID")
    assert set(found.index) == set(uids)
    for row in series:
        one = found.loc[row["SeriesInstanceUID"]]
        assert (one["PatientID"], one["ImageCount"]) == (row["PatientID"], row["instanceCount"])
        assert one["LicenseURI"] == "https://creativecommons.org/licenses/by/4.0/"


def test_size_and_images_of_a_series(series: Sequence[Row]) -> None:
    row = series[0]
    size = {"TotalSizeInBytes": round(row["series_size_MB"] * 1e6), "ObjectCount": row["instanceCount"]}
    assert nbia.getSeriesSize(row["SeriesInstanceUID"]) == [size]
    sops = nbia.getSopInstanceUids(row["SeriesInstanceUID"])
    assert len({one["SOPInstanceUID"] for one in sops}) == row["instanceCount"]


def test_series_are_downloaded(archives: Sandbox, series: Sequence[Row], tmp_path: Path) -> None:
    found = nbia.getSeries(collection="CMB-AML")
    wanted = [one for one in found if one["SeriesInstanceUID"] in {row["SeriesInstanceUID"] for row in series}]
    nbia.downloadSeries(wanted, path=str(tmp_path))
    for row in series:
        folder = tmp_path / row["SeriesInstanceUID"]
        images = sorted(folder.glob("*.dcm"))
        assert images[0].name.startswith("1-")
        assert sorted(folder.iterdir()) == sorted([*images, folder / "LICENSE"])
        assert {md5(image) for image in images} == md5s(archives, row)
        assert {pydicom.dcmread(image).SeriesInstanceUID for image in images} == {row["SeriesInstanceUID"]}


@renames_in_place
def test_series_are_downloaded_with_their_hashes(
    archives: Sandbox, series: Sequence[Row], uids: list[str], tmp_path: Path
) -> None:
    found = nbia.downloadSeries(uids, path=str(tmp_path), hash="y", input_type="list", format="df")
    assert set(found["SeriesInstanceUID"]) == set(uids)
    for row in series:
        folder = tmp_path / row["SeriesInstanceUID"]
        with (folder / "md5hashes.csv").open(newline="") as table:
            hashes = {one["Filename"]: one["MD5Hash"] for one in csv.DictReader(table)}
        assert hashes == {image.name: md5(image) for image in folder.glob("*.dcm")}
        assert set(hashes.values()) == md5s(archives, row)


def test_a_manifest_of_nbia_is_downloaded(archives: Sandbox, uids: list[str], tmp_path: Path) -> None:
    url = f"{archives.environment['TCIA_XNAT_NBIA_URL']}/v4/getManifestText"
    answer = requests.post(url, data={"list": uids}, timeout=30)
    manifest = tmp_path / "manifest.tcia"
    manifest.write_text(answer.text)
    nbia.downloadSeries(str(manifest), path=str(tmp_path / "zips"), input_type="manifest", as_zip=True)
    assert {path.name for path in (tmp_path / "zips").iterdir()} == {f"{uid}.zip" for uid in uids}


def test_an_unknown_series_leaves_nothing(uids: list[str], tmp_path: Path) -> None:
    nbia.downloadSeries([UNKNOWN, uids[0]], path=str(tmp_path), input_type="list")
    assert [path.name for path in tmp_path.iterdir()] == [uids[0]]


def test_one_image_is_downloaded(archives: Sandbox, series: Sequence[Row], tmp_path: Path) -> None:
    row = series[0]
    sop = nbia.getSopInstanceUids(row["SeriesInstanceUID"])[0]["SOPInstanceUID"]
    nbia.downloadImage(row["SeriesInstanceUID"], sop, path=str(tmp_path))
    [image] = tmp_path.rglob("*.dcm")
    assert pydicom.dcmread(image).SOPInstanceUID == sop
    assert md5(image) in md5s(archives, row)
