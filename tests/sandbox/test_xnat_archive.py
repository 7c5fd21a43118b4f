"""Archiving and the archive: services/archive, conflicts, merges, queries (xnat-http.md §8, §10)."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.xnat import Settings
from tests.sandbox.xnat_case import (
    EXPERIMENTS,
    MODIFICATION,
    PROJECT,
    RECOMMENDED,
    SERIES,
    Site,
    message,
    of_series,
    refused,
    scans,
    zipped,
)

TARGET = f"/data/archive/projects/{PROJECT}/subjects/S1/experiments/E1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# the service, §8.1


def test_archive_answers_with_the_uri(site: Site) -> None:
    uri = site.built(of_series(3, 2))
    answer = site.archive(uri)
    assert (answer.status_code, answer.text) == (200, f"{TARGET}\r\n")
    assert answer.headers["Content-Type"].startswith("text/uri-list")
    assert site.rows(uri) == []
    assert scans(site) == {"3": SERIES}
    folder = site.directory / "archive" / PROJECT / "arc001" / "E1"
    assert len(list(folder.glob("SCANS/3/DICOM/*.dcm"))) == 2
    assert not list((site.directory / "prearchive").rglob("*.dcm"))


def test_archive_redirects_to_the_site_url(tmp_path: Path) -> None:
    with Site(tmp_path, Settings(site_url="https://xnat.example.org"), code=4) as site:
        answer = site.archive(site.built())
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"https://xnat.example.org{TARGET}"
        assert list(scans(site)) == ["3"]


def test_the_project_s_code_redirects_unless_told_otherwise(site: Site) -> None:
    first, second = site.built(), site.built(session="E2", EXPT_LABEL="E2")
    site.ask("PUT", f"/data/projects/{PROJECT}/prearchive_code/4")
    assert site.archive(first, **{"auto-archive": "false"}).status_code == 200
    assert site.archive(second, **{"auto-archive": "true"}).status_code == 303


def test_archive_redirects_when_asked_to(site: Site) -> None:
    assert site.archive(site.built(), redirect="true").status_code == 303


@pytest.mark.parametrize(
    ("src", "status", "text"),
    [
        (None, 404, "Unknown prearchive session."),
        ("/archive/projects/X", 400, "Invalid src URI (/archive/projects/X)"),
        (
            "/prearchive/projects/Unassigned/20240131_101112123/E1",
            400,
            "Cannot archive sessions from the Unassigned folder.",
        ),
        (
            f"/prearchive/projects/{PROJECT}/20240131_101112123/E1",
            404,
            f"/prearchive/projects/{PROJECT}/20240131_101112123/E1 not found.",
        ),
    ],
)
def test_sources_that_are_none(site: Site, src: str | None, status: int, text: str) -> None:
    answer = site.ask("POST", "/data/services/archive", **({"src": src} if src else {}))
    assert (answer.status_code, message(answer)) == (status, text)


def test_who_may_archive(site: Site) -> None:
    uri = site.built()
    site.server.add_user("reader", "p", {PROJECT: "Collaborators"})
    url = f"{site.server.url}/data/services/archive"
    answer = requests.post(url, params={"src": uri}, auth=("reader", "p"), timeout=30)
    assert (answer.status_code, message(answer)) == (403, "Invalid permissions for new project.")
    elsewhere = site.archive(uri, project="NONE")
    assert (elsewhere.status_code, message(elsewhere)) == (403, "Invalid permissions for new project.")
    assert site.status(uri) == "READY"


def test_only_administrators_archive_types_that_are_not_set_up(site: Site) -> None:
    site.settings.session_types = {"xnat:mrSessionData"}
    site.server.add_user("member", "p", {PROJECT: "Members"})
    uri = site.built()
    url = f"{site.server.url}/data/services/archive"
    answer = requests.post(url, params={"src": uri}, auth=("member", "p"), timeout=30)
    assert (answer.status_code, site.status(uri)) == (500, "ERROR")
    assert message(answer).startswith("FAILED: Unable to archive E1: Operation Failed: xnat:ctSessionData")
    names = {row["ELEMENT_NAME"] for row in site.rows("/data/search/elements")}
    assert "xnat:mrSessionData" in names
    assert "xnat:ctSessionData" not in names
    assert site.archive(uri).status_code == 200


def test_labels_may_be_given_again(site: Site) -> None:
    answer = site.archive(site.built(), subject="S 2", session="E.2")
    assert answer.text.strip() == f"/data/archive/projects/{PROJECT}/subjects/S_2/experiments/E_2"


def test_a_note_is_set_with_archiving_and_stays_without_another(site: Site) -> None:
    notes = []
    for number, note in enumerate(("one & two", "", "three"), 1):
        assert site.archive(site.built(of_series(number, 1)), **({"note": note} if note else {})).status_code == 200
        [row] = site.ask("GET", f"/data/projects/{PROJECT}/experiments", columns="ID,note").json()["ResultSet"][
            "Result"
        ]
        shown = site.ask("GET", f"/data/experiments/{row['ID']}", format="json").json()["items"][0]["data_fields"]
        notes.append((row["note"], shown["note"]))
    assert notes == [("one & two", "one & two"), ("one & two", "one & two"), ("three", "three")]


def test_a_session_that_was_never_built_cannot_be_archived(site: Site) -> None:
    uri = site.sent()
    answer = site.archive(uri)
    assert (answer.status_code, site.status(uri)) == (500, "ERROR")
    text = message(answer)
    assert text.startswith("FAILED: Unable to archive E1: java.io.FileNotFoundException: /")
    assert text.endswith("/E1.xml (No such file or directory)")
    assert site.ask("GET", f"{uri}/logs/last").text == text


def test_several_sources_are_queued(site: Site) -> None:
    uris = [site.built(of_series(3), session=name, EXPT_LABEL=name) for name in ("A", "B")]
    site.settings.breakpoints.close("queue")
    answer = site.ask("POST", "/data/services/archive", src=[uri.removeprefix("/data") for uri in uris])
    rows = answer.json()["ResultSet"]["Result"]
    assert [(row["name"], row["status"]) for row in rows] == [("A", "QUEUED_ARCHIVING"), ("B", "QUEUED_ARCHIVING")]
    site.settings.breakpoints.open("queue")
    for _ in range(1000):
        if not site.rows(f"/data/prearchive/projects/{PROJECT}"):
            break
        threading.Event().wait(0.01)
    assert sorted(row["label"] for row in site.rows(EXPERIMENTS)) == ["A", "B"]


# things that take time, §15.29


def start(site: Site, uri: str, answers: list[requests.Response]) -> threading.Thread:
    """Archive a session in the background and return when it is locked."""
    arrived = site.settings.breakpoints.close("archive")
    work = threading.Thread(target=lambda: answers.append(site.archive(uri)))
    work.start()
    assert arrived.wait(10)
    return work


def test_a_session_being_archived_is_locked(site: Site) -> None:
    uri, answers = site.built(), list[requests.Response]()
    work = start(site, uri, answers)
    assert site.status(uri) == "_ARCHIVING"
    second = site.archive(uri)
    assert (second.status_code, message(second)) == (403, "Operation already in progress on this prearchive entry.")
    site.settings.breakpoints.open("archive")
    work.join(10)
    assert answers[0].status_code == 200


def test_what_arrives_during_archiving_is_lost(site: Site) -> None:
    uri, answers = site.built(), list[requests.Response]()
    work = start(site, uri, answers)
    late = site.upload(zipped(of_series(5)), RECOMMENDED)
    assert (late.status_code, late.text.strip()) == (200, uri)
    assert site.status(uri) == "RECEIVING"
    site.settings.breakpoints.open("archive")
    work.join(10)
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []
    assert scans(site) == {"3": SERIES}


def test_the_target_of_a_running_archive_is_in_use(site: Site) -> None:
    site.archived()
    first = site.built(of_series(5))
    second = site.built(of_series(6, StudyInstanceUID="1.2.7"))
    parts = site.server.parts
    with parts.archiver._alone(("session", PROJECT, "e1"), ""):
        assert refused(site, first, "ERROR") == "Duplicate archive attempt.  Destination session in use."
    assert refused(site, second, "CONFLICT") == MODIFICATION.format("UID")


def test_archiving_that_takes_too_long_is_500_and_goes_on(site: Site) -> None:
    site.settings.session_archive_timeout = 0.05
    uri, answers = site.built(), list[requests.Response]()
    work = start(site, uri, answers)
    work.join(10)
    name = uri.removeprefix("/data/prearchive/projects/")
    assert answers[0].status_code == 500
    assert message(answers[0]) == f"The session {name} did not complete within the configured timeout interval."
    assert site.status(uri) == "_ARCHIVING"
    site.settings.breakpoints.open("archive")
    for _ in range(1000):
        if not site.status(uri):
            break
        threading.Event().wait(0.01)
    assert scans(site) == {"3": SERIES}


def test_archiving_may_be_slow(site: Site) -> None:
    site.settings.archive_seconds = 0.3
    begun = time.monotonic()
    assert site.archive(site.built()).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_failed_archive_may_leave_nothing_but_its_row(site: Site) -> None:
    site.settings.rolls_back_to_cache = True
    site.archived()
    uri = site.built()
    assert refused(site, uri, "CONFLICT") == "Session already exists with matching files."
    assert not list((site.directory / "prearchive").rglob("*.dcm"))
    again = site.archive(uri)
    assert (again.status_code, message(again)) == (404, f"{uri.removeprefix('/data')} not found.")
    assert site.ask("DELETE", uri).status_code == 200
    assert site.status(uri) == ""
