"""Pairs and verdicts as tables."""

from collections.abc import Iterable, Iterator, Sequence

from tcia_xnat.core.tables import table
from tcia_xnat.pairs.judge import Judged

COLUMNS = (
    "collection",
    "patient_id",
    "patient_sex",
    "patient_age",
    "study_instance_uid",
    "study_date",
    "study_description",
    "pet_series_description",
    "pet_img_count",
    "pet_series_instance_uid",
    "ct_series_description",
    "ct_img_count",
    "ct_series_instance_uid",
    "series_instance_uid",
)
_EXPLAINED = ("collection", "patient_id", "study_instance_uid", "study_date", "verdict", "rules", "reason")


def pairs_csv(pairs: Iterable[Judged]) -> str:
    """Return the pairs, a row each.

    `series_instance_uid` is that of the CT, for programs that take one series of a row; a manifest reader that knows
    `pet_series_instance_uid` and `ct_series_instance_uid` takes both.
    """
    return table(COLUMNS, _pair_rows(pairs))


def explained_csv(studies: Iterable[Judged]) -> str:
    """Return each study with its verdict and the reason."""
    return table(_EXPLAINED, ([getattr(study, column) for column in _EXPLAINED] for study in studies))


def explained_line(study: Judged) -> str:
    """Return a study, its verdict and the reason in a line for people."""
    date = study.study_date or "unknown date"
    return f"{study.collection} {study.patient_id} {date} {study.study_instance_uid} {study.verdict}: {study.reason}"


def _pair_rows(pairs: Iterable[Judged]) -> Iterator[Sequence[object]]:
    for pair in pairs:
        pet, ct = pair.pet, pair.ct
        if pet and ct:
            yield (
                pair.collection,
                pair.patient_id,
                pet.patient_sex or ct.patient_sex,
                pet.patient_age or ct.patient_age,
                pair.study_instance_uid,
                ct.study_date or pet.study_date,
                pet.study_description or ct.study_description,
                pet.series_description,
                pet.image_count,
                pet.series_instance_uid,
                ct.series_description,
                ct.image_count,
                ct.series_instance_uid,
                ct.series_instance_uid,
            )
