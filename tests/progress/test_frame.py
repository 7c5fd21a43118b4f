"""One frame: any text at any width, and numbers that are right at any moment."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tcia_xnat.console.sanitize import harmless, one_line
from tcia_xnat.core.errors import SourceUnreachable
from tcia_xnat.core.events import (
    BytesArrived,
    Ended,
    Event,
    Planned,
    Retrying,
    SeriesImported,
    SeriesLeft,
    SeriesProved,
    SeriesSettled,
    SeriesStarted,
    SessionArchived,
    SessionStep,
)
from tcia_xnat.core.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.progress.frame import fit, frame
from tcia_xnat.progress.standing import Standing

LABEL = Label("P", "P_01")
MB = 1_000_000
ANY = st.text(max_size=80)


def series(number: int, size: int = 10 * MB, **more: str) -> Series:
    return Series(f"1.{number}", "1", more.pop("patient_id", "P"), byte_count=size, **more)  # type: ignore[arg-type]


def started(one: Series) -> SeriesStarted:
    return SeriesStarted(one, LABEL, SourceName.IDC)


def imported(one: Series) -> SeriesImported:
    return SeriesImported(one, LABEL, SourceName.IDC, 1, one.byte_count, 1.0)


def failed(one: Series) -> SeriesSettled:
    return SeriesSettled(Outcome(one.series_instance_uid, State.FAILED, LABEL, reason="no"))


def standing(*events: Event | float, count: int = 4, size: int = 40 * MB) -> tuple[Standing, float]:
    """Return a run to which these things happened; a number lets so many seconds pass."""
    made, now = Standing(0.0), 0.0
    sizes = {f"1.{number}": size // count for number in range(1, count + 1)}
    made.take(Planned(count, size, sizes), now)
    for event in events:
        if isinstance(event, float):
            for _ in range(int(event)):
                now += 1
                made.sample(now)
        else:
            made.take(event, now)
    return made, now


@settings(max_examples=200)
@given(texts=st.tuples(ANY, ANY, ANY, ANY), width=st.integers(1, 250), height=st.integers(1, 60))
def test_any_text_fits_any_terminal(texts: tuple[str, str, str, str], width: int, height: int) -> None:
    patient, description, modality, reason = texts
    lanes = [series(n, patient_id=patient, series_description=description, modality=modality) for n in range(12)]
    told, now = standing(
        *map(started, lanes), SeriesProved(lanes[0], LABEL, SourceName.IDC, 1, 1), SessionStep(LABEL, "build"),
        Retrying(SourceUnreachable(reason), 2.0), 3.0,
    )  # fmt: skip
    shown = frame(told, width, height, now).plain
    lines = shown.split("\n")
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) <= max(height, 6)
    assert harmless(shown) == shown


@given(text=ANY, width=st.integers(0, 60))
def test_fit_is_exact(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


def test_what_terminals_obey_is_dropped() -> None:
    assert one_line("a\x1b[31m\r\n\tb\x07\u202ec\ud800\x9b\u2028d") == "a[31m bc d"


def test_before_the_plan_there_is_no_number() -> None:
    assert frame(Standing(0.0), 80, 24, 65.0).plain.strip() == "planning … 1:05"


def test_bytes_rate_and_time_left() -> None:
    steps: list[Event | float] = [BytesArrived(series(1), MB), 1.0]
    told, now = standing(started(series(1)), 1.0, *steps * 5)
    assert (told.moved_bytes, round(told.rate(now) / MB, 1)) == (5 * MB, 0.8)
    assert 40 < (told.seconds_left(now) or 0) < 50
    assert re.search(r" 12 % +5\.0 MB of 40\.0 MB +833\.3 kB/s +0:4\d left", frame(told, 100, 24, now).plain)


def test_what_was_there_before_does_not_make_the_run_look_fast() -> None:
    there = [SeriesSettled(Outcome(f"2.{n}", State.PRESENT, LABEL, byte_count=10**12)) for n in range(1000)]
    quiet = standing(started(series(1)), BytesArrived(series(1), MB), 2.0)
    busy = standing(*there, started(series(1)), BytesArrived(series(1), MB), 2.0)
    assert quiet[0].seconds_left(2.0) == busy[0].seconds_left(2.0)
    assert frame(busy[0], 80, 24, 2.0).plain == frame(quiet[0], 80, 24, 2.0).plain


def test_bytes_that_come_twice_count_once() -> None:
    one = series(1)
    told, _ = standing(started(one), *[BytesArrived(one, 8 * MB)] * 3, started(one), BytesArrived(one, MB))
    assert told.moved_bytes == 10 * MB
    told, _ = standing(started(one), BytesArrived(one, MB), imported(one), started(one), imported(one))
    assert (told.moved_bytes, told.done_count) == (10 * MB, 1)


def test_a_failure_takes_its_bytes_out_of_the_time_left() -> None:
    one, two = series(1), series(2)
    told, now = standing(started(one), started(two), BytesArrived(one, 5 * MB), 5.0, failed(two), count=2, size=20 * MB)
    assert (told.failed_count, told.done_count, told.lost_bytes) == (1, 1, 10 * MB)
    assert round(told.seconds_left(now) or 0) == 5
    assert "1 failed" in frame(told, 80, 24, now).plain


def test_a_lane_that_is_through_makes_room_before_its_outcome_is_told() -> None:
    told, now = standing(started(series(1)), SeriesLeft(series(1)), started(series(2, series_description="next")))
    assert [line for line in frame(told, 80, 24, now).plain.splitlines()[2:] if "next" not in line] == []
    told.take(failed(series(1)), now)
    assert (told.lost_bytes, told.done_count) == (10 * MB, 1)


def test_a_lane_keeps_its_line() -> None:
    lanes = [series(n, series_description=f"number {n}") for n in range(1, 5)]
    told, now = standing(*map(started, lanes[:3]), imported(lanes[0]), started(lanes[3]))
    lines = frame(told, 100, 24, now).plain.splitlines()[2:]
    assert [re.findall(r"number \d", line)[0] for line in lines] == ["number 4", "number 2", "number 3"]


def test_sessions_and_the_end() -> None:
    told, now = standing(started(series(1)), SessionStep(LABEL, "archive"))
    assert "archiving P_01" in frame(told, 80, 24, now).plain
    told.take(SessionArchived(LABEL, "/x", 1), now)
    told.take(Ended(0), now + 61)
    assert frame(told, 80, 24, now + 61).plain.splitlines()[0].strip() == "0 of 4 series · 1 session archived"
    assert "in 1:01" in frame(told, 80, 24, now + 61).plain


def test_a_series_that_nobody_offers_is_one_of_those_asked_for() -> None:
    gone = Series("9.9", "9", "P")
    told, now = standing(failed(gone), *(imported(series(n)) for n in range(1, 5)))
    assert frame(told, 80, 24, now).plain.splitlines()[0].strip() == "5 of 5 series · 1 failed"


def test_a_retry_is_gone_when_the_run_is_over() -> None:
    told, now = standing(started(series(1)), Retrying(SourceUnreachable("broken disk"), 2.0), Ended(0))
    assert "again in" not in frame(told, 80, 24, now).plain


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_series_without_a_description_is_told_by_the_end_of_its_uid(width: int) -> None:
    uid = "1.3.6.1.4.1.14519.5.2.1.1382242768735331023583805391155673.94272"
    told, now = standing(started(Series(uid, "1", "P", modality="CT", byte_count=MB)))
    shown = frame(told, width, 24, now).plain
    assert "394272"[1:] in shown
    assert (uid in shown) is (width == 200)
