"""What is left to do: the manifest's series, beside what XNAT holds of them. Pure; nothing is asked or sent."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tcia_xnat.core import licenses
from tcia_xnat.core.errors import ArchiveConflict
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Existing, Held, Imported
from tcia_xnat.planning.identity import Refusal, Templates, identify
from tcia_xnat.planning.identity.refusal import in_foreign_session, of_another_type
from tcia_xnat.planning.modalities import fits
from tcia_xnat.planning.settle import judged_of, missing_outcome, refused_outcome, settled


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
    unwanted
        SeriesInstanceUIDs of which an option leaves out all images, or some: they must not wait in the session.
    """

    study_instance_uid: str
    label: Label
    send: tuple[Series, ...]
    imported: tuple[tuple[Series, Imported], ...] = ()
    overwrite: bool = False
    prearchive: tuple[str, ...] = ()
    unwanted: frozenset[str] = frozenset()


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


def expected_labels(catalogue: Catalogue, templates: Templates) -> dict[str, Label]:
    """Return a label that each study would have in an empty project, by StudyInstanceUID."""
    labels = identify(catalogue, Held(), templates).labels
    return {one.study_instance_uid: labels[uid] for uid, one in sorted(catalogue.series.items())}


def make(  # noqa: PLR0913  what a plan depends on
    catalogue: Catalogue,
    held: Held,
    names: Mapping[str, Label],
    existing: Existing = Existing.SKIP,
    *,
    accept_rejected: bool = False,
    refused: Mapping[str, Refusal] = MappingProxyType({}),
) -> Plan:
    """Decide what is left to do for the series of a catalogue.

    Parameters
    ----------
    names
        SeriesInstanceUID → label.
    refused
        SeriesInstanceUID → why it does not move.
    accept_rejected
        Count series of which XNAT has left out images.

    Raises
    ------
    UsageError
        `existing` is ERROR and the archive holds a series that was asked for.
    """
    done = [missing_outcome(uid, error) for uid, error in catalogue.missing.items()]
    studies: list[StudyPlan] = []
    leftovers: list[Leftover] = []
    sessions = _by_session(catalogue.series.values(), names)
    several = {study for study, count in Counter(study for study, _ in sessions).items() if count > 1}
    for (study, label), all_series in sessions.items():
        is_alone = study not in several
        if shared := _shared(all_series, held):
            done += shared
            continue
        stays = [
            refused_outcome(one, label, why) for one in all_series if (why := refused.get(one.series_instance_uid))
        ]
        left: list[Series] = []
        for series in all_series:
            if series.series_instance_uid in refused:
                continue
            if outcome := settled(series, label, held, existing, accept_rejected=accept_rejected):
                done.append(outcome)
            else:
                left.append(series)
        if left and (why := _unwelcome(left, label, held)):
            stays += [refused_outcome(series, label, why) for series in left]
            left = []
        done += stays
        if left:
            planned = _study_plan(label, left, held, existing, is_alone=is_alone)
            studies.append(replace(planned, unwanted=catalogue.unwanted.get(study, frozenset())))
        elif not stays and (urls := _in_prearchive(all_series[0], label, held, is_alone=is_alone)):
            leftovers.append(Leftover(label, urls))
    return Plan(tuple(studies), tuple(done), tuple(leftovers))


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
    kept = {uid: one for uid, one in catalogue.series.items() if licenses.allows(patterns, one.licence)}
    unwanted = dict(catalogue.unwanted)
    for uid, one in catalogue.series.items():
        if uid not in kept:
            unwanted[one.study_instance_uid] = unwanted.get(one.study_instance_uid, frozenset()) | {uid}
    return replace(catalogue, series=kept, unwanted=unwanted)


def left_out(catalogue: Catalogue, patterns: Sequence[str]) -> tuple[Outcome, ...]:
    """Return the outcomes of the series that `allowed` leaves out."""
    return tuple(
        Outcome(
            uid,
            State.FILTERED,
            reason=f"left out by --licence-filter: its licence is {one.licence or licenses.UNKNOWN}",
        )
        for uid, one in catalogue.series.items()
        if not licenses.allows(patterns, one.licence)
    )


def _unwelcome(left: Sequence[Series], label: Label, held: Held) -> Refusal | None:
    """Return why XNAT would not take what is left of a session, or why it must not be sent."""
    modalities = frozenset(one.modality for one in left) - {""}
    if url := held.foreign.get(left[0].study_instance_uid):
        return in_foreign_session(url)
    kind = held.types.get(label, "")
    if fits(modalities, kind):
        return None
    is_held = any(one.series_instance_uid in held.archived_as for one in left)
    return of_another_type(label, kind, modalities, is_held=is_held)


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


def _by_session(series: Iterable[Series], names: Mapping[str, Label]) -> dict[tuple[str, Label], list[Series]]:
    grouped: dict[tuple[str, Label], list[Series]] = defaultdict(list)
    for one in series:
        grouped[one.study_instance_uid, names[one.series_instance_uid]].append(one)
    return grouped


def _in_prearchive(series: Series, label: Label, held: Held, *, is_alone: bool) -> tuple[str, ...]:
    """Return the places of a session in the prearchive: sessions of other patients or folders may have its study."""
    urls = held.prearchive.get(series.study_instance_uid, ())
    if is_alone and series.folder is None:
        return urls
    return tuple(url for url in urls if url.rsplit("/", 1)[-1].lower() == label.session.lower())


def _study_plan(label: Label, left: Sequence[Series], held: Held, existing: Existing, *, is_alone: bool) -> StudyPlan:
    is_new = existing is Existing.APPEND  # what XNAT left out of is sent again when that is asked for
    imported = {uid: entry for uid, entry in held.imported.items() if entry.kept is None or not is_new}
    return StudyPlan(
        left[0].study_instance_uid,
        label,
        send=tuple(series for series in left if series.series_instance_uid not in imported),
        imported=tuple(
            (series, imported[series.series_instance_uid]) for series in left if series.series_instance_uid in imported
        ),
        overwrite=any(
            series.series_instance_uid in held.holdings
            and (existing is Existing.APPEND or not judged_of(series, held).is_complete)
            for series in left
        )
        or left[0].study_instance_uid in held.changed_studies,
        prearchive=_in_prearchive(left[0], label, held, is_alone=is_alone),
    )
