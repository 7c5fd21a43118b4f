"""Labels as texts: the numbering, what is taken, and that the order of a list changes nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.errors import UsageError
from tcia_xnat.planning.identity.same_patient import SamePatient
from tcia_xnat.planning.identity.sessions import Visit, number
from tcia_xnat.planning.identity.subjects import Subjects, Wish, assign
from tcia_xnat.planning.identity.words import clean, filled, is_numbered, unique

names = st.sampled_from(["A", "a", "A_01", "A 01", "A-1", "B", "B_01", "x" * 64, "x" * 70, "é", ""])
dates = st.sampled_from(["", "1960-01-01", "1960-01-02", "2000-12-31"])


@st.composite
def visits(draw: st.DrawFn) -> list[Visit]:
    drawn = draw(st.lists(st.tuples(names, dates), max_size=12))
    return [Visit(name, date, f"1.2.{nth}", text=unique(name)) for nth, (name, date) in enumerate(drawn)]


def visit(nth: int, name: str = "P", date: str = "1960-01-01") -> Visit:
    return Visit(name, date, f"1.2.{nth}", text=name)


def numbered(wanted: list[Visit], taken: tuple[str, ...] = ()) -> list[str]:
    found = number(wanted, taken)
    return [found[one] for one in sorted(wanted, key=lambda one: one.study_instance_uid)]


def test_a_patients_studies_are_numbered_by_date_then_uid() -> None:
    wanted = [visit(3, date="1960-01-01"), visit(1, date="1960-02-01"), visit(2, date="1960-01-01")]
    assert numbered(wanted) == ["P_02", "P", "P_01"]


def test_a_label_that_is_taken_is_skipped_whatever_its_case() -> None:
    assert numbered([visit(1), visit(2)], ("p", "P_02")) == ["P_01", "P_03"]


def test_a_bare_name_goes_to_its_owner_before_a_number_makes_it() -> None:
    assert numbered([visit(1, "A"), visit(2, "A"), visit(3, "A_01")]) == ["A", "A_02", "A_01"]


def test_a_label_never_grows_beyond_64_characters() -> None:
    assert numbered([visit(1, "y" * 64), visit(2, "y" * 64)]) == ["y" * 64, "y" * 61 + "_01"]


def test_a_template_with_another_field_is_refused() -> None:
    assert filled("{A}-{B} b", {"A": "x", "B": ""}) == "x- b"
    with pytest.raises(UsageError, match="Nickname"):
        filled("{Nickname}", {"A": ""})


@pytest.mark.parametrize(
    ("text", "label"), [("a b/c", "a_b_c"), ("", "_"), ("Ä", "_"), ("x" * 99, "x" * 64), (" P ", "P")]
)
def test_clean(text: str, label: str) -> None:
    assert clean(text) == label


@pytest.mark.parametrize(
    ("session", "name", "is_it"),
    [("ses", "ses", True), ("SES_01", "ses", True), ("ses_1", "ses", False), ("ses_01", "ses_01", True)],
)
def test_is_numbered(session: str, name: str, *, is_it: bool) -> None:
    assert is_numbered(session, name) is is_it


@given(visits(), st.randoms(use_true_random=False))
def test_session_labels_are_valid_and_nobody_elses_in_any_order(wanted: list[Visit], random: object) -> None:
    found = number(wanted, ["B", "A_02"])
    labels = [label.lower() for label in found.values()]
    assert len(set(labels)) == len(labels) == len(wanted)
    assert not {"b", "a_02"} & set(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label) for label in found.values())
    shuffled = list(wanted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    assert number(shuffled, ["B", "A_02"]) == found


@given(st.lists(names, max_size=8), st.sets(names.map(unique)), st.booleans())
def test_subjects_are_valid_and_one_for_each_patient(
    patients: list[str],
    there: set[str],
    is_certain: bool,  # noqa: FBT001  drawn
) -> None:
    wishes = [Wish(name, name, unique(name) if is_certain else "all", is_certain) for name in patients]
    found = assign(wishes, Subjects(frozenset(there), unclear=frozenset(there)), SamePatient())
    labels = {wish.name: label for wish, label in found.items()}
    assert len({label.lower() for label in labels.values()}) == len(labels) == len(set(patients))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label) for label in labels.values())
    assert all(label not in there or label == unique(name) for name, label in labels.items())
