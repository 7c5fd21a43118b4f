"""The run of a plan: lanes side by side, and the session steps of each study when the last of its series is in.

One thread, the caller's, decides; lanes and session steps work in pools.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error
from tcia_xnat.core.events import Retrying, SeriesSettled, SessionArchived, SessionLeft, SessionStep, Tell
from tcia_xnat.core.executor import Workers
from tcia_xnat.core.model import Outcome, Series, State
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.destinations.xnat.archive import SessionSteps
from tcia_xnat.destinations.xnat.confirm import Finished
from tcia_xnat.destinations.xnat.turns import AnotherRun
from tcia_xnat.planning import left_out
from tcia_xnat.planning.completeness import Judgement
from tcia_xnat.planning.completeness import State as Completeness
from tcia_xnat.planning.plan import Plan
from tcia_xnat.planning.settle import nothing_kept_outcome, present_outcome, unbegun_outcome
from tcia_xnat.transfer.ledger import Ledger
from tcia_xnat.transfer.steps import MEET_SECONDS, after_others, timed, try_to_record, try_to_tidy
from tcia_xnat.transfer.study import Study, entry, nothing_kept, whereabouts
from tcia_xnat.transfer.worker import Lane, NotSent, Sent
from tcia_xnat.xnat.prearchive import NothingStored
from tcia_xnat.xnat.scripts import Scripts

_LEFT_AS_ASKED = "archive its session in XNAT, or run the same command without --no-archive: nothing is fetched again"
_RESENDS = 2  # how often a series is sent again when XNAT has lost some of its images


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How every series of the plan ended, and the error that ended the run early, if one did."""

    outcomes: tuple[Outcome, ...]
    ended_by: Error | None = None


