"""What a plan comes to, counted: by collection, by session, and what cannot be had. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.transfer.work import Prepared


class Left(StrEnum):
    """What a run has to do for one series."""

    NEW = "new"  # is fetched and sent; also what the archive has in part
    WAITING = "waiting"  # was sent by an earlier run and waits in the prearchive
    THERE = "there"  # is in the archive
    UNAVAILABLE = "unavailable"  # nobody offers it, or nobody could be asked
    FILTERED = "filtered"  # left out, because of its licence


@dataclass(frozen=True, slots=True)
class Counts:
    """Some series: how many in each state; `images` and `bytes` of the new ones."""

    series: int
    new: int
    waiting: int
    there: int
    images: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """What is asked of one collection under one licence."""

    collection_id: str
    licence: str
    source_dois: tuple[str, ...]
    patients: int
    sessions: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class SessionRow:
    """What is asked of one study, and the labels that it has or gets."""

    patient_id: str
    study_instance_uid: str
    study_date: str
    label: Label
    counts: Counts

    @property
    def action(self) -> str:
        """What a run does with the session: `make`, `complete`, `archive` (all was sent before) or `leave`."""
        if not self.counts.new:
            return "archive" if self.counts.waiting else "leave"
        return "complete" if self.counts.there else "make"


@dataclass(frozen=True, slots=True)
class PlanRows:
    """A whole plan; `unavailable` and `filtered` say why each of these series cannot be had, or is left out."""

    collections: tuple[CollectionRow, ...]
    sessions: tuple[SessionRow, ...]
    unavailable: tuple[Outcome, ...]
    filtered: tuple[Outcome, ...]
    counts: Counts
    states: Mapping[str, Left]


_LEFT = {State.PRESENT: Left.THERE, State.FILTERED: Left.FILTERED}


def plan_rows(prepared: Prepared) -> PlanRows:
    """Count what a run would do."""
    states = _states(prepared)
    asked = [series for uid, series in prepared.catalogue.series.items() if uid in states]
    settled = prepared.plan.settled
    return PlanRows(
        tuple(_collection(key, members, states, prepared.labels) for key, members in _grouped(asked, _collection_key)),
        tuple(_session(prepared, key[1], members, states) for key, members in _grouped(asked, _study_key(prepared))),
        tuple(outcome for outcome in settled if outcome.state.is_missing),
        tuple(outcome for outcome in settled if outcome.state is State.FILTERED),
        _counts(asked, states),
        states,
    )


def _states(prepared: Prepared) -> dict[str, Left]:
    states = {series.series_instance_uid: Left.NEW for series in prepared.plan.send}
    states |= {
        series.series_instance_uid: Left.WAITING for study in prepared.plan.studies for series, _ in study.imported
    }
    return states | {
        outcome.series_instance_uid: _LEFT.get(outcome.state, Left.UNAVAILABLE) for outcome in prepared.plan.settled
    }


def _collection_key(series: Series) -> tuple[str, ...]:
    return series.collection_id, series.licence


def _study_key(prepared: Prepared) -> Callable[[Series], tuple[str, ...]]:
    """Return what sorts series into sessions: a study has one date, that of the earliest of its series."""
    facts = prepared.catalogue.facts()

    def key(series: Series) -> tuple[str, ...]:
        label, study = prepared.labels[series.series_instance_uid], series.study_instance_uid
        return series.patient, facts[study].study_date, study, label.subject, label.session

    return key


def _grouped(
    members: Iterable[Series], key: Callable[[Series], tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[Series]]]:
    groups: dict[tuple[str, ...], list[Series]] = defaultdict(list)
    for series in members:
        groups[key(series)].append(series)
    return sorted(groups.items())


def _collection(
    key: tuple[str, ...], members: list[Series], states: Mapping[str, Left], labels: Mapping[str, Label]
) -> CollectionRow:
    collection_id, licence = key
    return CollectionRow(
        collection_id,
        licence,
        tuple(sorted({series.source_doi for series in members} - {""})),
        patients=len({series.patient for series in members}),
        sessions=len({labels[series.series_instance_uid] for series in members}),
        counts=_counts(members, states),
    )


def _session(prepared: Prepared, study_date: str, members: list[Series], states: Mapping[str, Left]) -> SessionRow:
    first = members[0]
    label = prepared.labels[first.series_instance_uid]
    counts = _counts(members, states)
    return SessionRow(first.patient, first.study_instance_uid, study_date, label, counts)


def _counts(members: list[Series], states: Mapping[str, Left]) -> Counts:
    counted = Counter(states[series.series_instance_uid] for series in members)
    new = [series for series in members if states[series.series_instance_uid] is Left.NEW]
    return Counts(
        len(members),
        counted[Left.NEW],
        counted[Left.WAITING],
        counted[Left.THERE],
        sum(series.image_count for series in new),
        sum(series.byte_count for series in new),
    )
