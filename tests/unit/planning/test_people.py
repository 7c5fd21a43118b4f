"""One PatientID, and perhaps several people: what is compared, and what is said."""

from typing import Any

import pytest

from tcia_xnat.core.model import Label, Person, Series
from tcia_xnat.core.people import person
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import Templates, identify

DOE = "Doe^Jane"


@pytest.mark.parametrize(
    "name", ["doe^jane", "DOE ^ JANE", "Doe^Jane^^", "Doe, Jane", "Jane Doe", "Doe^Jane=山田^花子", "\uff24oe^jane"]
)
def test_names_are_compared_leniently(name: str) -> None:
    assert person(name, "", "") == person(DOE, "", "")


@pytest.mark.parametrize("name", ["Doe^John", "Doe", "", "^", "Doe^Jane^M"])
def test_other_names_differ(name: str) -> None:
    assert person(name, "", "") != person(DOE, "", "")


def test_a_name_is_kept_as_a_digest_and_dates_and_sexes_in_one_form() -> None:
    assert "doe" not in str(person(DOE, "", "")).lower()
    assert person("^", "1940.01.31", "f") == Person("", "19400131", "F")
    assert person("", "unknown", "O") == Person()


def series(study: str, *people: Person, patient: str = "ANON", **more: Any) -> Series:  # noqa: ANN401  fields of Series
    return Series(f"{study}.1", study, patient, people=frozenset(people), **more)


def notes(*members: Series, templates: Templates | None = None) -> tuple[str, ...]:
    return identify(Catalogue({one.series_instance_uid: one for one in members}, {}), Held(), templates).notes


OLD, YOUNG = person("", "19400101", "M"), person("", "19900101", "F")


def test_one_patient_id_with_other_birth_dates_and_sexes_is_noted_with_studies_to_look_at() -> None:
    (note,) = notes(series("1.1", OLD), series("1.2", YOUNG), series("1.3", YOUNG))
    assert note == (
        "one PatientID, and perhaps several people, who become one subject: "
        "ANON (other birth dates and sexes, see 1.1 and 1.2)"
    )
    assert "see 1.1" in notes(series("1.1", OLD, YOUNG))[0]  # in one series


@pytest.mark.parametrize(
    "members",
    [
        [series("1.1", OLD), series("1.2", YOUNG, patient="OTHER")],
        [series("1.1", OLD), series("1.2", Person()), series("1.3")],  # not known is not another
        [series("1.1", OLD, folder=Label("S1", "S1_v")), series("1.2", YOUNG, folder=Label("S2", "S2_v"))],
        [series("1.1", OLD, collection_id="a"), series("1.2", OLD, collection_id="a")],
    ],
)
def test_what_is_no_contradiction_gives_no_note(members: list[Series]) -> None:
    assert not notes(*members)


def test_one_patient_id_of_two_collections_is_noted_with_the_template_that_keeps_them_apart() -> None:
    members = [series("1.1", collection_id="coll_a"), series("1.2", collection_id="coll_b")]
    (note,) = notes(*members)
    assert "ANON (coll_a, coll_b)" in note
    assert "--subject-label '{collection_id}-{PatientID}'" in note
    assert not notes(*members, templates=Templates("{collection_id}-{PatientID}"))


def test_many_are_counted() -> None:
    pairs = [(series(f"1.{n}", OLD, patient=f"P{n}"), series(f"2.{n}", YOUNG, patient=f"P{n}")) for n in range(9)]
    (note,) = notes(*(one for pair in pairs for one in pair))
    assert note.endswith(" and 6 more")
    assert note.count("see") == 3
