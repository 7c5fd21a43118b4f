"""Every ending has its report: errors of servers, defects of ours, wishes to end that a run cannot hear."""

import errno
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error, LoginRefused, SeriesUnavailable, SpaceError, Stopped, UsageError
from tcia_xnat.core.events import SeriesSettled, Tell
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.jobs.record import RunRecord, recorded
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.plan import Plan, StudyPlan
from tcia_xnat.planning.settings import Settings
from tcia_xnat.transfer.scheduler import TransferResult
from tcia_xnat.transfer.work import Prepared, Run

LABEL = Label("P", "P_01")
ONE, TWO = (Series(uid, "1", "P") for uid in ("1.1", "1.2"))
MANIFEST = Manifest("m.tcia", ("1.1", "1.2", "1.3"))
CATALOGUE = Catalogue({"1.1": ONE, "1.2": TWO}, {"1.3": SeriesUnavailable("nobody offers it")})
PREPARED = Prepared(
    MANIFEST,
    CATALOGUE,
    {"1": LABEL},
    Plan((StudyPlan("1", LABEL, (ONE, TWO)),), (Outcome("1.3", State.UNAVAILABLE),)),
)


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    made = RunRecord(Settings(output_dir=tmp_path, project="P", source="auto"), "https://x")
    made.manifest = MANIFEST
    return made


class Reports:
    def __init__(self) -> None:
        self.runs: list[Run] = []

    def __call__(self, run: Run) -> Iterable[Path]:
        self.runs.append(run)
        return ()


def ended(record: RunRecord, error: BaseException, stop: Stop | None = None) -> Run:
    def work(_tell: Tell) -> Run:
        raise error

    reports = Reports()
    done = recorded(record, work, stop or Stop(), lambda _event: None, reports)
    assert reports.runs == [done]
    return done


def states(done: Run) -> dict[str, State]:
    return {outcome.series_instance_uid: outcome.state for outcome in done.result.outcomes}


def test_a_login_that_is_refused_has_a_report_of_the_whole_manifest(record: RunRecord) -> None:
    error = LoginRefused("no", "look")
    done = ended(record, error)
    assert done.result.ended_by is error
    assert [(one.series_instance_uid, one.reason) for one in done.result.outcomes] == [
        ("1.1", "no"),
        ("1.2", "no"),
        ("1.3", "no"),
    ]


def test_what_the_catalogue_knows_is_told(record: RunRecord) -> None:
    record.catalogue = CATALOGUE
    assert states(ended(record, LoginRefused("no")))["1.3"] is State.UNAVAILABLE


def test_what_was_settled_stays(record: RunRecord) -> None:
    record.catalogue, record.prepared = CATALOGUE, PREPARED
    record.tell(SeriesSettled(Outcome("1.1", State.ARCHIVED, LABEL)))
    done = ended(record, RuntimeError("a defect"))
    assert states(done)["1.1"] is State.ARCHIVED
    assert not states(done)["1.2"].is_in
    assert len(done.result.outcomes) == 3
    assert done.result.ended_by is not None
    assert (done.result.ended_by.exit_code, str(done.result.ended_by)) == (1, "unexpected RuntimeError: a defect")


def test_a_defect_after_the_transfer_keeps_its_result(record: RunRecord) -> None:
    record.prepared = PREPARED
    record.result = TransferResult((Outcome("1.1", State.ARCHIVED, LABEL),))
    done = ended(record, KeyError("x"))
    assert done.result.outcomes == record.result.outcomes
    assert done.result.ended_by is not None


def test_the_series_of_a_shard_are_not_guessed(record: RunRecord, tmp_path: Path) -> None:
    record.job = Settings(output_dir=tmp_path, project="P", source="auto", shard=(0, 2))
    assert not ended(record, LoginRefused("no")).result.outcomes


def test_a_run_that_hangs_is_left_with_a_report(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.jobs.record._PLANNING_SECONDS", 0.05)
    stop, reports = Stop(), Reports()

    def hang(_tell: Tell) -> Run:
        stop.request()
        threading.Event().wait(60)
        raise AssertionError

    done = recorded(record, hang, stop, lambda _event: None, reports)
    assert isinstance(done.result.ended_by, Stopped)
    assert reports.runs == [done]


def test_a_stop_while_the_report_is_kept_changes_nothing(record: RunRecord) -> None:
    record.reported = record.run()

    def work(_tell: Tell) -> Run:
        raise Stopped

    assert recorded(record, work, Stop(), lambda _event: None, Reports()) is record.reported


def test_a_run_that_comes_to_its_end_while_it_is_left_writes_no_second_report(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcia_xnat.jobs.record._PLANNING_SECONDS", 0.05)
    stop, reports, left, written = Stop(), Reports(), threading.Event(), threading.Event()

    def work(_tell: Tell) -> Run:
        stop.request()
        left.wait(60)
        done, _ = record.report(reports)
        written.set()
        return done

    done = recorded(record, work, stop, lambda _event: None, reports)
    left.set()
    assert written.wait(60)
    assert reports.runs == [done]


@pytest.mark.parametrize("error", [UsageError("an option"), Error("anything")])
def test_what_was_not_understood_has_no_report(record: RunRecord, error: Error) -> None:
    record.manifest = None

    def work(_tell: Tell) -> Run:
        raise error

    with pytest.raises(type(error)):
        recorded(record, work, Stop(), lambda _event: None, Reports())


def test_a_report_that_cannot_be_written_costs_the_report(record: RunRecord) -> None:
    def full(_run: Run) -> Iterable[Path]:
        raise OSError(errno.ENOSPC, "No space left on device", "/out/report.json")

    record.result = TransferResult((Outcome("1.1", State.ARCHIVED, LABEL),))
    done, files = record.report(full)
    assert (done.result, files) == (record.result, [])
    assert isinstance(done.unwritten, SpaceError)
    assert "/out/report.json" in str(done.unwritten)


def test_a_run_that_is_abandoned_after_an_error_ends_with_that_error(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcia_xnat.jobs.record._PLANNING_SECONDS", 0.05)
    stop, refused, done = Stop(), LoginRefused("no", "look"), threading.Event()

    def work(_tell: Tell) -> Run:
        stop.request(refused)
        stop.request(Stopped())
        done.wait(60)
        raise AssertionError

    try:
        run = recorded(record, work, stop, lambda _event: None, Reports())
    finally:
        done.set()
    assert run.result.ended_by is refused
