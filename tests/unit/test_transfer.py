"""The run of a plan, its XNAT and its lanes handed in."""

from dataclasses import replace
from pathlib import Path

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import ArchiveConflict, XnatRefused
from tcia_xnat.core.events import Event, SeriesImported, Tell
from tcia_xnat.core.model import Label, Series, State
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.planning.plan import Plan, StudyPlan
from tcia_xnat.transfer.ledger import Ledger
from tcia_xnat.transfer.scheduler import TransferResult, transfer
from tests.fakes import QUICK, FakeLane, FakeXnat, Session, images, series

LABEL = Label("PAT", "PAT")


def plan_of(*members: Series) -> Plan:
    studies: dict[str, list[Series]] = {}
    for one in members:
        studies.setdefault(one.study_instance_uid, []).append(one)
    return Plan(tuple(StudyPlan(uid, Label("PAT", f"PAT_{uid}"), tuple(some)) for uid, some in studies.items()), ())


def run(tmp_path: Path, lane: FakeLane, plan: Plan, tell: Tell = lambda _event: None) -> TransferResult:
    with Ledger(tmp_path / "ledger.sqlite", "http://xnat", "P1") as ledger:
        return transfer(plan, lane.as_lane, ledger, tell, Stop(), transfers=2)


def states(result: TransferResult) -> dict[str, State]:
    return {outcome.series_instance_uid: outcome.state for outcome in result.outcomes}


def test_a_defect_of_the_deciding_thread_settles_every_series(tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        if isinstance(event, SeriesImported):
            raise ZeroDivisionError("a defect")

    result = run(tmp_path, FakeLane(FakeXnat()), plan_of(series(1), series(2), series(1, "1.3")), broken)
    assert set(states(result)) == {"1.2.1", "1.2.2", "1.3.1"}
    assert not any(state.is_in for state in states(result).values())
    assert "ZeroDivisionError" in str(result.ended_by)
    assert result.ended_by is not None
    assert result.ended_by.exit_code == 1


def test_what_one_study_causes_is_its_own_outcome(tmp_path: Path) -> None:
    xnat = FakeXnat(fails={"build": [KeyError("a defect")]})
    result = run(tmp_path, FakeLane(xnat), plan_of(series(1), series(1, "1.3")))
    assert sorted(states(result).values()) == [State.ARCHIVED, State.HELD]
    assert result.ended_by is None
    held = next(outcome for outcome in result.outcomes if outcome.state is State.HELD)
    assert "unexpected KeyError" in held.reason


def test_counts_that_stay_unknown_are_not_archived_and_not_sent_again(tmp_path: Path) -> None:
    refused: dict[str, list[Exception]] = {name: [XnatRefused("400")] * 9 for name in ("refresh_counts", "file_count")}
    lane = FakeLane(FakeXnat(uncounted=True, unlisted=True, fails=refused))
    result = run(tmp_path, lane, plan_of(series(1)))
    (outcome,) = result.outcomes
    assert (outcome.state, lane.sent) == (State.FAILED, ["1.2.1"])
    assert "XNAT does not tell how many" in outcome.reason


def test_an_error_after_the_archive_step_is_not_told_as_waiting_in_the_prearchive(tmp_path: Path) -> None:
    xnat = FakeXnat(fails={"experiment_id": [XnatRefused("XNAT answered 400: no")]})
    (outcome,) = run(tmp_path, FakeLane(xnat), plan_of(series(1))).outcomes
    assert outcome.state is State.FAILED
    assert "left the prearchive" in outcome.reason


def test_what_xnat_refuses_to_archive_waits_in_the_prearchive(tmp_path: Path) -> None:
    xnat = FakeXnat(fails={"archive": [ArchiveConflict("no")]})
    assert states(run(tmp_path, FakeLane(xnat), plan_of(series(1)))) == {"1.2.1": State.HELD}


def test_a_refused_refresh_after_archiving_does_no_harm(tmp_path: Path) -> None:
    xnat = FakeXnat(uncounted=True, fails={"refresh_counts": [XnatRefused("400")]})
    assert states(run(tmp_path, FakeLane(xnat), plan_of(series(1)))) == {"1.2.1": State.ARCHIVED}


def test_what_another_run_archives_is_waited_for_and_counted(tmp_path: Path) -> None:
    one, label = series(1), Label("PAT", "PAT_1.2")
    others = Session("1.2", label, mark="tcia-xnat-other")
    others.add("1.2.1", "1", images(one))
    xnat = FakeXnat(waiting={"/prearchive/x": others})
    looks = iter(range(9))

    def wait(_seconds: float) -> None:
        if next(looks) == 1:
            xnat.archive("/prearchive/x", label, overwrite=False)

    xnat.patience = replace(QUICK, wait=wait)
    lane = FakeLane(xnat)
    result = run(tmp_path, lane, plan_of(one, series(2)))
    assert states(result) == {"1.2.1": State.PRESENT, "1.2.2": State.ARCHIVED}
    assert lane.sent == ["1.2.2"]


def test_a_session_of_somebody_else_is_not_joined(tmp_path: Path) -> None:
    xnat = FakeXnat(waiting={"/prearchive/x": Session("1.2", Label("PAT", "PAT_1.2"))})
    (outcome,) = run(tmp_path, FakeLane(xnat), plan_of(series(1))).outcomes
    assert outcome.state is State.FAILED
    assert "not of this tool" in outcome.reason
    assert "archive" not in xnat.calls


@pytest.mark.parametrize("error", [XnatRefused("no")])
def test_a_series_that_failed_holds_its_study(tmp_path: Path, error: XnatRefused) -> None:
    result = run(tmp_path, FakeLane(FakeXnat(), {"1.2.2": error}), plan_of(series(1), series(2)))
    assert states(result) == {"1.2.1": State.HELD, "1.2.2": State.FAILED}


def test_a_study_whose_label_another_run_has_taken_for_another_study_is_not_sent(tmp_path: Path) -> None:
    other = Session("9.9", LABEL, {"9.9.1": "1"}, {"1": {"9.9.1.1"}}, mark="tcia-xnat-other")

    def archive_other(_seconds: float) -> None:
        if xnat.waiting.pop("/other", None):
            xnat.archived[LABEL] = other

    patience = Patience(RetryPolicy(attempts=2, base=0), archive_other)
    lane = FakeLane(xnat := FakeXnat(patience=patience, waiting={"/other": other}))
    result = run(tmp_path, lane, Plan((StudyPlan("1.2", LABEL, (series(1), series(2))),), ()))
    assert set(states(result).values()) == {State.FAILED}
    assert all("another study as session PAT" in one.reason for one in result.outcomes)
    assert all("label of its own" in one.hint for one in result.outcomes)
    assert not lane.sent
