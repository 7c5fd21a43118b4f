"""Bad input: one line, a hint, the right exit code, and nothing changed."""

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ONE_SERIES, Done, download, projects, run

HEADER = "manifestVersion={}\nListOfSeriesToDownload=\n"
UID = "1.3.6.1.4.1.14519.5.2.1.1"

UNUSABLE = {
    "not a manifest": (b"\x89PNG\r\n\x1a\n\x00\x00", "is no manifest"),
    "a web page": (b"<html><body>404</body></html>", "no list of series"),
    "no series": (HEADER.format("3.0").encode(), "no series"),
    "empty": (b"", "no series"),
    "a UID that is none": (f"{HEADER.format('3.0')}{UID}\n1.2.x\n".encode(), "line 4"),
    "a table of studies": (f"study_instance_uid\n{UID}\n".encode(), "studies"),
    "a table of studies and more": (f"PatientID,StudyInstanceUID\nP1,{UID}\n".encode(), "studies"),
    "a table of something else": (f"uid,foo\n{UID},1\n".encode(), "no column SeriesInstanceUID; found: uid, foo"),
    "JSON of something else": (b'{"name": "tcia-ingest"}', "is JSON, but not a list of series"),
    "version 1": (b"manifestVersion=1.0\ndatabasketId=x.jnlp\n", "version 1"),
    "version 2": (b"manifestVersion=2.0\ndatabasketId=x.jnlp\n", "version 2"),
}


def assert_refused(done: Done, code: int, words: str) -> None:
    error, hint = done.err.splitlines()
    assert (done.code, done.out) == (code, "")
    assert error.startswith("error: ")
    assert words.lower() in error.lower()
    assert hint.startswith("hint: ")
    assert not done.report_dir.parent.exists()


def assert_ended_early(done: Done, code: int, words: str) -> None:
    """Assert that a run that could begin said what ended it, and left its report."""
    error, hint = done.err.splitlines()[-2:]
    assert (done.code, done.report["exit_code"]) == (code, code)
    assert error.startswith("error: ")
    assert words in error
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_manifest_that_cannot_be_used(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    content, words = UNUSABLE[name]
    listed = tmp_path / ("list.csv" if content.startswith(b"uid") else "list.tcia")
    listed.write_bytes(content)
    before = projects(sandbox)
    assert_refused(download(sandbox, listed, tmp_path / "out", "NEVER"), 2, words)
    assert projects(sandbox) == before


def test_no_such_manifest(sandbox: Sandbox, tmp_path: Path) -> None:
    assert_refused(download(sandbox, tmp_path / "nothing.tcia", tmp_path / "out", "NEVER"), 2, "no such manifest")


@pytest.mark.parametrize("project", ["two words", "a/b", "a.b", "", "ü", "a'b", "../x"])
def test_a_project_that_xnat_would_refuse(sandbox: Sandbox, tmp_path: Path, project: str) -> None:
    before = projects(sandbox)
    assert_refused(download(sandbox, ONE_SERIES, tmp_path / "out", project), 2, "project")
    assert projects(sandbox) == before


def test_no_xnat_host(sandbox: Sandbox, tmp_path: Path) -> None:
    assert_refused(download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", XNAT_HOST=""), 2, "no XNAT")


def test_no_password_and_nobody_to_ask(sandbox: Sandbox, tmp_path: Path) -> None:
    assert_refused(download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", XNAT_PASS=""), 2, "password")


def test_a_wrong_password(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = "wr0ng-" + "secret"
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", XNAT_PASS=wrong)
    assert_ended_early(done, 5, "login")
    assert wrong not in done.err


def test_an_xnat_that_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", XNAT_HOST="http://127.0.0.1:9")
    assert_ended_early(done, 5, "cannot be reached")


@pytest.mark.parametrize("option", [("--transfers", "0"), ("--shard", "3/3"), ("--shard", "x"), ("--source", "pacs")])
def test_options_out_of_range(sandbox: Sandbox, tmp_path: Path, option: tuple[str, str]) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", *option)
    assert done.code == 2
    assert not (tmp_path / "out").exists()


def test_a_project_that_is_not_to_be_created(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", "--no-create-project")
    assert_ended_early(done, 5, "project NEVER is not there")
    assert "NEVER" not in projects(sandbox)


def test_an_option_without_effect_is_refused_before_anything_happens(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", ONE_SERIES, tmp_path / "out", "--session-label", "{StudyDate}")
    assert_refused(done, 2, "--session-label has no effect on a run to disk")
    done = run(sandbox, tmp_path / "out", ONE_SERIES, tmp_path / "out", "--one-way")
    assert_refused(done, 2, "--one-way belongs to --verify")


def test_variables_may_be_set_for_other_runs_but_must_be_those_of_options(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", ONE_SERIES, "--dry-run", TCIA_XNAT_UPLOADS="3", TCIA_XNAT_TRANSFER="8")
    assert done.code == 0
    assert done.err.startswith("warning: no option has the variable TCIA_XNAT_TRANSFER; did you mean")


def test_a_project_that_is_created_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "NEWTYPO").mkdir()
    planned = run(sandbox, tmp_path / "out", ONE_SERIES, tmp_path / "out", "NEWTYPO", "--dry-run")
    assert "note: project NEWTYPO is not there: it will be created (private)" in planned.out
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEWTYPO")
    assert done.code == 0
    assert "project NEWTYPO: created (private); a folder here has that name: PROJECT comes after OUTPUT_DIR" in done.err
    again = download(sandbox, ONE_SERIES, tmp_path / "out", "NEWTYPO")
    assert "created" not in again.err


def test_arguments_in_the_wrong_order_are_recognized(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", ONE_SERIES, "PROJECT", tmp_path / "out")
    assert (done.code, done.err.splitlines()[1]) == (2, "hint: PROJECT comes after OUTPUT_DIR")
