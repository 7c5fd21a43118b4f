"""What the archive holds beside what was sent: sets where both are known, numbers where not, and never a guess."""

from collections.abc import Iterable

import pytest

from tcia_xnat.core.errors import XnatRefused
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.confirm import ArchivedScan, Finished, confirm
from tcia_xnat.planning.completeness import State, Wanted
from tcia_xnat.planning.pairing import SentSeries
from tests.fakes import FakeXnat, Session, changed

LABEL = Label("PAT", "PAT_1")
SENT = {"1.2.1": Wanted(3, frozenset({"a", "b", "c"}))}
NUMBERS = {"1.2.1": SentSeries("7", 3)}


def xnat_with(held: Iterable[str], uid: str = "1.2.1", *, uncounted: bool = False, unlisted: bool = False) -> FakeXnat:
    session = Session("1.2", LABEL)
    session.add(uid, "7", held)
    return FakeXnat(archived={LABEL: session}, uncounted=uncounted, unlisted=unlisted)


def state(finished: Finished) -> State:
    return finished.short["1.2.1"].state if finished.short else State.COMPLETE


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("abc", SENT["1.2.1"], State.COMPLETE),
        ("abcd", SENT["1.2.1"], State.COMPLETE),
        ("ab", SENT["1.2.1"], State.INCOMPLETE),
        ("", SENT["1.2.1"], State.ABSENT),
        ("abd", SENT["1.2.1"], State.INCOMPLETE),  # as many, and not the same
        ("ab", Wanted(3), State.INCOMPLETE),
        ("abd", Wanted(3), State.COMPLETE),  # of the images nobody knows more than their number
    ],
)
def test_the_archive_has_what_was_sent_or_says_how_much(held: str, wanted: Wanted, expected: State) -> None:
    finished = confirm(xnat_with(held).as_project, LABEL, {"1.2.1": wanted})
    assert state(finished) is expected
    assert finished.is_whole == (expected is State.COMPLETE)
    assert finished.scans == {"1.2.1": ArchivedScan("7", "1.2.1", len(held))}


def test_a_session_that_is_not_there_has_nothing() -> None:
    finished = confirm(FakeXnat().as_project, LABEL, SENT)
    assert (finished.uri, state(finished), finished.is_whole) == ("", State.ABSENT, False)


def test_a_catalog_is_not_read_where_the_number_says_no() -> None:
    xnat = xnat_with("ab")
    confirm(xnat.as_project, LABEL, SENT)
    assert "sop_instance_uids" not in xnat.calls


def test_a_count_that_xnat_does_not_give_is_unknown_and_not_whole() -> None:
    xnat = xnat_with("abc", uncounted=True, unlisted=True)
    xnat.fails = {name: [XnatRefused("400")] for name in ("refresh_counts", "file_count")}
    finished = confirm(xnat.as_project, LABEL, SENT)
    assert (state(finished), finished.is_whole) == (State.UNKNOWN, False)


def test_where_catalogs_are_not_shown_the_number_decides() -> None:
    assert confirm(xnat_with("abd", unlisted=True).as_project, LABEL, SENT).is_whole


def test_under_another_uid_it_is_recognized_by_number_only_where_scripts_may_have_changed_it() -> None:
    xnat = xnat_with(map(changed, "abc"), changed("1.2.1"))
    assert state(confirm(xnat.as_project, LABEL, SENT)) is State.ABSENT
    finished = confirm(xnat.as_project, LABEL, SENT, NUMBERS)
    assert finished.is_whole
    assert finished.is_changed
    assert finished.notes_of("1.2.1") == ("XNAT's anonymisation changed the UIDs; its scan is 7",)
    assert finished.notes_of("1.2.2") == ()


def test_a_scan_that_was_there_before_is_no_series_that_was_sent_now() -> None:
    xnat = xnat_with(map(changed, "abc"), changed("1.2.1"))
    finished = confirm(xnat.as_project, LABEL, SENT, NUMBERS, before={changed("1.2.1")})
    assert state(finished) is State.ABSENT


@pytest.mark.parametrize(("numbers", "expected"), [(NUMBERS, State.COMPLETE), (None, State.INCOMPLETE)])
def test_images_that_all_have_other_uids_are_changed_ones_only_where_scripts_may_change_them(
    numbers: dict[str, SentSeries] | None, expected: State
) -> None:
    assert state(confirm(xnat_with(map(changed, "abc")).as_project, LABEL, SENT, numbers)) is expected


def test_other_images_among_the_same_uids_are_missing_ones_also_where_scripts_change_uids() -> None:
    assert state(confirm(xnat_with("abd").as_project, LABEL, SENT, NUMBERS)) is State.INCOMPLETE
