"""What a run decides: when a study is archived, what is sent again, what is held, and how it ends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import (
    Error,
    SeriesIncomplete,
    SeriesUnavailable,
    SourceUnreachable,
    SpaceError,
    Stopped,
    XnatUnreachable,
)
from tcia_xnat.core.events import Event, SessionArchived
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.planning.plan import Plan, StudyPlan
from tcia_xnat.transfer.ledger import Ledger
from tcia_xnat.transfer.scheduler import TransferResult, transfer
from tcia_xnat.transfer.worker import NotSent, Sent
from tests.fakes import FakeLane, FakeXnat, series

LABEL = Label("PAT", "PAT_1.2")
ONE, TWO = series(1), series(2)


@dataclass
class Losing(FakeXnat):
    """An XNAT that loses images on their way into the archive.

    Attributes
    ----------
    losses
        How many images of each series its next archivings lose.
    """

    losses: list[int] = field(default_factory=list)

    def archive(self, url: str, label: Label, *, overwrite: bool, note: str = "") -> None:
        lost = self.losses.pop(0) if self.losses else 0
        for scan, sops in self.waiting[url].images.items():
            self.waiting[url].images[scan] = set(sorted(sops)[lost:])
        if overwrite:
            self.archived.pop(label, None)
        super().archive(url, label, overwrite=overwrite, note=note)


def run(
    folder: Path, lane: FakeLane, *members: Series, archive: bool = True, settled: Iterable[Outcome] = ()
) -> tuple[TransferResult, list[Event]]:
    told: list[Event] = []
    plan = Plan((StudyPlan("1.2", LABEL, members),), tuple(settled))
    with Ledger(folder / "ledger.sqlite", "http://xnat", "P1") as ledger:
        return transfer(plan, lane.as_lane, ledger, told.append, Stop(), transfers=2, archive=archive), told


def states(result: TransferResult) -> Mapping[str, State]:
    return {one.series_instance_uid: one.state for one in result.outcomes}


def test_a_study_is_archived_once_when_all_of_its_series_are_in(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat())
    result, told = run(tmp_path, lane, ONE, TWO)
    assert set(states(result).values()) == {State.ARCHIVED}
    assert lane.xnat.calls.count("archive") == 1
    assert [event for event in told if isinstance(event, SessionArchived)] == [
        SessionArchived(LABEL, lane.xnat.experiment_uri(LABEL), 2)
    ]


@pytest.mark.parametrize("error", [SeriesIncomplete("2 of 3"), SourceUnreachable("503")])
def test_a_study_is_not_archived_as_long_as_a_series_of_it_may_come(tmp_path: Path, error: Error) -> None:
    lane = FakeLane(FakeXnat(), {"1.2.2": error})
    result, _ = run(tmp_path, lane, ONE, TWO)
    assert states(result) == {"1.2.1": State.HELD, "1.2.2": State.FAILED}
    assert "waits in the prearchive for 1 series of its study" in {one.reason for one in result.outcomes}
    assert "archive" not in lane.xnat.calls


def test_a_study_does_not_wait_for_what_nobody_offers(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(), {"1.2.2": SeriesUnavailable("gone")})
    result, _ = run(tmp_path, lane, ONE, TWO)
    assert states(result) == {"1.2.1": State.ARCHIVED, "1.2.2": State.UNAVAILABLE}


def test_what_is_left_in_the_prearchive_as_asked_is_held_and_not_sent_again(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat())
    result, _ = run(tmp_path, lane, ONE, archive=False)
    (outcome,) = result.outcomes
    assert (outcome.state, outcome.reason) == (State.HELD, "left in the prearchive as asked")
    assert "without --no-archive" in outcome.hint
    assert lane.sent == ["1.2.1"]


@pytest.mark.parametrize(
    ("losses", "sends", "state"),
    [
        ([0], 1, State.ARCHIVED),
        ([1], 2, State.ARCHIVED),
        ([2, 1], 3, State.ARCHIVED),
        ([2, 1, 2], 3, State.FAILED),  # twice is enough
        ([1, 1], 2, State.FAILED),  # the same way twice: XNAT leaves it out
    ],
)
def test_what_xnat_has_lost_is_sent_again_twice_and_not_for_ever(
    tmp_path: Path, losses: list[int], sends: int, state: State
) -> None:
    lane = FakeLane(Losing(losses=list(losses)))
    result, _ = run(tmp_path, lane, ONE)
    assert states(result) == {"1.2.1": state}
    assert lane.sent == ["1.2.1"] * sends


def test_only_what_was_lost_is_sent_again(tmp_path: Path) -> None:
    class LosingOne(FakeXnat):
        def archive(self, url: str, label: Label, *, overwrite: bool, note: str = "") -> None:
            if self.calls.count("archive") == 0:
                self.waiting[url].images["2"].pop()
            super().archive(url, label, overwrite=overwrite, note=note)

    lane = FakeLane(LosingOne())
    result, _ = run(tmp_path, lane, ONE, TWO)
    assert set(states(result).values()) == {State.ARCHIVED}
    assert sorted(lane.sent) == ["1.2.1", "1.2.2", "1.2.2"]


def test_what_is_settled_before_stays_as_it_is(tmp_path: Path) -> None:
    before = Outcome("1.2.9", State.PRESENT)
    result, _ = run(tmp_path, FakeLane(FakeXnat()), ONE, settled=[before])
    assert before in result.outcomes
    assert states(result) == {"1.2.1": State.ARCHIVED, "1.2.9": State.PRESENT}


@pytest.mark.parametrize("error", [SpaceError("full"), XnatUnreachable("no answer"), Stopped(143)])
def test_an_error_that_ends_the_run_settles_every_series(tmp_path: Path, error: Error) -> None:
    class Broken(FakeLane):
        def run(self, series: Series, label: Label) -> Sent | NotSent:
            del series, label
            raise error

    result, _ = run(tmp_path, Broken(FakeXnat()), ONE, TWO)
    assert result.ended_by is error
    assert set(states(result)) == {"1.2.1", "1.2.2"}
    assert not any(state.is_in for state in states(result).values())
    assert {one.reason for one in result.outcomes} == {str(error)}


def test_the_ledger_remembers_what_waits_and_forgets_what_is_archived(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(), {"1.2.2": SeriesIncomplete("2 of 3")})
    run(tmp_path, lane, ONE, TWO)
    with Ledger(tmp_path / "ledger.sqlite", "http://xnat", "P1") as ledger:
        assert [entry.series_instance_uid for entry in ledger.imported()] == ["1.2.1"]
    run(tmp_path, FakeLane(FakeXnat()), ONE)
    with Ledger(tmp_path / "ledger.sqlite", "http://xnat", "P1") as ledger:
        assert not list(ledger.imported())