def transfer(  # noqa: PLR0913  what a run needs, each once
    plan: Plan,
    lane: Lane,
    ledger: Ledger,
    tell: Tell,
    stop: Stop,
    *,
    transfers: int,
    archive: bool = True,
    accept_rejected: bool = False,
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
    accept_rejected
        Archive and count what XNAT keeps of a series when it leaves out the same number of images twice.
    """
    return _Run(lane, ledger, tell, stop, archive, accept_rejected).carry_out(plan, transfers)


class _Run:
    def __init__(  # noqa: PLR0913, PLR0917  as `transfer` names them
        self,
        lane: Lane,
        ledger: Ledger,
        tell: Tell,
        stop: Stop,
        archive: bool,  # noqa: FBT001  as above
        accept_rejected: bool,  # noqa: FBT001  as above
    ) -> None:
        self._lane, self._ledger, self._tell, self._stop = lane, ledger, tell, stop
        self._archive, self._accept_rejected = archive, accept_rejected
        self._workers = Workers(stop)
        self._outcomes: dict[str, Outcome] = {}
        self._defect: Error | None = None
        self._studies: list[Study] = []
        self._is_waiting = False

    def carry_out(self, plan: Plan, transfers: int) -> TransferResult:
        self._studies = [Study.of(study) for study in plan.studies]
        self._lanes = ThreadPoolExecutor(2 * transfers, "lane")
        self._sessions = ThreadPoolExecutor(transfers, "session")
        self._waiter = ThreadPoolExecutor(1, "waiter")
        try:
            self._work(plan)
        except Exception as error:  # noqa: BLE001  a defect of ours ends the run, and the run keeps its record
            self._defect = unexpected(error)
            self._stop.request(self._defect)
        finally:
            for pool in (self._lanes, self._sessions, self._waiter):
                pool.shutdown(wait=False, cancel_futures=True)
        for outcome in plan.settled:
            self._settle(outcome)
        for study in self._studies:
            self._leave(study)
        return TransferResult(tuple(self._outcomes.values()), self._ended_by)

    @property
    def _scripts(self) -> Scripts:
        return self._lane.project.scripts

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
            self._workers.hand_out(self._sessions, partial(try_to_tidy, steps), lambda _result: None)
        self._workers.decide()

    # work that is handed out

    def _send(self, study: Study, series: Series) -> None:
        study.sends[series.series_instance_uid] = study.sends.get(series.series_instance_uid, 0) + 1
        self._workers.hand_out(
            self._lanes,
            lambda: self._lane.run(series, study.plan.label),
            partial(self._series_done, study),
        )

    # what follows from a result, in the deciding thread

    def _series_done(self, study: Study, result: Sent | NotSent) -> None:
        uid = result.series.series_instance_uid
        if isinstance(result, NotSent) and isinstance(result.error, AnotherRun):
            study.met[uid] = result.series
            study.sends[uid] -= 1
            self._wait_for_others(result.error)
            return
        if isinstance(result, NotSent) and self._may_drop(result.error) and study.sends[uid] == 1:
            self._send(study, result.series)
            return
        study.waiting.discard(uid)
        if isinstance(result, Sent):
            study.sent[uid] = result
            self._ledger.add(entry(result))
            self._tell(study.imported(result))
        elif self._may_drop(result.error):
            images = self._lane.wanted(result.series).images
            study.sent[uid] = nothing_kept(result.series, self._lane.order[0], images)
            self._leave_out(study, uid, Judgement(Completeness.ABSENT, 0, result.series.image_count))
        else:
            study.not_sent[uid] = result
            self._settle(study.not_sent_outcome(result))
        self._proceed(study)

    def _may_drop(self, error: Error) -> bool:
        """Whether XNAT has kept no image of a series, and a script of the site may be why."""
        return isinstance(error, NothingStored) and self._scripts.site.may_reject is not False

    def _wait_for_others(self, error: AnotherRun | None = None) -> None:
        """Have one thread look, now and then, whether other runs have left the sessions that this one needs."""
        met = [(study, dict(study.met)) for study in self._studies if study.met]
        if met and not self._is_waiting:
            self._is_waiting = True
            if error:
                self._tell(Retrying(error, MEET_SECONDS))
            self._workers.hand_out(self._waiter, partial(after_others, self._lane, met), self._others_left)

    def _others_left(self, freed: Sequence[tuple[Study, Finished | Error, Mapping[str, Series]]]) -> None:
        """Count what another run has archived, and send the rest."""
        self._is_waiting = False
        for study, finished, met in freed:
            for uid, series in met.items():
                del study.met[uid]
                if isinstance(finished, Error):
                    self._series_done(study, NotSent(series, finished))
                elif finished.uri and uid not in finished.short:
                    study.waiting.discard(uid)
                    self._settle(present_outcome(series, study.plan.label))
                else:
                    study.overwrite |= bool(finished.uri) and finished.short[uid].state is Completeness.INCOMPLETE
                    self._send(study, series)
            self._proceed(study)
        self._wait_for_others()

    def _proceed(self, study: Study) -> None:
        """Start the session steps when all series of a study are in."""
        if study.waiting or study.may_still_come or not study.sent or self._workers.ended_by:
            self._keep_rejected(study)
            return
        self._lane.turns.leave(study.plan.label)
        steps = SessionSteps(
            self._lane.project,
            study.urls,
            study.plan.label,
            study.shipments,
            self._lane.listed,
            unwanted=study.plan.unwanted,
            overwrite=study.overwrite,
            study=study.published,
            may_change_uids=self._scripts.changes_uids is not False,
            at_step=partial(self._at_step, study),
        )
        work = partial(timed, steps, self._archive, self._tell)
        self._workers.hand_out(self._sessions, work, partial(self._session_done, study))

    def _at_step(self, study: Study, step: str) -> None:
        study.step = step
        self._tell(SessionStep(study.plan.label, step))

    def _session_done(self, study: Study, result: Finished | Error) -> None:
        if isinstance(result, Error) or not result.is_whole:
            self._tell(SessionLeft(study.plan.label))
        if isinstance(result, Error):
            self._hold(study, str(result), result)
        elif result.short:
            self._lost(study, result)
        elif not result.uri:
            self._hold(study, "left in the prearchive as asked", hint=_LEFT_AS_ASKED)
        else:
            self._archived(study, result)
        study.step = ""
        self._keep_rejected(study)

    def _keep_rejected(self, study: Study) -> None:
        """Record what XNAT keeps nothing of, when nothing else of the study is under way."""
        is_busy = study.waiting or (study.sent and not study.may_still_come)
        if study.rejected and (published := study.published) and not is_busy and not self._workers.ended_by:
            copies = SessionSteps(self._lane.project, study.plan.prearchive, study.plan.label, {})
            work = partial(try_to_record, self._lane, published, copies, study.take_rejected())
            self._workers.hand_out(self._sessions, work, lambda _result: None)

    def _archived(self, study: Study, result: Finished) -> None:
        """Settle what the archive has whole."""
        if result.is_changed:
            self._ledger.remember(study.plan.study_instance_uid, study.plan.label)
        self._ledger.forget(study.sent)
        self._tell(SessionArchived(study.plan.label, result.uri, len(study.sent)))
        for uid, sent in study.sent.items():
            outcome = study.outcome(sent, State.ARCHIVED)
            self._settle(replace(outcome, notes=outcome.notes + result.notes_of(uid)))
        study.sent.clear()

    def _lost(self, study: Study, result: Finished) -> None:
        """Send series again of which XNAT holds less than it took, as long as that may help."""
        study.step = ""
        self._ledger.forget(result.short)
        short = {uid: judged for uid, judged in result.short.items() if judged.is_short}  # what is unknown stays so
        dropped = {uid for uid, judged in short.items() if study.is_left_out(uid, judged, self._scripts)}
        lost = [] if result.is_changed else [uid for uid in short if uid not in dropped]
        study.shortages.update({uid: judged.held for uid, judged in short.items()})
        for uid in dropped:  # before the others are sent again: they are not waited for
            self._leave_out(study, uid, short[uid])
        if lost and study.resends < _RESENDS:
            study.resends += 1
            study.overwrite |= bool(result.uri)
            study.waiting.update(lost)
            for uid in lost:
                self._send(study, study.sent.pop(uid).series)
            return
        failed = {uid: judged for uid, judged in result.short.items() if uid not in dropped}
        for uid, judged in failed.items():
            self._settle(study.outcome(study.sent.pop(uid), State.FAILED, f"XNAT holds {judged}"))
        refused = [uid for uid in result.short if uid not in study.sent and not self._outcomes[uid].state.is_in]
        if result.uri:
            self._archived(study, result)
        elif refused:
            self._hold(study, f"waits for {len(refused)} series of its study that XNAT does not hold whole")
        else:
            self._proceed(study)

    def _leave_out(self, study: Study, uid: str, judged: Judgement) -> None:
        """Accept what XNAT keeps of a series, or settle it; remember it where a rule of XNAT is known to drop images.

        A series of which XNAT keeps nothing is settled in any case: there is nothing to archive.
        """
        if self._accept_rejected and judged.held:
            study.accepted[uid] = judged.held
            return
        sent = study.sent.pop(uid)
        outcome = study.outcome(sent, State.FAILED, left_out.reason(judged, self._scripts))
        outcome = replace(outcome, hint=left_out.HINT, kind=left_out.KIND)
        self._settle(nothing_kept_outcome(sent.series, study.plan.label) if self._accept_rejected else outcome)
        if left_out.cause(self._scripts):
            self._ledger.add(entry(sent, judged.held))
            if not judged.held:
                study.rejected[uid] = sent

    def _hold(self, study: Study, reason: str, error: Error | None = None, hint: str = "") -> None:
        state, said = whereabouts(study.step, reason, error)
        for sent in study.sent.values():
            outcome = study.outcome(sent, state, said, error)
            self._settle(replace(outcome, hint=outcome.hint or hint))
        study.sent.clear()

    def _leave(self, study: Study) -> None:
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
