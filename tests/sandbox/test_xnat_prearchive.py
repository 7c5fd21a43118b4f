"""The prearchive: rows, statuses, listings, build, commit, delete (xnat-http.md §7, §9)."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from defusedxml import ElementTree

from tests.sandbox.xnat_case import PLAIN, PROJECT, STUDY, Site, dicom, message, zipped

LIST = f"/data/prearchive/projects/{PROJECT}"
OTHER = {"4.dcm": dicom(SeriesInstanceUID="1.2.9", SeriesNumber="4")}
FIELDS = [
    "project", "timestamp", "lastmod", "uploaded", "scan_date", "scan_time", "subject", "folderName", "name", "tag",
    "status", "url", "autoarchive", "prevent_anon", "prevent_auto_commit", "SOURCE", "VISIT", "PROTOCOL", "TIMEZONE",
]  # fmt: skip
NO_DOCUMENT = (
    "The named session exists, but its XNAT session document is not available."
    " The session is likely invalid or incomplete."
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def scans(site: Site, uri: str) -> dict[str, str]:
    """Return UID by ID of the scans in a session's document."""
    answer = site.ask("GET", uri, format="xml")
    assert answer.status_code == 200, answer.text
    root = ElementTree.fromstring(answer.content)
    return {scan.get("ID", ""): scan.get("UID", "") for scan in root.iterfind("{*}scans/{*}scan")}


# rows


def test_a_row_of_the_listing(site: Site) -> None:
    uri = site.sent()
    [row] = site.rows(LIST)
    assert list(row) == FIELDS
    assert row["url"] == uri.removeprefix("/data")
    assert re.fullmatch(r"\d{8}_\d{9}", row["timestamp"])
    assert (row["subject"], row["folderName"], row["name"], row["tag"]) == ("S1", "E1", "E1", STUDY)
    assert (row["status"], row["autoarchive"]) == ("RECEIVING", "Manual")
    assert (row["prevent_anon"], row["prevent_auto_commit"]) == ("false", "true")
    assert row["scan_date"] == "2001-02-03 00:00:00.0"
    assert site.rows("/data/prearchive") == site.rows("/data/prearchive", tag=STUDY) == [row]
    assert site.rows("/data/prearchive", tag="1.2") == []


def test_who_sees_the_listing(site: Site) -> None:
    site.sent()
    site.server.add_user("reader", "p", {PROJECT: "Collaborators"})

    def status(user: str, path: str) -> int:
        return requests.get(site.server.url + path, auth=(user, "p"), timeout=30).status_code

    assert status("reader", LIST) == 200
    assert status("reader", "/data/prearchive?tag=1.2") == 404
    assert status("reader", "/data/prearchive/projects/Unassigned") == 404
    [row] = site.rows(LIST)
    assert status("reader", f"/data{row['url']}?format=json") == 403
    site.server.add_user("stranger", "p")
    assert status("stranger", LIST) == 404
    assert site.ask("GET", "/data/prearchive/projects/NONE", format="json").status_code == 404


def test_rows_that_are_not_there(site: Site) -> None:
    missing = f"{LIST}/20240131_101112123/E1"
    assert site.rows(missing) == []
    assert site.ask("GET", missing).status_code == 404
    assert site.ask("GET", missing.replace(PROJECT, "NONE"), format="json").status_code == 500


