"""What waits in the prearchive is dropped when the archive has all of its images, and not when it has as many."""

from collections.abc import Iterable

import pytest

from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.archive import SessionSteps
from tcia_xnat.xnat.scripts import NameTemplate, Scripts
from tests.fakes import FakeXnat, Session

LABEL, URL = Label("PAT", "PAT"), "/prearchive/projects/P1/1/PAT"
BY_IMAGE, BY_NUMBER = NameTemplate("${StudyInstanceUID}-${SOPInstanceUID}"), NameTemplate("${SeriesNumber}")
HELD = ("1", "2", "3")


def left(copy: Iterable[str], template: NameTemplate, *, unlisted: bool = False, held: Iterable[str] = HELD) -> bool:
    """Tidy up, and return whether the copy is still there."""
    archived, waiting = Session("1.2", LABEL), Session("1.2", LABEL)
    archived.add("1.2.1", "7", held)
    waiting.add("1.2.1", "1", copy)
    xnat = FakeXnat(archived={LABEL: archived}, waiting={URL: waiting}, unlisted=unlisted)
    xnat.scripts = Scripts(template=template)
    SessionSteps(xnat.as_project, [URL], LABEL, {}).tidy()
    return URL in xnat.waiting


@pytest.mark.parametrize("copy", [HELD, HELD[:2]])
def test_a_copy_of_what_is_archived_goes(copy: Iterable[str]) -> None:
    assert not left(copy, BY_IMAGE)


@pytest.mark.parametrize("copy", [("1", "2", "4"), ("4",), (*HELD, "4")])
def test_other_images_stay_whatever_their_number(copy: Iterable[str]) -> None:
    assert left(copy, BY_IMAGE)
    assert left(copy, BY_IMAGE, held=())


@pytest.mark.parametrize(("template", "unlisted"), [(NameTemplate(), False), (BY_IMAGE, True)])
def test_where_names_tell_nothing_the_number_decides(template: NameTemplate, *, unlisted: bool) -> None:
    assert not left(("1", "2", "4"), template, unlisted=unlisted)
    assert left(("1", "2", "4", "5"), template, unlisted=unlisted)


def test_a_template_that_is_not_unique_is_not_used_and_our_names_tell() -> None:
    assert left(("1", "2", "4"), BY_NUMBER)


def test_a_series_that_the_archive_has_not_stays() -> None:
    xnat = FakeXnat(waiting={URL: Session("1.2", LABEL, {"1.2.1": "1"}, {"1": {"1"}})})
    SessionSteps(xnat.as_project, [URL], LABEL, {}).tidy()
    assert URL in xnat.waiting
