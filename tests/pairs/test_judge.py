"""Each rule on its study, the reference rows, and which of a patient's pairs is taken."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tcia_xnat.pairs import Judged, Order, SeriesRow, Verdict, explained_line, judge, load, pairs_csv
from tcia_xnat.pairs.rows import Wanted, index_rows
from tcia_xnat.pairs.rules import STANDARD
from tcia_xnat.sources.idc.client import index_path
from tests.pairs.case import STUDIES, Study, series_rows

HERE = Path(__file__).parent
ROWS = tuple(series_rows())


def judged(
    rules: str = "default", order: Order = Order.DATE, per_patient: int = 1, rows: Sequence[SeriesRow] = ROWS
) -> dict[int, Judged]:
    found = judge(rows, [load(rules)], order, per_patient)
    return {int(one.study_instance_uid.removeprefix("1.")): one for one in found}


def chosen(studies: dict[int, Judged]) -> list[int]:
    return [number for number, study in studies.items() if study.verdict is Verdict.CHOSEN]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: f"study {study.number}")
def test_each_study_has_its_verdict_and_its_reason(study: Study) -> None:
    found = judged()[study.number]
    assert found.verdict == study.verdict
    assert study.reason in found.reason
    line = explained_line(found)
    assert line.startswith(f"{study.collection} {study.patient} {study.date or 'unknown date'} 1.{study.number} ")
    assert f" {study.verdict}: " in line
    assert "\n" not in line


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: f"study {study.number}")
def test_the_strict_rules_go_by_words(study: Study) -> None:
    assert judged("strict")[study.number].verdict == study.strict


@pytest.mark.parametrize("rules", ["default", "strict"])
def test_the_reference_rows(rules: str) -> None:
    studies = judge(ROWS, [load(rules)])
    written = pairs_csv(study for study in studies if study.verdict is Verdict.CHOSEN)
    assert written == (HERE / f"reference_{rules}.csv").read_text()


def test_the_order_of_the_rows_changes_nothing() -> None:
    for given in (ROWS[::-1], ROWS[13:] + ROWS[:13], ROWS[::2] + ROWS[1::2]):
        assert judge(given, [load("default")]) == judge(ROWS, [load("default")])


def test_the_study_with_the_most_images_first() -> None:
    rows = [replace(row, image_count=900) if row.series_instance_uid == "1.1.1" else row for row in ROWS]
    assert chosen(judged(rows=rows)) == [2, 5, 10, 19, 27, 29, 30]
    assert chosen(judged(order=Order.IMAGES, rows=rows)) == [1, 5, 10, 19, 27, 29, 30]
    assert chosen(judged(order=Order.IMAGES, rows=rows, per_patient=2)) == [1, 2, 5, 10, 19, 27, 26, 29, 30]


def test_several_pairs_of_a_patient() -> None:
    assert chosen(judged(per_patient=2)) == [2, 1, 5, 10, 19, 27, 26, 29, 30]


def test_studies_of_one_day_are_taken_by_their_uid() -> None:
    rows = [replace(row, study_date="2001-01-01") for row in ROWS if row.study_instance_uid in {"1.1", "1.2"}]
    for given in (rows, rows[::-1]):
        assert [one.study_instance_uid for one in judge(given, [load("default")]) if one.pet] == ["1.1", "1.2"]
        assert judge(given, [load("default")])[0].verdict is Verdict.CHOSEN


def test_a_table_of_thirty_studies_has_each_term_of_the_rules() -> None:
    rules = load("default")
    for kind, half in (("PET", rules.pet), ("CT", rules.ct)):
        reasons = " ".join(f"{study.reason}" for study in STUDIES if f"{kind} " in study.reason)
        assert [term for term in half.exclude if f"is excluded by {term!r}" not in reasons] == []
    assert len(STUDIES) == 30


PET_CT = (  # collections with both in one study, and patients of whom no study has a usable PET
    "fdg_pet_ct_lesions",
    "psma_pet_ct_lesions",
    "acrin_nsclc_fdg_pet",
    "nsclc_radiogenomics",
    "lung_pet_ct_dx",
    "rider_lung_pet_ct",
    "soft_tissue_sarcoma",
    "qin_breast",
    "anti_pd_1_lung",
)


@pytest.fixture(scope="module")
def real() -> dict[str, list[SeriesRow]]:
    found: dict[str, list[SeriesRow]] = {name: [] for name in PET_CT}
    for row in index_rows(index_path(None), Wanted(collection_ids=PET_CT)):
        found[row.collection].append(row)
    return found


@pytest.mark.parametrize("collection", PET_CT)
def test_real_collections_have_a_pair_of_at_least_nine_patients_in_ten(
    real: dict[str, list[SeriesRow]], collection: str
) -> None:
    modalities: dict[str, set[str]] = {}
    for row in real[collection]:
        modalities.setdefault(row.study_instance_uid, set()).add(row.modality)
    both = {row.patient_id for row in real[collection] if {"PT", "CT"} <= modalities[row.study_instance_uid]}
    studies = judge(real[collection], [load(name) for name in STANDARD])
    pairs = [study for study in studies if study.verdict is Verdict.CHOSEN]
    assert len(pairs) >= 0.9 * len(both)
    for pair in pairs:
        assert pair.pet
        assert pair.ct
        assert pair.pet.study_instance_uid == pair.ct.study_instance_uid
        assert not re.search(r"\bNAC|uncorr|no.?ac\b|MIP|sag", pair.pet.series_description, re.IGNORECASE)


def test_the_best_series_by_preference_then_by_size() -> None:
    names = {"1": "PET NAC", "2": "PET WB", "3": "PET AC", "4": "PET AC", "5": "CT Lung", "6": "CTAC", "7": "SCOUT"}
    rows = [
        replace(
            ROWS[0],
            series_instance_uid=uid,
            series_description=name,
            modality="PT" if "PET" in name else "CT",
            image_count=100 + int(uid),
        )
        for uid, name in names.items()
    ]
    (study,) = judge(rows, [load("default"), load("general")])
    assert study.pet
    assert study.ct
    assert (study.pet.series_instance_uid, study.ct.series_instance_uid, study.rules) == ("4", "6", "general")
    assert "PET 'PET NAC' (101 images) is excluded by 'nac'" in study.reason