def test_rows_are_known_by_study_and_label(site: Site) -> None:
    first = site.sent()
    assert site.sent(OTHER) == first
    assert site.sent(session="E2", EXPT_LABEL="E2") != first
    study = {"1.dcm": dicom(StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1")}
    assert site.sent(study) != first
    assert len(site.rows(LIST)) == 3


def test_flags_count_on_the_request_that_makes_the_row(site: Site) -> None:
    uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN, SOURCE="uploader", VISIT="v1").text.strip()
    site.sent(OTHER, prevent_auto_commit="true")
    [row] = site.rows(uri)
    assert (row["prevent_auto_commit"], row["SOURCE"], row["VISIT"]) == ("false", "uploader", "v1")


def test_lastmod_moves_in_steps(site: Site) -> None:
    uri = site.sent()
    before = site.rows(uri)[0]["lastmod"]
    site.settings.clock.advance(10)
    site.sent(OTHER)
    assert site.rows(uri)[0]["lastmod"] == before
    site.settings.clock.advance(10)
    site.sent(OTHER)
    assert site.rows(uri)[0]["lastmod"] > before


# build


def test_there_is_no_document_before_a_build(site: Site) -> None:
    uri = site.sent()
    answer = site.ask("GET", uri)
    assert (answer.status_code, message(answer)) == (404, NO_DOCUMENT)
    assert site.ask("GET", f"{uri}/scans", format="json").status_code == 404


def test_build(site: Site) -> None:
    uri = site.sent({"1.dcm": dicom(1), "2.dcm": dicom(2)} | OTHER)
    answer = site.ask("POST", uri, action="build")
    assert (answer.status_code, answer.text) == (200, f"{uri}\r\n")
    assert answer.headers["Content-Type"].startswith("text/uri-list")
    assert site.status(uri) == "READY"
    assert scans(site, uri) == {"3": "1.2.826.1.3", "4": "1.2.9"}
    document = site.ask("GET", uri).text
    assert "<xnat:CTSession " in document
    assert f'UID="{STUDY}"' in document
    assert site.rows(f"{uri}/scans") == [
        {"ID": "3", "xsiType": "xnat:ctScanData", "series_description": "Thorax"},
        {"ID": "4", "xsiType": "xnat:ctScanData", "series_description": "Thorax"},
    ]
    [resource] = site.rows(f"{uri}/scans/3/resources")
    assert (resource["label"], resource["file_count"]) == ("DICOM", "2")
    assert {row["cat_id"]: row["file_count"] for row in site.rows(f"{uri}/resources")} == {"3": "2", "4": "1"}
    files = site.rows(f"{uri}/scans/3/resources/DICOM/files")
    assert all(int(row["Size"]) == len(site.ask("GET", row["URI"]).content) for row in files)
    assert len(files) == 2
    folder = site.directory / uri.replace("/data/prearchive/projects", "prearchive")
    assert (folder.parent / "E1.xml").is_file()
    assert (folder / "SCANS/3/DICOM/scan_3_catalog.xml").is_file()


def test_objects_that_come_after_a_build_are_not_in_the_document(site: Site) -> None:
    uri = site.built()
    site.sent(OTHER)
    assert site.status(uri) == "RECEIVING"
    assert list(scans(site, uri)) == ["3"]
    site.ask("POST", uri, action="build")
    assert list(scans(site, uri)) == ["3", "4"]


def test_objects_that_come_during_a_build_put_it_back(site: Site) -> None:
    uri = site.sent()
    arrived = site.settings.breakpoints.close("build")
    work = threading.Thread(target=site.ask, args=("POST", uri), kwargs={"action": "build"})
    work.start()
    assert arrived.wait(10)
    assert site.status(uri) == "_BUILDING"
    locked = site.session.post(site.server.url + uri, params={"action": "build"}, timeout=30)
    assert (locked.status_code, message(locked)) == (409, "session document locked")
    assert site.session.post(site.server.url + uri, params={"action": "commit"}, timeout=30).status_code == 409
    site.sent(OTHER)
    assert site.status(uri) == "RECEIVING_INTERRUPT"
    site.settings.breakpoints.open("build")
    work.join(10)
    assert site.status(uri) == "RECEIVING"


def test_series_that_share_a_number_are_all_renamed(site: Site) -> None:
    files = {"a.dcm": dicom(1, SeriesInstanceUID="1.2.1"), "b.dcm": dicom(1, SeriesInstanceUID="1.2.2")}
    uri = site.built(files)
    assert scans(site, uri) == {"3-CT1": "1.2.1", "3-CT2": "1.2.2"}
    [folder] = (site.directory / "prearchive").rglob("SCANS/3")
    assert len(list(folder.glob("DICOM/*.dcm"))) == 2
    assert len(site.rows(f"{uri}/scans/3-CT1/resources/DICOM/files")) == 1
    answer = site.ask("DELETE", f"{uri}/scans/3-CT1")
    assert (answer.status_code, message(answer)) == (404, "Unknown scan ID")


def test_a_session_with_nothing_readable_fails(site: Site) -> None:
    uri = site.sent()
    [path] = (site.directory / "prearchive").rglob("*.dcm")
    path.write_bytes(b"no DICOM any more")
    assert site.ask("POST", uri, action="build").status_code == 500
    assert site.status(uri) == "ERROR"
    site.sent()
    assert site.status(uri) == "RECEIVING"


@pytest.mark.parametrize(
    ("modalities", "session_type"),
    [
        (["CT"], "CTSession"),
        (["CT", "PT"], "PETSession"),
        (["MR", "PT"], "PETMRSession"),
        (["CT", "SEG"], "CTSession"),
        (["SEG"], "OtherDicomSession"),
        (["RTSTRUCT"], "RTSession"),
        (["MG"], "MGSession"),
        (["CT", "MR"], "MRSession"),
        (["XYZ"], "OtherDicomSession"),
    ],
)
def test_types_of_sessions(site: Site, modalities: list[str], session_type: str) -> None:
    files = {
        f"{number}.dcm": dicom(SeriesInstanceUID=f"1.2.{number}", SeriesNumber=str(number), Modality=modality)
        for number, modality in enumerate(modalities, 1)
    }
    uri = site.built(files)
    assert f"<xnat:{session_type} " in site.ask("GET", uri).text


def test_deleting_a_scan(site: Site) -> None:
    uri = site.sent(OTHER | {"1.dcm": dicom()})
    assert message(site.ask("DELETE", f"{uri}/scans/4")) == "Unable to locate prearc resource."
    site.ask("POST", uri, action="build")
    assert site.ask("DELETE", f"{uri}/scans/4").status_code == 200
    assert list(scans(site, uri)) == ["3"]
    assert not list((site.directory / "prearchive").rglob("SCANS/4"))
