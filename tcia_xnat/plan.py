"""What is left to do: the manifest's series, beside what XNAT holds of them. Pure; nothing is asked or sent."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tcia_xnat import labels, licences
from tcia_xnat.catalogue import Catalogue
from tcia_xnat.errors import ArchiveConflict, Error, SeriesUnavailable, UsageError
from tcia_xnat.ledger import Imported
from tcia_xnat.model import Label, Outcome, Series, State
from tcia_xnat.planning import completeness
from tcia_xnat.planning.completeness import Holding, Judgement, Wanted


class Existing(StrEnum):
    """What to do with a series that the archive holds already."""

    SKIP = "skip"  # leave it; a series with too few images is sent again
    APPEND = "append"  # send it again, over what is there
    ERROR = "error"  # refuse to run


@dataclass(frozen=True, slots=True)
class Held:
    """What XNAT holds of the studies asked for.

    Attributes
    ----------
    labels
        StudyInstanceUID → the labels under which XNAT has it, those of the archive first.
    archived_as
        SeriesInstanceUID → the label of the session in the archive that has most of its images.
    holdings
        SeriesInstanceUID → what the archive has of it.
    imported
        By SeriesInstanceUID what the ledger remembers of series that an earlier run proved and sent, and that still
        wait in the prearchive.
    prearchive
        StudyInstanceUID → URLs of its sessions in the prearchive that runs of this tool have left there.
    left
        URLs of sessions in the prearchive that runs which are over have left, as the ledger tells.
    shared
        StudyInstanceUID → project to which its session belongs, and label, for sessions that are shared into this one.
    sessions, subjects
        All labels that are taken in the project.
    """

    labels: Mapping[str, Sequence[Label]] = field(default_factory=dict)
    archived_as: Mapping[str, Label] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    imported: Mapping[str, Imported] = field(default_factory=dict)
    prearchive: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    shared: Mapping[str, tuple[str, Label]] = field(default_factory=dict)
    sessions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What is left to do for one study.

    Attributes
    ----------
    send
        Series to fetch and import.
    imported
        Series that wait in the prearchive already.
    prearchive
        URLs of the study's sessions in the prearchive, from earlier runs.
    overwrite
        A series of the archive is completed or replaced, so XNAT must be told to overwrite.
    """

    study_instance_uid: str
    label: Label
    send: tuple[Series, ...]
    imported: tuple[tuple[Series, Imported], ...] = ()
    overwrite: bool = False
    prearchive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leftover:
    """What earlier runs left in the prearchive of a study that the archive has."""

    label: Label
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: the studies with work in them, what is to be tidied up, and the series that are settled."""

    studies: tuple[StudyPlan, ...]
    settled: tuple[Outcome, ...]
    leftovers: tuple[Leftover, ...] = ()

    @property
    def send(self) -> list[Series]:
        """All series that are fetched."""
        return [series for study in self.studies for series in study.send]


def assign_labels(catalogue: Catalogue, held: Held, subject_label: str, session_label: str) -> dict[str, Label]:
    """Return the label of every session by its `Series.session_key`, from templates as `labels.assign` takes them.

    Raises
    ------
    UsageError
        A template is wrong.
    """
    keys = {
        series.session_key: labels.StudyKey(
            series.session_key,
            series.patient,
            series.study_date,
            collection_id=series.collection_id,
            study_description=series.study_description,
            modality=series.modality,
            session=series.folder.session if series.folder else "",
        )
        for series in catalogue.series.values()
    }
    return labels.assign(
        keys.values(),
        _held_labels(catalogue, held),
        held.sessions,
        held.subjects,
        subject_template=subject_label,
        session_template=session_label,
    )


def make(catalogue: Catalogue, held: Held, names: Mapping[str, Label], existing: Existing = Existing.SKIP) -> Plan:
    """Decide what is left to do for the series of a catalogue, its sessions labelled by `names`.

    Raises
    ------
    UsageError
        `existing` is ERROR and the archive holds a series that was asked for.
    """
    settled = [missing_outcome(uid, error) for uid, error in catalogue.missing.items()]
    studies: list[StudyPlan] = []
    leftovers: list[Leftover] = []
    for session_key, all_series in _by_session(catalogue.series.values()).items():
        if shared := _shared(all_series, held):
            settled += shared
            continue
        label = names[session_key]
        left: list[Series] = []
        for series in all_series:
            if outcome := _settled(series, label, held, existing):
                settled.append(outcome)
            else:
                left.append(series)
        if left:
            studies.append(_study_plan(label, left, held, existing))
        elif urls := _in_prearchive(all_series[0], label, held):
            leftovers.append(Leftover(label, urls))
    return Plan(tuple(studies), tuple(settled), tuple(leftovers))


def shard(catalogue: Catalogue, number: int, of: int) -> Catalogue:
    """Return the part of one of `of` equal workers, cut by patient so that no two meet in one subject (from 0)."""

    def is_ours(key: str) -> bool:
        return zlib.crc32(key.encode(errors="surrogateescape")) % of == number

    return replace(
        catalogue,
        series={uid: series for uid, series in catalogue.series.items() if is_ours(series.patient)},
        missing={uid: error for uid, error in catalogue.missing.items() if is_ours(uid)},
    )


def limited(catalogue: Catalogue, limit: int | None) -> Catalogue:
    """Return the first `limit` series of a list, also those that nobody offers; all for None."""
    if limit is None:
        return catalogue
    taken = [uid for uid in catalogue.order if uid in catalogue.series or uid in catalogue.missing][:limit]
    return replace(
        catalogue,
        series={uid: catalogue.series[uid] for uid in taken if uid in catalogue.series},
        missing={uid: catalogue.missing[uid] for uid in taken if uid in catalogue.missing},
    )


def allowed(catalogue: Catalogue, patterns: Sequence[str]) -> Catalogue:
    """Return the part of a catalogue whose licences are wanted, as `licences.allows` takes them."""
    kept = {uid: one for uid, one in catalogue.series.items() if licences.allows(patterns, one.licence)}
    return replace(catalogue, series=kept)


def left_out(catalogue: Catalogue, patterns: Sequence[str]) -> tuple[Outcome, ...]:
    """Return the outcomes of the series that `allowed` leaves out."""
    return tuple(
        Outcome(
            uid,
            State.FILTERED,
            reason=f"left out by --licence-filter: its licence is {one.licence or licences.UNKNOWN}",
        )
        for uid, one in catalogue.series.items()
        if not licences.allows(patterns, one.licence)
    )


def missing_outcome(series_instance_uid: str, error: Error) -> Outcome:
    """Return the outcome of a series that the catalogue does not know."""
    state = State.UNAVAILABLE if isinstance(error, SeriesUnavailable) else State.FAILED
    return Outcome(series_instance_uid, state, reason=str(error), hint=error.hint, kind=type(error).__name__)


def _shared(all_series: Sequence[Series], held: Held) -> list[Outcome]:
    """Return the outcomes of a study that this project only has from another one: XNAT merges nothing into it."""
    study = all_series[0].study_instance_uid
    if study in held.labels or study not in held.shared:
        return []
    project, label = held.shared[study]
    reason = f"its study is shared into this project from project {project}, as session {label.session}"
    hint = f"bring it into project {project}, or end the sharing; then run the same command again"
    kind = ArchiveConflict.__name__
    return [
        Outcome(series.series_instance_uid, State.FAILED, label, reason=reason, hint=hint, kind=kind)
        for series in all_series
    ]


def unbegun_outcome(series_instance_uid: str, error: Error, label: Label | None = None) -> Outcome:
    """Return the outcome of a series that a run did not come to, and the error that ended the run."""
    return replace(missing_outcome(series_instance_uid, error), state=State.NOT_STARTED, label=label)


def _held_labels(catalogue: Catalogue, held: Held) -> dict[str, Label]:
    """Return the label of each session that XNAT holds.

    Where folders name sessions, a study may be several of them: it is the one that has the series, or bears the name.
    """
    found: dict[str, Label] = {}
    for series in catalogue.series.values():
        named = held.labels.get(series.study_instance_uid, ())
        if series.folder is not None:
            named = [label for label in named if labels.is_numbered(label.session, series.folder.session)]
            if there := held.archived_as.get(series.series_instance_uid):
                found[series.session_key] = there
        if named:
            found.setdefault(series.session_key, named[0])
    return found


def _by_session(series: Iterable[Series]) -> dict[str, list[Series]]:
    grouped: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        grouped[one.session_key].append(one)
    return grouped


def _in_prearchive(series: Series, label: Label, held: Held) -> tuple[str, ...]:
    """Return the places of a session in the prearchive; where folders name it, another one may have the same study."""
    urls = held.prearchive.get(series.study_instance_uid, ())
    return urls if series.folder is None else tuple(url for url in urls if url.rsplit("/", 1)[-1] == label.session)


def _settled(series: Series, label: Label, held: Held, existing: Existing) -> Outcome | None:
    """Return the outcome of a series that is not to be sent; None for one that is."""
    uid = series.series_instance_uid
    if uid not in held.holdings or uid in held.imported or existing is Existing.APPEND:
        return None
    if existing is Existing.ERROR:
        raise UsageError(
            f"series {uid} is there already",
            "with --existing skip what is there is left alone, with --existing append it is replaced",
        )
    judged = _judged(series, held)
    if judged.is_complete:
        return present_outcome(series, held.archived_as.get(uid, label), judged.held)
    if judged.held is None:
        return _unknown_outcome(series, label, held, judged)
    return None


def _judged(series: Series, held: Held) -> Judgement:
    return completeness.judge(Wanted(series.image_count), held.holdings.get(series.series_instance_uid))


def _study_plan(label: Label, left: Sequence[Series], held: Held, existing: Existing) -> StudyPlan:
    return StudyPlan(
        left[0].study_instance_uid,
        label,
        send=tuple(series for series in left if series.series_instance_uid not in held.imported),
        imported=tuple(
            (series, held.imported[series.series_instance_uid])
            for series in left
            if series.series_instance_uid in held.imported
        ),
        overwrite=any(
            series.series_instance_uid in held.holdings
            and (existing is Existing.APPEND or not _judged(series, held).is_complete)
            for series in left
        ),
        prearchive=_in_prearchive(left[0], label, held),
    )


def present_outcome(series: Series, label: Label, image_count: int | None = None) -> Outcome:
    """Return the outcome of a series that was there already, under a label, with as many images as were counted."""
    return Outcome(
        series.series_instance_uid,
        State.PRESENT,
        label,
        image_count=series.image_count if image_count is None else image_count,
        byte_count=series.byte_count,
    )


def _unknown_outcome(series: Series, label: Label, held: Held, judged: Judgement) -> Outcome:
    """Return the outcome of a series that the archive has, nobody knows how much of it."""
    return Outcome(
        series.series_instance_uid,
        State.FAILED,
        held.archived_as.get(series.series_instance_uid, label),
        reason=f"XNAT holds {judged}",
        hint="have an owner refresh the catalogs of its session in XNAT; --existing append replaces the series",
        kind="Uncounted",
    )
