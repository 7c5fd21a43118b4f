"""The run of a plan: lanes side by side, and the session steps of each study when the last of its series is in.

One thread, the caller's, decides; lanes and session steps work in pools.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from tcia_xnat.confirm import Finished, confirm
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.turns import AnotherRun
from tcia_xnat.errors import (
    FATAL,
    ArchiveConflict,
    Error,
    RightsRefused,
    SeriesUnavailable,
    XnatBusy,
    XnatError,
    XnatRefused,
    XnatUnreachable,
)
from tcia_xnat.events import (
    Retrying,
    SeriesImported,
    SeriesSettled,
    SessionArchived,
    SessionLeft,
    SessionStep,
    Step,
    StepDone,
    Tell,
)
from tcia_xnat.lane import Lane, NotSent, Sent
from tcia_xnat.ledger import Imported, Ledger
from tcia_xnat.model import Outcome, Series, SourceName, State
from tcia_xnat.plan import Plan, StudyPlan, missing_outcome, present_outcome, unbegun_outcome
from tcia_xnat.planning.completeness import State as Completeness
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.session import SessionSteps
from tcia_xnat.stop import Stop
from tcia_xnat.workers import Workers

_MEET_SECONDS = 1.0  # between two looks at sessions that other runs are at
_RESENDS = 2  # how often a series is sent again when XNAT has lost some of its images


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How every series of the plan ended, and the error that ended the run early, if one did."""

    outcomes: tuple[Outcome, ...]
    ended_by: Error | None = None


@dataclass(slots=True)
class _Study:
    """What has become of one study so far."""

    plan: StudyPlan
    waiting: set[str]
    sent: dict[str, Sent] = field(default_factory=dict)
    not_sent: dict[str, NotSent] = field(default_factory=dict)
    met: dict[str, Series] = field(default_factory=dict)  # series that wait for another run to leave the session
    step: str = ""
    resends: int = 0
    overwrite: bool = False

    @property
    def urls(self) -> tuple[str, ...]:
        """Its places in the prearchive, that of the last import first."""
        return tuple(
            dict.fromkeys([*(sent.prearchive for sent in reversed(self.sent.values())), *self.plan.prearchive])
        )

    @property
    def may_still_come(self) -> list[NotSent]:
        """Series that failed and may work next time: an archived session would have to be merged with them."""
        return [failed for failed in self.not_sent.values() if not isinstance(failed.error, SeriesUnavailable)]


def transfer(  # noqa: PLR0913  what a run needs, each once
    plan: Plan, lane: Lane, ledger: Ledger, tell: Tell, stop: Stop, *, transfers: int, archive: bool = True
) -> TransferResult:
    """Carry out a plan.

    Parameters
    ----------
    stop
        The wish to end early; also expressed here, when an error makes going on pointless. What is in flight then has
        a few seconds to end, and is dropped after that: an import that XNAT did not confirm is sent again next time.
    transfers
        Series that are fetched at once. As many lanes again have theirs on the way into XNAT: neither the wire from
        the source nor the one to XNAT waits for the other.
    archive
        False leaves complete sessions in the prearchive.
    """
    return _Run(lane, ledger, tell, stop, archive).carry_out(plan, transfers)


