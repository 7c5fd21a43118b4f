"""Commit, move, delete, and what XNAT does with idle sessions by itself (xnat-http.md §7.3, §7.5, §9)."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import requests

from sandbox.xnat import XnatServer
from tests.sandbox.xnat_case import PLAIN, PROJECT, Site, dicom, message, zipped

LIST = f"/data/prearchive/projects/{PROJECT}"
OTHER = {"4.dcm": dicom(SeriesInstanceUID="1.2.9", SeriesNumber="4")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# actions


def test_actions_refuse(site: Site) -> None:
    uri = site.sent()
    none = site.ask("POST", uri)
    assert none.status_code == 400
    assert message(none) == "No action parameter was specified for the request by user admin"
    assert site.ask("POST", uri, action="explode").status_code == 400
    assert site.ask("POST", uri, action="set-status", status="_ARCHIVING").status_code == 400
    assert site.ask("POST", f"{LIST}/20240131_101112123/E1", action="commit").status_code == 404
    site.server.add_user("reader", "p", {PROJECT: "Collaborators"})
    url = f"{site.server.url}{uri}?action=build"
    assert requests.post(url, auth=("reader", "p"), timeout=30).status_code == 403


def test_commit_in_a_manual_project(site: Site) -> None:
    uri = site.sent()
    answer = site.ask("POST", uri, action="commit")
    assert (answer.status_code, answer.text) == (200, f"{uri}\r\n")
    assert site.status(uri) == "READY"


@pytest.mark.parametrize(("code", "more"), [(0, {"AA": "true"}), (4, {}), (5, {})])
def test_commit_that_archives_is_301_without_a_location(tmp_path: Path, code: int, more: dict[str, str]) -> None:
    with Site(tmp_path, code=code) as site:
        uri = site.sent()
        answer = site.ask("POST", uri, action="commit", **more)
        assert answer.status_code == 301
        assert answer.text == f"/data/archive/projects/{PROJECT}/subjects/S1/experiments/E1"
        assert "Location" not in answer.headers
        assert site.rows(uri) == []


def test_commit_tells_conflicts(site: Site) -> None:
    site.archived()
    uri = site.sent()
    answer = site.ask("POST", uri, action="commit", AA="true")
    assert answer.status_code == 500
    expected = "FAILED: Unable to archive E1: Operation Failed: Session already exists with matching files."
    assert message(answer) == expected
    assert site.status(uri) == "CONFLICT"
    assert site.ask("GET", f"{uri}/logs/last").text == expected
    site.sent(OTHER)
    assert site.status(uri) == "RECEIVING"


def test_move(site: Site) -> None:
    uri = site.built()
    site.ask("PUT", "/data/projects/TARGET")
    assert site.ask("POST", uri, action="move", newProject="NONE").status_code == 403
    moved = site.ask("POST", uri, action="move", newProject="TARGET")
    assert moved.status_code == 301
    assert moved.text == uri.replace(PROJECT, "TARGET")
    assert site.status(moved.text) == "RECEIVING"
    assert site.rows(uri) == []
    assert site.ask("POST", moved.text, action="build").status_code == 200


# deleting, §9


def test_delete_says_200_to_everything(site: Site) -> None:
    uri = site.built()
    answer = site.ask("DELETE", uri)
    assert (answer.status_code, answer.content) == (200, b"")
    assert site.rows(uri) == []
    assert site.files() == []
    assert site.ask("DELETE", uri).status_code == 200


def test_a_locked_session_is_not_deleted(site: Site) -> None:
    uri = site.sent()
    arrived = site.settings.breakpoints.close("build")
    work = threading.Thread(target=site.ask, args=("POST", uri), kwargs={"action": "build"})
    work.start()
    assert arrived.wait(10)
    assert site.session.delete(site.server.url + uri, timeout=30).status_code == 200
    assert site.status(uri) == "_BUILDING"
    site.settings.breakpoints.open("build")
    work.join(10)
    assert site.status(uri) == "READY"


def test_the_deleting_service_queues(site: Site) -> None:
    uris = [site.sent(), site.sent(session="E2", EXPT_LABEL="E2")]
    answer = site.ask("POST", "/data/services/prearchive/delete", src=[uri.removeprefix("/data") for uri in uris])
    assert [row["name"] for row in answer.json()["ResultSet"]["Result"]] == ["E1", "E2"]
    for _ in range(1000):
        if not site.rows(LIST):
            break
        threading.Event().wait(0.01)
    assert site.rows(LIST) == []
    assert site.ask("POST", "/data/services/prearchive/delete", src="/nonsense").status_code == 500
    nowhere = "/prearchive/projects/NONE/20240131_101112123/E1"
    assert site.ask("POST", "/data/services/prearchive/delete", src=nowhere).status_code == 404
    uri = site.sent()
    site.server.add_user("reader", "p", {PROJECT: "Collaborators"})
    url = f"{site.server.url}/data/services/prearchive/delete?src={uri.removeprefix('/data')}"
    assert requests.post(url, auth=("reader", "p"), timeout=30).status_code == 403
    assert site.status(uri) == "RECEIVING"


# idle sessions, §7.3


def test_idle_sessions_are_built_and_archived(tmp_path: Path) -> None:
    with Site(tmp_path, code=4) as site:
        uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN).text.strip()
        site.server.advance(minutes=4.9)
        assert site.status(uri) == "RECEIVING"
        site.server.advance(minutes=0.2)
        assert site.status(uri) == ""
        assert [row["label"] for row in site.rows(f"/data/projects/{PROJECT}/experiments")] == ["E1"]


def test_idle_sessions_wait_for_their_turn(tmp_path: Path) -> None:
    with Site(tmp_path, code=4) as site:
        uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN).text.strip()
        breakpoints, work = site.settings.breakpoints, threading.Thread(target=site.server.advance, args=(6,))
        queued, building = breakpoints.close("queue"), breakpoints.close("build")
        work.start()
        assert queued.wait(10)
        assert site.status(uri) == "QUEUED_BUILDING"
        breakpoints.open("queue")
        assert building.wait(10)
        queued = breakpoints.close("queue")
        breakpoints.open("build")
        assert queued.wait(10)
        assert site.status(uri) == "QUEUED_ARCHIVING"
        breakpoints.open("queue")
        work.join(10)
        assert site.status(uri) == ""


def test_what_arrives_takes_a_session_out_of_the_queue(tmp_path: Path) -> None:
    with Site(tmp_path, code=4) as site:
        uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN).text.strip()
        arrived, work = (
            site.settings.breakpoints.close("queue"),
            threading.Thread(target=site.server.advance, args=(6,)),
        )
        work.start()
        assert arrived.wait(10)
        assert site.upload(zipped({"2.dcm": dicom(2)}), PLAIN).text.strip() == uri
        site.settings.breakpoints.open("queue")
        work.join(10)
        assert site.status(uri) == "RECEIVING"


def test_idle_sessions_of_manual_projects_are_only_built(site: Site) -> None:
    uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN).text.strip()
    site.server.advance(minutes=6)
    assert site.status(uri) == "READY"
    site.ask("PUT", f"/data/projects/{PROJECT}/prearchive_code/4")
    site.server.advance(minutes=60)
    assert site.status(uri) == "READY"  # nobody looks at it again


@pytest.mark.parametrize("more", [{"prevent_auto_commit": "true"}, {"SOURCE": "uploader"}])
def test_what_keeps_a_session_from_being_committed(tmp_path: Path, more: dict[str, str]) -> None:
    with Site(tmp_path, code=4) as site:
        uri = site.upload(zipped({"1.dcm": dicom()}), PLAIN, **more).text.strip()
        site.server.advance(minutes=60)
        assert site.status(uri) == "RECEIVING"


@pytest.mark.parametrize(("code", "status"), [(4, "CONFLICT"), (5, "")])
def test_idle_sessions_meet_what_is_archived(tmp_path: Path, code: int, status: str) -> None:
    with Site(tmp_path, code=code) as site:
        body = zipped({"1.dcm": dicom()})
        site.upload(body, PLAIN)
        site.server.advance(minutes=6)
        second = site.upload(body, PLAIN).text.strip()
        site.server.advance(minutes=6)
        assert site.status(second) == status


def test_work_that_a_restart_broke_off_shows_as_error(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        uri = site.sent()
        row = site.server.parts.prearchive.list_all()[0]
        site.server.parts.prearchive.lock(row, "ARCHIVING")
        assert site.status(uri) == "_ARCHIVING"
    with XnatServer(tmp_path) as again:
        [row] = again.parts.prearchive.list_all()
        assert row.status == "ERROR"


def test_the_files_of_a_session_come_as_zip(site: Site) -> None:
    uri = site.built()
    answer = site.ask("GET", uri, format="zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.content.startswith(b"PK\3\4")
    assert site.ask("GET", uri, format="csv").status_code == 400


def test_pixels_are_those_that_were_sent(site: Site) -> None:
    site.sent({"1.dcm": dicom(size=4096)})
    [path] = (site.directory / "prearchive").rglob("*.dcm")
    assert pydicom.dcmread(path).PixelData == bytes(step % 251 for step in range(4096))
