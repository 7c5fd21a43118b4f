"""What has become of one study during a run, and the outcomes that follow from it. No work is handed out here."""

from dataclasses import dataclass, field, replace

from tcia_xnat.core.errors import ArchiveConflict, Error, RightsRefused, SeriesUnavailable, XnatBusy, XnatRefused
from tcia_xnat.core.events import SeriesImported
from tcia_xnat.core.model import Outcome, Series, SourceName, State
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.planning.completeness import Judgement
from tcia_xnat.planning.held import Imported
from tcia_xnat.planning.left_out import accepted_note, is_possible
from tcia_xnat.planning.plan import StudyPlan
from tcia_xnat.planning.settle import missing_outcome
from tcia_xnat.transfer.worker import NotSent, Sent
from tcia_xnat.xnat.scripts import Scripts


@dataclass(slots=True)
class Study:
    """What has become of one study so far.

    Attributes
    ----------
    waiting
        SeriesInstanceUIDs that are still to be sent.
    met
        Series that wait for another run to leave the session.
    sends
        How often each series was sent.
    shortages
        How many images of a series XNAT held when it was found short.
    accepted
        How many images of a series count as all, because XNAT leaves out the others and the user accepts that.
    rejected
        Series of which XNAT keeps nothing, which is not recorded there yet.
    step
        The session step that is under way.
    """

    plan: StudyPlan
    waiting: set[str]
    sent: dict[str, Sent] = field(default_factory=dict)
    not_sent: dict[str, NotSent] = field(default_factory=dict)
    met: dict[str, Series] = field(default_factory=dict)
    sends: dict[str, int] = field(default_factory=dict)
    shortages: dict[str, int | None] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, Sent] = field(default_factory=dict)
    step: str = ""
    resends: int = 0
    overwrite: bool = False

    @classmethod
    def of(cls, plan: StudyPlan) -> "Study":
        """Return the state of a study at the beginning of a run."""
        study = cls(plan, {series.series_instance_uid for series in plan.send}, overwrite=plan.overwrite)
        for series, entry in plan.imported:
            uid = series.series_instance_uid
            images = UidSet(entry.images) if entry.images else None
            source = SourceName(entry.source)
            study.sent[uid] = Sent(series, source, entry.prearchive, entry.image_count, entry.byte_count, images=images)
            if entry.kept is not None:
                study.accepted[uid] = entry.kept
        return study

    @property
    def published(self) -> tuple[str, str] | None:
        """PatientID and StudyInstanceUID as they were published; None without a series to tell them."""
        sent = next(iter((self.sent or self.rejected).values()), None)
        return (sent.series.patient_id, self.plan.study_instance_uid) if sent else None

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

    @property
    def shipments(self) -> dict[str, Shipment]:
        """What was sent, for the session steps."""
        return {uid: self._shipment(uid, sent) for uid, sent in self.sent.items()}

    def take_rejected(self) -> dict[str, Shipment]:
        """Return what is to be recorded of series of which XNAT keeps nothing, once."""
        taken, self.rejected = self.rejected, {}
        return {uid: self._shipment(uid, sent) for uid, sent in taken.items()}

    def _shipment(self, uid: str, sent: Sent) -> Shipment:
        return Shipment(
            sent.series.series_number,
            sent.source,
            sent.image_count,
            sent.images,
            self.sends.get(uid, 1) if uid not in self.accepted else max(self.sends.get(uid, 2), 2),
            self.accepted.get(uid),
            sent.series.crdc_series_uuid if sent.source is SourceName.IDC else "",
        )

    def is_left_out(self, uid: str, judged: Judgement, scripts: Scripts) -> bool:
        """Whether a series is short in the same way as before, after another send: then it is not lost on the way.

        A series of which nothing arrives twice may also be lost: a rule of XNAT must be able to leave it out.
        """
        is_same = self.sends.get(uid, 1) > 1 and self.shortages.get(uid) == judged.held
        return is_same and (bool(judged.held) or (judged.held == 0 and is_possible(scripts)))

    def outcome(self, sent: Sent, state: State, reason: str = "", error: Error | None = None) -> Outcome:
        """Return the outcome of a series that XNAT took."""
        uid = sent.series.series_instance_uid
        kept = self.accepted.get(uid, sent.image_count)
        note = (accepted_note(kept, sent.image_count),) if kept < sent.image_count else ()
        return Outcome(
            uid,
            state,
            self.plan.label,
            sent.source,
            kept,
            sent.byte_count,
            sent.seconds,
            reason,
            error.hint if error else "",
            type(error).__name__ if error else "",
            sent.notes + note,
        )

    def not_sent_outcome(self, failed: NotSent) -> Outcome:
        """Return the outcome of a series that did not arrive."""
        outcome = missing_outcome(failed.series.series_instance_uid, failed.error)
        return replace(outcome, label=self.plan.label, seconds=failed.seconds)

    def imported(self, sent: Sent) -> SeriesImported:
        """Return the event that tells of an import."""
        return SeriesImported(
            sent.series, self.plan.label, sent.source, sent.image_count, sent.byte_count, sent.seconds
        )


def entry(sent: Sent, kept: int | None = None) -> Imported:
    """Return what the ledger remembers of a series that XNAT took."""
    return Imported(
        sent.series.series_instance_uid,
        sent.series.study_instance_uid,
        sent.prearchive,
        sent.source,
        sent.image_count,
        sent.byte_count,
        sent.images.packed if sent.images else b"",
        kept,
    )


def nothing_kept(series: Series, source: SourceName, images: frozenset[str] | None) -> Sent:
    """Return what is remembered of a series that was sent and of which XNAT kept no image on import."""
    return Sent(
        series, source, "", series.image_count, series.byte_count, images=None if images is None else UidSet.of(images)
    )


def whereabouts(step: str, reason: str, error: Error | None) -> tuple[State, str]:
    """Return what is known of a session that did not come through its steps: only some still wait in the prearchive."""
    if step == "confirm":
        return State.FAILED, f"its session has left the prearchive, and was not found whole in the archive: {reason}"
    if step == "archive" and not isinstance(error, ArchiveConflict | XnatBusy | XnatRefused | RightsRefused):
        return State.FAILED, f"XNAT was asked to archive its session, and what came of that is not known: {reason}"
    return State.HELD, reason
