"""Which studies are PET/CT pairs, and why the others are not. Pure: rows in, verdicts out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tcia_xnat.core.words import counted
from tcia_xnat.pairs.rules import Rules, SeriesRules, rank, refusal


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series, as far as the rules and the result need it; `study_date` is ISO or empty, as all that is unknown."""

    collection: str
    patient_id: str
    patient_sex: str
    patient_age: str
    study_instance_uid: str
    study_date: str
    study_description: str
    modality: str
    series_description: str
    image_count: int
    series_instance_uid: str


class Verdict(StrEnum):
    """What became of a study."""

    CHOSEN = "chosen"
    SPARE = "spare"  # a pair as well, but its patient has enough of them
    REJECTED = "rejected"


class Order(StrEnum):
    """Which of a patient's pairs is taken first."""

    DATE = "date"  # the earliest study
    IMAGES = "images"  # the one with the most images


@dataclass(frozen=True, slots=True)
class Judged:
    """A study, its verdict and the reason in words; PET and CT are those of a pair, None of a rejected study.

    `rules` is the name of the rules by which it was judged.
    """

    collection: str
    patient_id: str
    study_instance_uid: str
    study_date: str
    verdict: Verdict
    reason: str
    pet: SeriesRow | None = None
    ct: SeriesRow | None = None
    rules: str = ""

    @property
    def image_count(self) -> int:
        """Images of PET and CT together."""
        return sum(series.image_count for series in (self.pet, self.ct) if series)


def judge(
    rows: Iterable[SeriesRow], rules: Sequence[Rules], order: Order = Order.DATE, per_patient: int = 1
) -> list[Judged]:
    """Return the verdict on every study, by collection and patient, the first in `order` first.

    Parameters
    ----------
    rows
        Series of any modality, in any order.
    rules
        Tried in this order: a patient of whom the first find no pair is judged by the next.
    per_patient
        How many pairs a patient of a collection may have.
    """
    studies: dict[tuple[str, str], list[SeriesRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.series_instance_uid):
        studies[row.collection, row.study_instance_uid].append(row)
    patients: dict[tuple[str, str], list[list[SeriesRow]]] = defaultdict(list)
    for series in studies.values():
        first = _first(series)
        patients[first.collection, first.patient_id].append(series)
    judged = (_judge_patient(group, rules) for _, group in sorted(patients.items()))
    return [one for group in judged for one in _spared(sorted(group, key=_key(order)), per_patient)]


def _judge_patient(studies: Iterable[Sequence[SeriesRow]], rules: Sequence[Rules]) -> list[Judged]:
    """Judge the studies of a patient by the first rules that find a pair; by the first of all when none do."""
    all_judged = []
    for tried in rules:
        judged = [_judge_study(series, tried) for series in studies]
        if any(study.verdict is Verdict.CHOSEN for study in judged):
            return judged
        all_judged.append(judged)
    return all_judged[0]


def _key(order: Order) -> Callable[[Judged], tuple[object, ...]]:
    def by_date(study: Judged) -> tuple[object, ...]:
        return not study.study_date, study.study_date, study.study_instance_uid  # unknown dates come last

    def by_images(study: Judged) -> tuple[object, ...]:
        return -study.image_count, *by_date(study)

    return by_date if order is Order.DATE else by_images


def _spared(studies: Iterable[Judged], per_patient: int) -> Iterator[Judged]:
    chosen: list[Judged] = []
    for study in studies:
        if study.verdict is Verdict.REJECTED:
            yield study
        elif len(chosen) < per_patient:
            chosen.append(study)
            yield study
        else:
            others = ", ".join(f"{one.study_instance_uid} of {one.study_date or 'an unknown date'}" for one in chosen)
            yield replace(study, verdict=Verdict.SPARE, reason=f"the patient has {others}; {study.reason}")


def _judge_study(series: Sequence[SeriesRow], rules: Rules) -> Judged:
    pets, complaint_of_pet, aside_of_pet = _candidates(series, rules.pet, "PET")
    cts, complaint_of_ct, aside_of_ct = _candidates(series, rules.ct, "CT")
    complaints = [complaint for complaint in (complaint_of_pet, complaint_of_ct) if complaint]
    first = _first(series)
    judged = Judged(
        first.collection,
        first.patient_id,
        first.study_instance_uid,
        first.study_date,
        Verdict.REJECTED,
        "",
        rules=rules.name,
    )
    aside = [f"set aside: {', '.join(aside_of_pet + aside_of_ct)}"] if aside_of_pet or aside_of_ct else []
    if complaints:
        return replace(judged, reason="; ".join([*complaints, *aside]))
    (pet,), (ct,) = pets, cts
    pair = f"PET {_named(pet)} with CT {_named(ct)}"
    return replace(judged, verdict=Verdict.CHOSEN, reason="; ".join([pair, *aside]), pet=pet, ct=ct)


def _first(series: Iterable[SeriesRow]) -> SeriesRow:
    """Return the series that dates a study."""
    return min(series, key=lambda row: (not row.study_date, row.study_date))


def _candidates(series: Iterable[SeriesRow], rules: SeriesRules, kind: str) -> tuple[list[SeriesRow], str, list[str]]:
    """Return the series that pass, what is wrong with their number, and why the others do not pass."""
    judged = [(row, _refusal(rules, row)) for row in series if row.modality == rules.modality]
    passed = [row for row, reason in judged if not reason]
    aside = [f"{kind} {_named(row)} {reason}" for row, reason in judged if reason]
    if not judged:
        return passed, f"no {kind}", aside
    if not passed:
        return passed, f"no {kind} passes", aside
    if len(passed) > 1 and rules.prefer:
        best = min(passed, key=lambda row: (rank(rules, row.series_description), -row.image_count))
        return [best], "", [*aside, *(f"{kind} {_named(row)} comes after it" for row in passed if row is not best)]
    if len(passed) > 1:
        return passed, f"{len(passed)} {kind} pass: {', '.join(map(_named, passed))}", aside
    return passed, "", aside


def _refusal(rules: SeriesRules, row: SeriesRow) -> str:
    if row.image_count < rules.least_images:
        return f"has fewer than {counted(rules.least_images, 'image')}"
    return refusal(rules, row.series_description)


def _named(series: SeriesRow) -> str:
    description = repr(series.series_description) if series.series_description else "without a description"
    return f"{description} ({counted(series.image_count, 'image')})"
