"""Subjects of one run beside those that others make at the same time: labels that differ in case are one for XNAT."""

from typing import TYPE_CHECKING, cast

import pytest

from tcia_xnat.core.errors import ArchiveConflict
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.claims import Claims

if TYPE_CHECKING:
    from tcia_xnat.xnat.project import XnatProject


class Fake:
    """A project that makes a subject unless it has it in whatever case."""

    def __init__(self, *subjects: str) -> None:
        self.subjects, self.asked = list(subjects), 0

    def claim_subject(self, label: str) -> str:
        self.asked += 1
        there = next((one for one in self.subjects if one.lower() == label.lower()), "")
        if not there:
            self.subjects.append(label)
        return there or label


def claims(fake: Fake, *known: str) -> Claims:
    return Claims(cast("XnatProject", fake), known)


def test_a_new_subject_is_made_once() -> None:
    fake = Fake()
    mine = claims(fake)
    for session in ("CAS", "CAS_01"):
        mine.take(Label("CAS", session))
    assert (fake.subjects, fake.asked) == (["CAS"], 1)


def test_the_subject_that_another_run_has_made_in_other_letters_is_refused_for_all_of_its_series() -> None:
    fake = Fake("Cas")
    mine = claims(fake)
    for session in ("CAS", "CAS_01"):
        with pytest.raises(ArchiveConflict, match="made subject Cas meanwhile, which XNAT takes for CAS") as error:
            mine.take(Label("CAS", session))
        assert "run the same command again" in error.value.hint
    assert fake.subjects == ["Cas"]


def test_another_run_of_the_same_patient_may_have_made_it() -> None:
    claims(Fake("CAS")).take(Label("CAS", "CAS"))


@pytest.mark.parametrize("subject", ["KNOWN", "12_34-5"])
def test_what_is_known_or_has_no_letters_is_not_asked(subject: str) -> None:
    fake = Fake()
    claims(fake, "KNOWN").take(Label(subject, "S"))
    assert not fake.asked
