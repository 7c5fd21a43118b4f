"""JSON lines of real runs, beside report.json; what stands on stdout and stderr then."""

import json
from pathlib import Path
from typing import Any

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, ONE_SERIES, Done, download, quick


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def assert_agrees(found: list[dict[str, Any]], done: Done) -> None:
    settled = {event["series"]: event for event in found if event["event"] == "series_settled"}
    rows = {row["SeriesInstanceUID"]: row for row in done.report["series"]}
    assert settled.keys() == rows.keys()
    for uid, event in settled.items():
        row = rows[uid]
        assert event["state"] == row["state"]
        assert event["study"] == row["StudyInstanceUID"]
        assert event["session"] == row["session"]
        assert event.get("bytes", 0) == row["bytes"]
        assert event.get("error", {}).get("message", "") == row["reason"]
    assert (found[-1]["event"], found[-1]["exit_code"]) == ("ended", done.code)
    assert found[-1]["verdict"] == done.report["verdict"]


def test_a_log_file_of_two_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first = download(sandbox, ONE_PATIENT, tmp_path / "out", "LOGGED", "--log-json", str(log), *quick())
    assert "All 8 series are in the archive" in first.out
    found = events(log.read_text())
    assert_agrees(found, first)
    names = [event["event"] for event in found if event["event"] != "noted"]
    assert names[:2] == ["lists_read", "planned"]
    read: dict[str, object] = {"lines": 8, "entries": 8, "series": 8}
    read |= {
        "text": f"{ONE_PATIENT.name}: 8 lines, 8 series",
        "file": ONE_PATIENT.name,
        "kind": "series",
    }
    assert found[0]["lists"] == [read]
    (asked,) = first.report["asked"]
    assert asked["read"] == [read | {"sheet": "", "column": ""}]
    assert (names.count("series_imported"), names.count("session_archived")) == (8, 3)
    second = download(sandbox, ONE_PATIENT, tmp_path / "out", "LOGGED", "--log-json", str(log), *quick())
    assert_agrees(events(log.read_text())[len(found) :], second)


def test_events_own_stdout_and_the_result_goes_to_stderr(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.idc_faults.add(Fault("list-type=2", faults.answer(500, "broken"), times=None))
    sandbox.nbia_faults.add(Fault("getImage", faults.answer(400, "no"), times=None))
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "STREAM", "--log-json", "-", *quick())
    assert done.code == 3
    found = events(done.out)
    assert_agrees(found, done)
    retries = [event for event in found if event["event"] == "retrying"]
    assert {event["attempt"] for event in retries} == {1, 2}
    assert {event["series"] for event in retries} == {event["series"] for event in found if "state" in event}
    assert all(event["error"]["kind"] == "SourceUnreachable" for event in retries)
    failed = [event for event in found if event.get("state") == "failed"]
    assert len(failed) == 8
    assert all({"kind", "message", "hint"} == event["error"].keys() for event in failed)
    assert "0 of 8 series are in the archive; 8 failed." in done.err


def test_debug_tells_steps_and_retries_and_no_secret(sandbox: Sandbox, tmp_path: Path) -> None:
    password = "s3cret" + "-of-debug"
    sandbox.xnat.add_user("debugger", password)
    sandbox.idc_faults.add(Fault(r"\.dcm", faults.answer(503, "Slow Down"), times=2))
    changed = {"XNAT_USER": "debugger", "XNAT_PASS": password}
    log = tmp_path / "log.jsonl"
    done = download(
        sandbox, ONE_SERIES, tmp_path / "out", "DEBUG", "--debug", "--log-json", str(log), *quick(), **changed
    )
    assert done.code == 0
    for words in ("from IDC", "3 images proved", ": build", ": archive", ": confirm", "Slow Down", "try 2 of 1.3.6"):
        assert words in done.err, done.err
    names = {event["event"] for event in events(log.read_text())}
    assert {"series_started", "series_proved", "session_step", "retrying"} <= names
    assert password not in done.out + done.err + log.read_text()


def test_quiet_still_logs(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "QUIET", "--quiet", "--log-json", "-", *quick())
    assert_agrees(events(done.out), done)
    assert "archived MSB" not in done.err


def test_a_login_that_is_refused_is_in_the_log(sandbox: Sandbox, tmp_path: Path) -> None:
    changed = {"XNAT_PASS": "wrong"}
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "REFUSED", "--log-json", "-", **changed)
    read, ended = events(done.out)
    assert read["event"] == "lists_read"
    assert (done.code, ended["exit_code"], ended["error"]["kind"]) == (5, 5, "LoginRefused")


def test_a_log_that_cannot_be_written_ends_with_2(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NOWHERE", "--log-json", str(tmp_path / "no" / "log"))
    assert done.code == 2
    assert "cannot be written" in done.err
