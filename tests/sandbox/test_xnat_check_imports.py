"""Imports into archive and prearchive, by the numbers of xnat-rest-tests.md §2."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.sandbox.xnat_case import EXPERIMENTS, PROJECT, Site, counts, dicom, message, of_series, scans, zipped

ARCHIVE = f"/archive/projects/{PROJECT}"
PREARCHIVE = f"/prearchive/projects/{PROJECT}"
ZIP = {"import-handler": "DICOM-zip"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def sent(site: Site, files: Mapping[str, bytes], **query: str) -> tuple[int, str]:
    answer = site.upload(zipped(files), ZIP, **query)
    return answer.status_code, answer.text.strip()


@pytest.mark.parametrize(
    ("check", "query", "subject", "session"),
    [
        (59, {"dest": ARCHIVE}, "TCIA_Name", "TCIA-1"),
        (60, {"dest": f"{ARCHIVE}/subjects/S"}, "S", "TCIA-1"),
        (61, {"dest": f"{ARCHIVE}/subjects/S/experiments/E"}, "S", "E"),
        (
            62,
            {"dest": "/archive", "project": PROJECT, "subject": "S", "session": "E", "overwrite": "append"},
            "S",
            "E",
        ),
    ],
    ids=lambda value: f"check_{value:03}" if isinstance(value, int) else "",
)
def test_checks_of_labels(site: Site, check: int, query: dict[str, str], subject: str, session: str) -> None:
    status, uri = sent(site, of_series(3, 2), **query)
    assert (status, uri) == (200, f"/data{ARCHIVE}/subjects/{subject}/experiments/{session}"), check
    assert sorted(path.name for path in (site.directory / "archive").rglob("*.dcm")) == ["3-1.dcm", "3-2.dcm"]


@pytest.mark.parametrize(
    ("check", "query", "status"),
    [
        (66, {}, 400),
        (67, {"overwrite": "append"}, 400),
        (68, {"overwrite": "append", "overwrite_files": "true"}, 200),
        (69, {"overwrite": "delete"}, 200),
    ],
    ids=lambda value: f"check_{value:03}" if isinstance(value, int) and value < 100 else "",
)
def test_checks_of_the_same_zip_again(site: Site, check: int, query: dict[str, str], status: int) -> None:
    assert sent(site, of_series(3, 6), dest=ARCHIVE)[0] == 200
    assert sent(site, of_series(3, 6), dest=ARCHIVE, **query)[0] == status, check
    assert counts(site) == {"3": "6"}


@pytest.mark.parametrize(
    ("first", "overwrite", "status", "count"),
    [
        pytest.param(5, "append", 200, 16, id="check_070"),
        pytest.param(6, "delete", 200, 16, id="check_071"),
        pytest.param(6, "append", 400, 6, id="check_072"),
    ],
)
def test_checks_of_a_scan_in_two_parts(site: Site, first: int, overwrite: str, status: int, count: int) -> None:
    files = of_series(3, 16)
    later = dict(list(files.items())[5:])
    assert sent(site, dict(list(files.items())[:first]), dest=ARCHIVE)[0] == 200
    assert sent(site, later, dest=ARCHIVE, overwrite=overwrite)[0] == status
    assert counts(site) == {"3": str(count)}


def test_check_076_077_a_session_that_grows(site: Site) -> None:
    first, second = (sent(site, of_series(number, 2), dest=PREARCHIVE) for number in (3, 5))
    assert first == second
    uri = first[1]
    committed = site.ask("POST", uri, action="commit")
    assert (committed.status_code, committed.text.strip()) == (200, uri)
    assert site.ask("GET", f"{uri}/scans/5/resources/DICOM/files/5-1.dcm").content[128:132] == b"DICM"
    archived = site.ask("POST", uri, action="commit", AA="true")
    assert archived.status_code == 301
    assert archived.text.startswith("/data/archive")
    assert counts(site) == {"3": "2", "5": "2"}


def test_check_078_unassigned_moved_and_archived(site: Site) -> None:
    status, uri = sent(site, of_series(3), dest="/prearchive")
    assert (status, uri.split("/")[4]) == (200, "Unassigned")
    assert site.ask("POST", uri, action="build").status_code == 200
    moved = site.ask("POST", uri, action="move", newProject=PROJECT)
    assert moved.status_code == 301
    assert site.ask("POST", moved.text.strip(), action="commit", AA="true").status_code == 301
    assert counts(site) == {"3": "1"}


def test_check_079_a_second_scan(site: Site) -> None:
    sent(site, of_series(3, 2), dest=ARCHIVE)
    before = {path.name: path.read_bytes() for path in (site.directory / "archive").rglob("*.dcm")}
    assert sent(site, of_series(5), dest=ARCHIVE, overwrite="append")[0] == 200
    after = {path.name: path.read_bytes() for path in (site.directory / "archive").rglob("*.dcm")}
    assert {name: after[name] for name in before} == before
    assert list(scans(site)) == ["3", "5"]


def test_check_080_a_listener(site: Site) -> None:
    query = {"project": PROJECT, "subject": "S", "session": "E", "action": "commit", "http-session-listener": "7"}
    assert sent(site, of_series(3), **query)[0] == 200
    [messages] = site.ask("GET", "/data/status/7", format="json").json()["msgs"]
    assert messages[-1]["status"] == "COMPLETED"


@pytest.mark.parametrize(("ignore", "status"), [(None, 400), ("false", 400), ("true", 200)])
def test_check_082_to_084_a_text_in_the_zip(site: Site, ignore: str | None, status: int) -> None:
    files = of_series(3, 6) | {"words.txt": b"words"}
    query = {"Ignore-Unparsable": ignore} if ignore else {}
    answer = site.upload(zipped(files), ZIP, project=PROJECT, **query)
    assert answer.status_code == status
    if status == 400:
        assert message(answer) == "unable to read DICOM object words.txt"


def test_check_087_a_row_of_the_prearchive(site: Site) -> None:
    query = {"project": PROJECT, "subject": "S", "session": "E", "action": "commit", "overwrite": "append"}
    sent(site, of_series(3), **query)
    [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
    assert (row["subject"], row["name"], row["status"]) == ("S", "E", "READY")


def test_check_089_archived_under_the_labels_of_dicom(site: Site) -> None:
    uri = sent(site, of_series(3, 2), dest=PREARCHIVE)[1]
    assert site.archive(uri, overwrite="append").status_code == 200
    [row] = site.rows(EXPERIMENTS, columns="label,subject_label")
    assert (row["label"], row["subject_label"]) == ("TCIA-1", "TCIA_Name")


def test_check_118_logs(site: Site) -> None:
    site.archived({"1.dcm": dicom()})
    uri = site.built({"1.dcm": dicom()})
    site.archive(uri)
    assert all("entry" in row for row in site.rows(f"{uri}/logs"))


NAMES = ("ID", "name", "secondary_ID", "alias")


@pytest.mark.parametrize(("kept", "asked"), list(product(NAMES, NAMES)))
def test_checks_013_to_028_names_that_are_taken(site: Site, kept: str, asked: str) -> None:
    first = {"ID": "First", "name": "First title", "secondary_ID": "First second", "alias": "first_alias"}
    fields = {key: value for key, value in first.items() if key != "ID"}
    assert site.ask("PUT", "/data/projects/First", **fields, req_format="qs").status_code == 200
    taken = first[kept].upper()
    path = f"/data/projects/{taken if asked == 'ID' else 'OTHER'}"
    answer = site.ask("PUT", path, req_format="qs", **({} if asked == "ID" else {asked: taken}))
    assert answer.status_code in {403, 409} or (answer.status_code == 417 and " " in taken)
