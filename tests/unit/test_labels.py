"""Labels: the numbering, what is taken, and that neither order nor interruption changes them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcia_xnat.errors import UsageError
from tcia_xnat.labels import StudyKey, assign, clean
from tcia_xnat.model import Label

patients = st.sampled_from(["A", "a", "A_01", "A 01", "A-1", "B", "B_01", "x" * 64, "x" * 70, "é", ""])
dates = st.sampled_from(["", "1960-01-01", "1960-01-02", "2000-12-31"])


@st.composite
def studies(draw: st.DrawFn) -> list[StudyKey]:
    drawn = draw(st.lists(st.tuples(patients, dates), max_size=12))
    return [StudyKey(f"1.2.{number}", patient, date) for number, (patient, date) in enumerate(drawn)]


def sessions(assigned: dict[str, Label]) -> list[str]:
    return [assigned[uid].session for uid in sorted(assigned)]


def study(number: int, patient: str = "P", date: str = "1960-01-01") -> StudyKey:
    return StudyKey(f"1.2.{number}", patient, date)


def test_a_patients_studies_are_numbered_by_date_then_uid() -> None:
    assigned = assign([study(3, date="1960-01-01"), study(1, date="1960-02-01"), study(2, date="1960-01-01")], {}, [])
    assert {uid: label.session for uid, label in assigned.items()} == {"1.2.2": "P", "1.2.3": "P_01", "1.2.1": "P_02"}
    assert {label.subject for label in assigned.values()} == {"P"}


def test_a_label_that_is_taken_is_skipped_whatever_its_case() -> None:
    assert sessions(assign([study(1), study(2)], {}, ["p", "P_02"])) == ["P_01", "P_03"]


def test_a_study_that_xnat_holds_keeps_label_and_subject_and_its_patients_new_ones_follow_it() -> None:
    held = {"1.2.2": Label("somebody", "baseline")}
    assigned = assign([study(1), study(2)], held, ["baseline"])
    assert assigned == {"1.2.1": Label("somebody", "P"), "1.2.2": Label("somebody", "baseline")}


def test_a_bare_name_goes_to_its_owner_before_a_number_makes_it() -> None:
    assigned = assign([study(1, "A"), study(2, "A"), study(3, "A_01")], {}, [])
    assert sessions(assigned) == ["A", "A_02", "A_01"]
    assert assigned["1.2.3"].subject == "A_01"


def test_two_patients_whose_names_clean_to_the_same_stay_two_subjects() -> None:
    assigned = assign([study(1, "a 1"), study(2, "A_1")], {}, [])
    assert assigned["1.2.2"].subject.lower() != assigned["1.2.1"].subject.lower()


def test_a_subject_that_is_there_is_this_patient_in_its_own_spelling() -> None:
    assert assign([study(1, "p-1")], {}, [], ["P-1"])["1.2.1"].subject == "P-1"


def test_a_label_never_grows_beyond_64_characters() -> None:
    assigned = assign([study(1, "y" * 64), study(2, "y" * 64)], {}, [])
    assert sessions(assigned) == ["y" * 64, "y" * 61 + "_01"]


def test_templates_take_the_fields_of_a_study() -> None:
    one = StudyKey("1.2.3", "P", "1960-01-31", collection_id="cmb_aml", study_description="CT chest")
    label = assign(
        [one], {}, [], subject_template="{collection_id}-{PatientID}", session_template="{StudyDate} {StudyDescription}"
    )
    assert label["1.2.3"] == Label("cmb_aml-P", "19600131_CT_chest")


def test_a_template_with_another_field_is_refused() -> None:
    with pytest.raises(UsageError, match="Nickname"):
        assign([study(1)], {}, [], session_template="{Nickname}")


@pytest.mark.parametrize(
    ("text", "label"), [("a b/c", "a_b_c"), ("", "_"), ("Ä", "_"), ("x" * 99, "x" * 64), (" P ", "P")]
)
def test_clean(text: str, label: str) -> None:
    assert clean(text) == label


@settings(derandomize=True, deadline=None)
@given(studies())
def test_labels_are_valid_and_nobody_elses(drawn: list[StudyKey]) -> None:
    assigned = assign(drawn, {}, ["B", "A_02"])
    labels = [label.session.lower() for label in assigned.values()]
    assert len(set(labels)) == len(labels) == len(drawn)
    assert not {"b", "a_02"} & set(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label.session + label.subject[:0]) for label in assigned.values())
    patients_of = {(assigned[one.session_key].subject.lower(), one.patient_id) for one in drawn}
    assert (
        len(patients_of) == len({subject for subject, _ in patients_of}) == len({patient for _, patient in patients_of})
    )


@settings(derandomize=True, deadline=None)
@given(studies(), st.randoms(use_true_random=False))
def test_the_order_of_the_manifest_changes_nothing(drawn: list[StudyKey], random: object) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    assert assign(shuffled, {}, []) == assign(drawn, {}, [])


@settings(derandomize=True, deadline=None)
@given(studies(), st.integers(0, 12))
def test_a_run_that_continues_where_another_stopped_gives_the_same_labels(drawn: list[StudyKey], done: int) -> None:
    whole = assign(drawn, {}, [])
    held = {one.session_key: whole[one.session_key] for one in drawn[:done]}
    subjects = [label.subject for label in held.values()]
    assert assign(drawn, held, [label.session for label in held.values()], subjects) == whole
