"""Bytes over time by source, and seconds by step."""

from tcia_xnat.core.errors import SourceUnreachable
from tcia_xnat.core.events import BytesArrived, Retrying, SeriesStarted, Step, StepDone
from tcia_xnat.core.metrics import Spent, Timeline
from tcia_xnat.core.model import Label, SourceName
from tests.report.case import series


class Clock:
    """A clock that is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_bytes_are_counted_in_the_second_in_which_they_arrive() -> None:
    clock = Clock()
    timeline = Timeline(clock)
    for number, source in enumerate((SourceName.IDC, SourceName.NBIA)):
        timeline(SeriesStarted(series(number), Label("S", "S"), source))
    for after, number, count in ((0.1, 0, 10), (0.9, 0, 5), (2.0, 1, 7), (3.5, 0, 1)):
        clock.now = 100 + after
        timeline(BytesArrived(series(number), count))
    measured = timeline.measured()
    assert measured.bin_seconds == 1
    assert measured.arrived == {SourceName.IDC: (15, 0, 0, 1), SourceName.NBIA: (0, 0, 7, 0)}


def test_a_series_that_comes_from_another_source_counts_there() -> None:
    timeline = Timeline(Clock())
    for source in (SourceName.IDC, SourceName.NBIA):
        timeline(SeriesStarted(series(1), Label("S", "S"), source))
        timeline(BytesArrived(series(1), 3))
    assert timeline.measured().arrived == {SourceName.IDC: (3,), SourceName.NBIA: (3,)}


def test_a_run_of_days_stays_a_few_hundred_numbers_and_loses_no_byte() -> None:
    clock = Clock()
    timeline = Timeline(clock)
    timeline(SeriesStarted(series(1), Label("S", "S"), SourceName.IDC))
    for minute in range(3000):
        clock.now = 100 + 60 * minute
        timeline(BytesArrived(series(1), 2))
    measured = timeline.measured()
    (counts,) = measured.arrived.values()
    assert sum(counts) == 6000
    assert measured.bin_seconds == 1024
    assert len(counts) == 3000 * 60 // 1024 + 1


def test_steps_add_up_and_pauses_are_one_of_them() -> None:
    timeline = Timeline()
    for seconds in (1.0, 3.0):
        timeline(StepDone(Step.FETCH, seconds))
    timeline(Retrying(SourceUnreachable("no"), 2.5))
    assert timeline.measured().steps == {Step.FETCH: Spent(2, 4.0, 3.0), Step.PAUSE: Spent(1, 2.5, 2.5)}