class _Run:
    def __init__(self, lane: Lane, ledger: Ledger, tell: Tell, stop: Stop, archive: bool) -> None:  # noqa: FBT001  as `transfer` names it
        self._lane, self._ledger, self._tell, self._stop, self._archive = lane, ledger, tell, stop, archive
        self._workers = Workers(stop)
        self._outcomes: dict[str, Outcome] = {}
        self._defect: Error | None = None
        self._studies: list[_Study] = []
        self._is_waiting = False

    def carry_out(self, plan: Plan, transfers: int) -> TransferResult:
        self._studies = [_study(study) for study in plan.studies]
        self._lanes = ThreadPoolExecutor(2 * transfers, "lane")
        self._sessions = ThreadPoolExecutor(transfers, "session")
        self._waiter = ThreadPoolExecutor(1, "waiter")
        try:
            self._work(plan)
        except Exception as error:  # noqa: BLE001  a defect of ours ends the run, and the run keeps its record
            self._defect = unexpected(error)
            self._stop.request()
        finally:
            for pool in (self._lanes, self._sessions, self._waiter):
                pool.shutdown(wait=False, cancel_futures=True)
        for outcome in plan.settled:
            self._settle(outcome)
        for study in self._studies:
            self._leave(study)
        return TransferResult(tuple(self._outcomes.values()), self._ended_by)

    @property
    def _ended_by(self) -> Error | None:
        return self._defect or self._workers.ended_by

    def _work(self, plan: Plan) -> None:
        for outcome in plan.settled:
            self._settle(outcome)
        for study in self._studies:
            for series in study.plan.send:
                self._send(study, series)
            self._proceed(study)
        for left in plan.leftovers:
            steps = SessionSteps(self._lane.project, left.urls, left.label, {})
            self._workers.hand_out(self._sessions, partial(_try_to_tidy, steps), lambda _result: None)
        self._workers.decide()

    # work that is handed out

    def _send(self, study: _Study, series: Series) -> None:
        self._workers.hand_out(
            self._lanes,
            lambda: self._lane.run(series, study.plan.label),
            partial(self._series_done, study),
        )

    # what follows from a result, in the deciding thread

    def _series_done(self, study: _Study, result: Sent | NotSent) -> None:
        uid = result.series.series_instance_uid
        if isinstance(result, NotSent) and isinstance(result.error, AnotherRun):
            study.met[uid] = result.series
            self._wait_for_others(result.error)
            return
        study.waiting.discard(uid)
        if isinstance(result, Sent):
            study.sent[uid] = result
            self._ledger.add(_entry(result))
            self._tell(_imported(result, study))
        else:
            study.not_sent[uid] = result
            self._settle(_not_sent_outcome(study, result))
        self._proceed(study)

    def _wait_for_others(self, error: AnotherRun | None = None) -> None:
        """Have one thread look, now and then, whether other runs have left the sessions that this one needs."""
        met = [(study, dict(study.met)) for study in self._studies if study.met]
        if met and not self._is_waiting:
            self._is_waiting = True
            if error:
                self._tell(Retrying(error, _MEET_SECONDS))
            self._workers.hand_out(self._waiter, partial(_after_others, self._lane, met), self._others_left)

    def _others_left(self, freed: Sequence[tuple[_Study, Finished, Mapping[str, Series]]]) -> None:
        """Count what another run has archived, and send the rest."""
        self._is_waiting = False
        for study, finished, met in freed:
            for uid, series in met.items():
                del study.met[uid]
                if finished.uri and uid not in finished.short:
                    study.waiting.discard(uid)
                    self._settle(present_outcome(series, study.plan.label))
                else:
                    study.overwrite |= bool(finished.uri) and finished.short[uid].state is Completeness.INCOMPLETE
                    self._send(study, series)
            self._proceed(study)
        self._wait_for_others()

    def _proceed(self, study: _Study) -> None:
        """Start the session steps when all series of a study are in."""
        if study.waiting or study.may_still_come or not study.sent or self._workers.ended_by:
            return
        self._lane.turns.leave(study.plan.label)
        steps = SessionSteps(
            self._lane.project,
            study.urls,
            study.plan.label,
            {uid: Wanted(sent.image_count) for uid, sent in study.sent.items()},
            self._lane.listed,
            overwrite=study.overwrite,
            at_step=partial(self._at_step, study),
        )
        work = partial(_timed, steps, self._archive, self._tell)
        self._workers.hand_out(self._sessions, work, partial(self._session_done, study))

    def _at_step(self, study: _Study, step: str) -> None:
        study.step = step
        self._tell(SessionStep(study.plan.label, step))

    def _session_done(self, study: _Study, result: Finished | Error) -> None:
        if isinstance(result, Error) or not result.is_whole:
            self._tell(SessionLeft(study.plan.label))
        if isinstance(result, Error):
            self._hold(study, str(result), result)
        elif result.short:
            self._lost(study, result)
        elif not result.uri:
            self._hold(study, "left in the prearchive as asked")
        else:
            self._ledger.forget(study.sent)
            self._tell(SessionArchived(study.plan.label, result.uri, len(study.sent)))
            for sent in study.sent.values():
                self._settle(_outcome(study, sent, State.ARCHIVED))
            study.sent.clear()
        study.step = ""

    def _lost(self, study: _Study, result: Finished) -> None:
        """Send series again of which XNAT holds less than it took; give them up when that does not help."""
        self._ledger.forget(result.short)
        short = [uid for uid, judged in result.short.items() if judged.is_short]  # what is unknown stays so
        if short and study.resends < _RESENDS:
            study.resends += 1
            study.overwrite |= bool(result.uri)
            study.waiting.update(short)
            for uid in short:
                self._send(study, study.sent.pop(uid).series)
            return
        for uid, judged in result.short.items():
            self._settle(_outcome(study, study.sent.pop(uid), State.FAILED, f"XNAT holds {judged}"))
        if result.uri:
            for sent in study.sent.values():
                self._settle(_outcome(study, sent, State.ARCHIVED))
            study.sent.clear()
        else:
            self._hold(study, f"waits for {len(result.short)} series of its study that XNAT does not hold whole")

    def _hold(self, study: _Study, reason: str, error: Error | None = None) -> None:
        state, said = _whereabouts(study.step, reason, error)
        for sent in study.sent.values():
            self._settle(_outcome(study, sent, state, said, error))
        study.sent.clear()

    def _leave(self, study: _Study) -> None:
        """Settle what the run leaves undone: series that wait for others, and all that came after its end."""
        missing = len(study.may_still_come) + len(study.waiting)
        waits = f"waits in the prearchive for {missing} series of its study"
        self._hold(study, str(self._ended_by or waits), self._ended_by)
        for series in study.plan.send:
            if series.series_instance_uid in study.waiting:
                error = self._ended_by or self._stop.error()
                self._settle(unbegun_outcome(series.series_instance_uid, error, study.plan.label))

    def _settle(self, outcome: Outcome) -> None:
        """Keep how a series ended; the first outcome counts."""
        if outcome.series_instance_uid in self._outcomes:
            return
        self._outcomes[outcome.series_instance_uid] = outcome
        if self._defect is None:  # else what is told may be what is broken
            self._tell(SeriesSettled(outcome))


