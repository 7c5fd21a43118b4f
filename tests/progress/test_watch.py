"""Telling never waits; what is shown is what was told; a stream that is gone is left alone."""

import io
import json
import os
import threading
import time
from pathlib import Path

import pytest

from tcia_xnat.console import terminal
from tcia_xnat.core.errors import LoginRefused, UsageError
from tcia_xnat.core.events import Ended, NotKept, Planned, Retrying, SeriesImported, SeriesSettled, SessionArchived
from tcia_xnat.core.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.progress import watch
from tcia_xnat.progress.json_lines import JsonLines
from tcia_xnat.progress.lines import Lines

LABEL = Label("MSB-01723", "MSB-01723_01")
ERROR = LoginRefused("no")


def test_telling_does_not_wait_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_CLOSE_SECONDS", 0.1)
    ours, theirs = os.pipe()
    with os.fdopen(ours, "r"), os.fdopen(theirs, "w") as full:
        began = time.monotonic()
        with watch.tell_all([Lines(terminal.line_writer(full), debug=True)]) as tell:
            for _ in range(20_000):
                tell(Retrying(ERROR, 1.0))
            told = time.monotonic() - began
        os.read(ours, 1 << 30)  # lets the thread go on, so that it ends with its pipe
        assert told < 5
        for thread in [one for one in threading.enumerate() if one.name == "progress"]:
            while thread.is_alive() and os.read(ours, 1 << 30):
                thread.join(0.01)


def test_a_reader_that_went_away_ends_only_its_own_lines() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    kept = io.StringIO()
    gone = os.fdopen(theirs, "w")
    with watch.tell_all([Lines(terminal.line_writer(gone)), Lines(terminal.line_writer(kept))]) as tell:
        for name in ("first", "second"):
            tell(NotKept(name, ERROR))
    with pytest.raises(BrokenPipeError):
        gone.close()
    assert kept.getvalue() == "first is not in XNAT: no\nsecond is not in XNAT: no\n"


def test_everything_told_by_many_threads_is_shown_once() -> None:
    shown = io.StringIO()
    with watch.tell_all([JsonLines(terminal.line_writer(shown))]) as tell:
        threads = [
            threading.Thread(target=lambda: [tell(NotKept(str(n), ERROR)) for n in range(500)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    files = [json.loads(line)["file"] for line in shown.getvalue().splitlines()]
    assert sorted(files) == sorted(str(n) for n in range(500) for _ in range(8))


def test_an_error_ends_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with pytest.raises(LoginRefused), watch.watch(quiet=True, log_json=str(log)):
        raise LoginRefused("wrong", "look again")
    (line,) = log.read_text().splitlines()
    found = json.loads(line)
    assert (found["event"], found["exit_code"]) == ("ended", 5)
    assert found["error"] == {"kind": "LoginRefused", "message": "wrong", "hint": "look again"}


def test_a_log_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), watch.watch(log_json=str(tmp_path / "no" / "log")):
        raise AssertionError


def test_retries_do_not_fill_a_log() -> None:
    shown: list[str] = []
    lines = Lines(shown.append)
    for _ in range(10_000):
        lines(Retrying(ERROR, 1.0))
    assert len(shown) == 1
    debug = Lines(shown.append, debug=True)
    for _ in range(10):
        debug(Retrying(ERROR, 1.0))
    assert len(shown) == 11


def test_ten_thousand_series_stay_below_five_megabytes() -> None:
    shown = io.StringIO()
    log = JsonLines(terminal.line_writer(shown))
    uids = [f"1.3.6.1.4.1.14519.5.2.1.{n:040}" for n in range(10_000)]
    log.show(Planned(10_000, 10**12, studies={uid: uid for uid in uids}), 0.0)
    for number, uid in enumerate(uids):
        one = Series(uid, uid, "MSB-01723")
        log.show(SeriesImported(one, LABEL, SourceName.NBIA, 1000, 10**9, 100.123), 1e9)
        log.show(SeriesSettled(Outcome(uid, State.ARCHIVED, LABEL, SourceName.NBIA, 1000, 10**9)), 1e9)
        if not number % 3:
            log.show(SessionArchived(LABEL, "/data/x", 3), 1e9)
    log.show(Ended(0, "all"), 1e9)
    assert len(uids[0]) == 64
    assert len(shown.getvalue()) < 5_000_000
    assert all(json.loads(line)["ts"].endswith("Z") for line in shown.getvalue().splitlines())


def test_half_a_minute_of_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    lines = Lines(shown.append)
    lines(Planned(3, 1000))
    lines.tick()
    assert not shown
    monkeypatch.setattr("tcia_xnat.progress.lines._QUIET_SECONDS", 0.0)
    lines.tick()
    assert shown == ["… 0 B of 1.0 kB arrived, 0 B/s"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_name_in_any_encoding(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="replace")
    name = "Мария [/b] 山田 \x1b[2J \U0001f9e0 …\u202e"
    terminal.console(stream, width=100).print(name)
    Lines(terminal.line_writer(stream))(NotKept(name, ERROR))
    stream.flush()
    for control in (b"\x1b", "\u202e".encode(), b"\x9b"):
        assert control not in raw.getvalue()
    assert raw.getvalue().count(b"[/b]") == 2
