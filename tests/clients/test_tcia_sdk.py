"""The old SDK's client, called as scripts of its time call it, and what its zips hold."""

import ast
import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import Fault, answer, edited
from sandbox.index import Row
from sandbox.nbia.zip import Entry
from sandbox.sandbox import Sandbox
from tcia_xnat.core.errors import SourceError, UsageError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia.connection import NBIA_URL, services_url
from tciaclient import TCIAClient

GONE = "https://services.cancerimagingarchive.net/services/v4"
UNKNOWN = "1.2.3.4"


@pytest.fixture
def client(archives: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[TCIAClient]:
    """Return a client made as the SDK's own sample makes it, which asks again without a wait."""
    monkeypatch.setenv("TCIA_XNAT_NBIA_URL", archives.environment["TCIA_XNAT_NBIA_URL"])
    with TCIAClient(apiKey="key", baseUrl=GONE, resource="TCIA") as made:
        made._patience = Patience(RetryPolicy(2), lambda _seconds: None)
        yield made
    archives.nbia_faults.lift()
    archives.nbia_application.wrap = None


@pytest.fixture(scope="module")
def row(archives: Sandbox) -> Row:
    query = "SELECT * FROM nbia WHERE instanceCount BETWEEN 3 AND 12 AND Modality = 'MR' ORDER BY SeriesInstanceUID"
    return archives.index.nbia(query)[0]


def test_answers_are_read_as_the_sdk_gave_them(client: TCIAClient) -> None:
    response = client.get_manufacturer_values(
        collection="CMB-AML", bodyPartExamined=None, modality="MR", outputFormat="json"
    )
    assert response.getcode() == 200
    assert json.loads(response.read()) == json.loads(response.read()) == [{"Manufacturer": "Siemens Healthineers"}]


def test_answers_are_read_as_its_successor_gave_them(client: TCIAClient, row: Row) -> None:
    with ThreadPoolExecutor(3) as executor:
        study = executor.submit(client.get_patient_study, studyInstanceUid=row["StudyInstanceUID"]).result()
    assert study.status == 200
    assert ast.literal_eval(study.data.decode("utf-8"))[0]["PatientID"] == row["PatientID"]


def test_answers_are_rows(client: TCIAClient, row: Row) -> None:
    uid = row["SeriesInstanceUID"]
    assert client.get_collection_values() == [{"Collection": "CMB-AML"}]
    assert {"Modality": "MR"} in client.get_modality_values(collection="CMB-AML", modality="CT")
    assert client.get_body_part_values("CMB-AML", "CHEST", "MR") == client.get_body_part_values(modality="MR")
    assert row["PatientID"] in {one["PatientId"] for one in client.get_patient(collection="CMB-AML")}
    assert client.get_series_size(SeriesInstanceUID=uid)[0]["ObjectCount"] == row["instanceCount"]
    assert len(client.get_sop_instance_uids(SeriesInstanceUID=uid)) == row["instanceCount"]


@pytest.mark.parametrize("name", ["seriesInstanceUid", "seriesInstanceUID"])
def test_series_take_both_spellings(client: TCIAClient, row: Row, name: str) -> None:
    (found,) = client.get_series(**{name: row["SeriesInstanceUID"]})
    assert found["StudyInstanceUID"] == row["StudyInstanceUID"]
    for study in ({"studyInstanceUid": row["StudyInstanceUID"]}, {"studyInstanceUID": row["StudyInstanceUID"]}):
        series = client.get_series("CMB-AML", "MR", **study)
        assert found in series
        assert {one["Modality"] for one in series} == {"MR"}


def test_other_formats_are_text(client: TCIAClient) -> None:
    table = client.get_modality_values(collection="CMB-AML", outputFormat="csv")
    assert table.read().decode().splitlines()[0] == "Modality"
    assert list(table) == []
    assert client.get_collection_values(outputFormat="xml").read().startswith(b"<?xml")
    with pytest.raises(SourceError):
        client.get_collection_values(outputFormat="yaml")


def test_nothing_found_is_an_empty_list(client: TCIAClient) -> None:
    assert json.loads(client.get_series(collection="Nobody's").read()) == []


def test_a_shared_list(archives: Sandbox, row: Row) -> None:
    archives.nbia_application.shared_carts["sharedListApiUnitTest"] = [row["SeriesInstanceUID"]]
    base = f"{archives.environment['TCIA_XNAT_NBIA_URL']}/v4"
    with TCIAClient(apiKey=None, baseUrl=base, resource="SharedList") as client:
        (found,) = client.contents_by_name(name="sharedListApiUnitTest")
    assert found["SeriesInstanceUID"] == row["SeriesInstanceUID"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, NBIA_URL),
        ("", NBIA_URL),
        (GONE, NBIA_URL),
        ("http://services.cancerimagingarchive.net/services", NBIA_URL),
        ("https://services.cancerimagingarchive.net/services/v3/TCIA/query", NBIA_URL),
        (f"{NBIA_URL}/v1/", NBIA_URL),
        ("https://nlst.cancerimagingarchive.net/nbia-api/services/", "https://nlst.cancerimagingarchive.net/nbia-api/services"),
        ("http://127.0.0.1:8080/v4", "http://127.0.0.1:8080"),
    ],
)  # fmt: skip
def test_addresses_of_the_sdk(given: str | None, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TCIA_XNAT_NBIA_URL", raising=False)
    assert services_url(given) == meant


def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("services", "ftp://a.org", "https://"):
        with pytest.raises(UsageError, match="no address of NBIA's services"):
            services_url(wrong)
        monkeypatch.setenv("TCIA_XNAT_NBIA_URL", wrong)
        with pytest.raises(UsageError):
            TCIAClient(apiKey=None, baseUrl=GONE, resource="TCIA")


def md5s(archive: zipfile.ZipFile) -> set[str]:
    return {
        hashlib.md5(archive.read(name), usedforsecurity=False).hexdigest()
        for name in archive.namelist()
        if name.endswith(".dcm")
    }


def save(client: TCIAClient, row: Row, folder: Path) -> bool:
    return client.get_image(
        seriesInstanceUid=row["SeriesInstanceUID"], downloadPath=str(folder), zipFileName="images.zip"
    )


def check(archives: Sandbox, row: Row, folder: Path) -> None:
    """Read the zip back: every image as the sandbox has it, and the terms of use."""
    assert [path.name for path in folder.iterdir()] == ["images.zip"]
    with zipfile.ZipFile(folder / "images.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == row["instanceCount"] + 1
        assert md5s(archive) == {archives.images.md5(row, number) for number in range(1, row["instanceCount"] + 1)}
        terms = archive.read("LICENSE").decode()
    assert "Creative Commons Attribution 4.0" in terms
    assert row["source_DOI"] in terms


def test_a_zip_is_saved(archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path) -> None:
    assert save(client, row, tmp_path / "new") is True
    check(archives, row, tmp_path / "new")


def test_a_zip_that_ended_early_is_completed(archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path) -> None:
    archives.nbia_application.wrap = lambda _uid, files: _first(files, 2)
    assert save(client, row, tmp_path) is True
    check(archives, row, tmp_path)


def _first(files: Iterator[Entry], count: int) -> Iterator[Entry]:
    return (file for file, _ in zip(files, range(count), strict=False))


@pytest.mark.parametrize("body", [b"", b"<html>Sorry</html>"], ids=["empty", "page"])
def test_what_is_no_zip_is_asked_for_again(
    archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path, body: bytes
) -> None:
    archives.nbia_faults.add(Fault("/getImage", answer(200, body)))
    assert save(client, row, tmp_path) is True
    check(archives, row, tmp_path)


def test_a_series_that_cannot_be_had_leaves_nothing_new(
    archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images.zip").write_text("of yesterday")
    archives.nbia_faults.add(Fault("/getImage", answer(500, "Server was not able"), times=None))
    with caplog.at_level(logging.WARNING, "tciaclient"):
        assert save(client, row, tmp_path) is False
        assert client.get_image(UNKNOWN, tmp_path, "unknown.zip") is False
    assert [path.name for path in tmp_path.iterdir()] == ["images.zip"]
    assert (tmp_path / "images.zip").read_text() == "of yesterday"
    assert [record.getMessage() for record in caplog.records] == [
        f"series {row['SeriesInstanceUID']} was not saved: NBIA's getImage answered 500: Server was not able",
        f"series {UNKNOWN} was not saved: NBIA does not offer series {UNKNOWN} to the public",
    ]


def test_a_file_in_the_place_of_the_folder(client: TCIAClient, row: Row, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert save(client, row, tmp_path / "file") is False


def test_one_image_is_saved(archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path) -> None:
    uid = row["SeriesInstanceUID"]
    sop = client.get_sop_instance_uids(uid)[0]["SOPInstanceUID"]
    assert client.get_single_image(uid, sop, tmp_path, "1.dcm") is True
    assert (tmp_path / "1.dcm").read_bytes() == archives.images.image(row, 1)


@pytest.mark.parametrize("what", ["page", "another image"])
def test_another_answer_is_no_image(archives: Sandbox, client: TCIAClient, row: Row, tmp_path: Path, what: str) -> None:
    other: Any = (lambda _: b"<html>Sorry</html>") if what == "page" else lambda _: archives.images.image(row, 2)
    archives.nbia_faults.add(Fault("/getSingleImage", edited(other), times=None))
    uid = row["SeriesInstanceUID"]
    sop = client.get_sop_instance_uids(uid)[0]["SOPInstanceUID"]
    assert client.get_single_image(uid, sop, tmp_path, "1.dcm") is False
    assert list(tmp_path.iterdir()) == []
