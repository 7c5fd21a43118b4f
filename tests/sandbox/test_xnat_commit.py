"""Imports that also build and archive, and those that break off (xnat-http.md §5.8, §8.6, §12.4)."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.sandbox.xnat_case import PLAIN, PROJECT, SERIES, STUDY, Site, dicom, message, zipped

ZIP = zipped({"1.dcm": dicom()})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# commit, dest, Direct-Archive: §5.8, §8.6, §15.24, §15.25


def test_commit_without_archiving_leaves_ready(tmp_path: Path) -> None:
    with Site(tmp_path, code=4) as site:
        uri = site.sent(action="commit")
        assert site.status(uri) == "READY"
        other = site.upload(ZIP, PLAIN, session="E2", dest=f"/prearchive/projects/{PROJECT}").text.strip()
        assert site.status(other) == "READY"
        site.server.advance(minutes=10)
        assert [site.status(one) for one in (uri, other)] == ["READY", "READY"]


def test_dest_archives_in_the_request(site: Site) -> None:
    place = f"/archive/projects/{PROJECT}/subjects/S7/experiments/E7"
    answer = site.upload(ZIP, {"import-handler": "DICOM-zip"}, dest=place)
    assert (answer.status_code, answer.text) == (200, f"/data{place}\r\n")
    again = site.upload(ZIP, {"import-handler": "DICOM-zip"}, dest=place)
    assert (again.status_code, message(again)) == (400, "unable to archive for the Prearchive session")
    [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
    assert row["status"] == "CONFLICT"
    last = site.ask("GET", f"/data{row['url']}/logs/last").text
    assert (
        last == "FAILED: Unable to archive E7: Operation Failed: Session already exists, retry with overwrite enabled"
    )


def test_commit_ignores_what_is_not_dicom(site: Site) -> None:
    body = zipped({"LICENSE": b"text", "1.dcm": dicom()})
    assert site.upload(body, PLAIN, action="commit").status_code == 200


def test_commit_with_overwrite(site: Site) -> None:
    query = PLAIN | {"action": "commit", "AA": "true"}
    assert site.upload(ZIP, query).status_code == 200
    assert site.upload(ZIP, query, overwrite="append").status_code == 400  # merges, and finds the same files
    [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
    site.ask("DELETE", f"/data{row['url']}")
    assert site.upload(ZIP, query, overwrite="delete").status_code == 200


def test_direct_archive(site: Site) -> None:
    answer = site.upload(ZIP, PLAIN, **{"Direct-Archive": "true"})
    path = f"/xapi/direct-archive/{PROJECT}/{STUDY}/E1"
    assert answer.text == f"{path}\r\n"
    assert (site.directory / "archive" / PROJECT / "arc001/E1/SCANS/3/DICOM/1.dcm").is_file()
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []
    assert site.ask("GET", path).json()["status"] == "RECEIVING"
    site.server.advance(minutes=6)
    assert site.ask("GET", path).status_code == 404
    assert [row["label"] for row in site.rows(f"/data/projects/{PROJECT}/experiments")] == ["E1"]
    late = site.upload(zipped({"2.dcm": dicom(2)}), PLAIN, **{"Direct-Archive": "true"})
    assert late.text.startswith("/data/prearchive/")
    committed = site.upload(ZIP, PLAIN, session="E2", action="commit", **{"Direct-Archive": "true"})
    assert committed.status_code == 400


def test_direct_archive_on_demand(site: Site) -> None:
    path = site.upload(ZIP, PLAIN, **{"Direct-Archive": "true"}).text.strip()
    assert [row["name"] for row in site.ask("POST", "/xapi/direct-archive").json()] == ["E1"]
    assert site.ask("POST", path).status_code == 200
    assert [row["label"] for row in site.rows(f"/data/projects/{PROJECT}/experiments")] == ["E1"]


def test_a_session_on_its_direct_way_can_be_deleted(site: Site) -> None:
    path = site.upload(ZIP, PLAIN, **{"Direct-Archive": "true"}).text.strip()
    number = site.ask("GET", path).json()["id"]
    url = f"{site.server.url}/xapi/direct-archive/{number}"
    assert requests.delete(url, auth=("guest-user", "secret"), timeout=30).status_code == 403
    assert site.ask("DELETE", f"/xapi/direct-archive/{number}").status_code == 200
    assert site.ask("DELETE", f"/xapi/direct-archive/{number}").status_code == 404
    assert site.ask("GET", path).status_code == 404
    assert not list((site.directory / "archive").rglob("*.dcm"))


def test_a_client_that_breaks_off_leaves_what_was_read(site: Site) -> None:
    body = zipped({f"{number}.dcm": dicom(number, SeriesInstanceUID=SERIES) for number in range(1, 20)})

    def half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionAbortedError

    arrived = site.settings.breakpoints.close("import")
    with pytest.raises(requests.ConnectionError):
        site.upload(half(), PLAIN)
    assert arrived.wait(10)
    site.settings.breakpoints.open("import")
    for _ in range(1000):
        if len(site.files()) > 5:
            break
        threading.Event().wait(0.01)
    assert 5 < len(site.files()) < 19
    [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
    assert row["status"] == "RECEIVING"