def _whereabouts(step: str, reason: str, error: Error | None) -> tuple[State, str]:
    """Return what is known of a session that did not come through its steps: only some still wait in the prearchive."""
    if step == "confirm":
        return State.FAILED, f"its session has left the prearchive, and was not found whole in the archive: {reason}"
    if step == "archive" and not isinstance(error, ArchiveConflict | XnatBusy | XnatRefused | RightsRefused):
        return State.FAILED, f"XNAT was asked to archive its session, and what came of that is not known: {reason}"
    return State.HELD, reason


def _timed(steps: SessionSteps, archive: bool, tell: Tell) -> Finished | Error:  # noqa: FBT001  as below
    started = time.monotonic()
    try:
        return _try_steps(steps, archive)
    finally:
        tell(StepDone(Step.SESSION, time.monotonic() - started))


def _try_steps(steps: SessionSteps, archive: bool) -> Finished | Error:  # noqa: FBT001  a part of `transfer`
    try:
        return steps.run(archive=archive)
    except FATAL:
        raise
    except XnatError as error:
        if isinstance(error, XnatUnreachable) and steps.project.is_away():
            raise
        return error
    except Exception as error:  # noqa: BLE001  whatever one study causes is its own outcome
        return unexpected(error)


def _after_others(
    lane: Lane, met: Sequence[tuple[_Study, Mapping[str, Series]]]
) -> list[tuple[_Study, Finished, Mapping[str, Series]]]:
    """Return the studies whose sessions other runs have left, with what the archive now has of their series."""
    lane.project.patience.wait(_MEET_SECONDS)
    labels = ask(lane.project, lambda: lane.turns.free(study.plan.label for study, _ in met)) or ()
    freed = []
    for study, waiting in met:
        if (label := study.plan.label) in labels:
            wanted = {uid: Wanted(series.image_count) for uid, series in waiting.items()}
            if finished := ask(lane.project, partial(confirm, lane.project, label, wanted)):
                freed.append((study, finished, waiting))
    return freed


def _try_to_tidy(steps: SessionSteps) -> None:
    try:
        steps.tidy()
    except FATAL:
        raise
    except Exception:  # noqa: BLE001  a copy that stays does no harm
        return


def _study(plan: StudyPlan) -> _Study:
    study = _Study(plan, {series.series_instance_uid for series in plan.send}, overwrite=plan.overwrite)
    for series, entry in plan.imported:
        study.sent[series.series_instance_uid] = Sent(
            series, SourceName(entry.source), entry.prearchive, entry.image_count, entry.byte_count
        )
    return study


def _entry(sent: Sent) -> Imported:
    return Imported(
        sent.series.series_instance_uid,
        sent.series.study_instance_uid,
        sent.prearchive,
        sent.source,
        sent.image_count,
        sent.byte_count,
    )


def _imported(sent: Sent, study: _Study) -> SeriesImported:
    label = study.plan.label
    return SeriesImported(sent.series, label, sent.source, sent.image_count, sent.byte_count, sent.seconds)


def _outcome(study: _Study, sent: Sent, state: State, reason: str = "", error: Error | None = None) -> Outcome:
    return Outcome(
        sent.series.series_instance_uid,
        state,
        study.plan.label,
        sent.source,
        sent.image_count,
        sent.byte_count,
        sent.seconds,
        reason,
        error.hint if error else "",
        type(error).__name__ if error else "",
        sent.notes,
    )


def _not_sent_outcome(study: _Study, failed: NotSent) -> Outcome:
    return replace(
        missing_outcome(failed.series.series_instance_uid, failed.error),
        label=study.plan.label,
        seconds=failed.seconds,
    )
