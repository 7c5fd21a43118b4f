"""Whose turn it is to send into a session of the prearchive."""

from collections.abc import Callable
from typing import cast

import pytest

from tcia_xnat.destinations.xnat.turns import AnotherRun, Turns
from tcia_xnat.errors import XnatRefused
from tcia_xnat.model import Label
from tcia_xnat.xnat.connection import Body
from tcia_xnat.xnat.prearchive import NothingStored, Prearchive, PrearchiveSession

LABEL = Label("P", "S")
MINE, OTHER = "tcia-xnat-mine", "tcia-xnat-other"


def row(mark: str, status: str = "RECEIVING", changed: str = "1") -> PrearchiveSession:
    return PrearchiveSession("1.2", LABEL, status, "/prearchive/x", mark, changed)


class FakePrearchive:
    """Holds rows; an import makes one with the mark of whoever comes first."""

    mark = MINE

    def __init__(self, rows: list[PrearchiveSession], first: str = MINE) -> None:
        self.rows, self.first, self.imports = rows, first, 0

    def sessions(self) -> list[PrearchiveSession]:
        return self.rows

    def import_series(self, _body: Body, _label: Label) -> str:
        self.imports += 1
        self.rows = self.rows or [row(self.first)]
        return "/prearchive/x"


def turns(fake: FakePrearchive, left: tuple[str, ...] = (), clock: Callable[[], float] = lambda: 0.0) -> Turns:
    return Turns(cast("Prearchive", fake), left, 60, clock)


def body() -> Body:
    return b""


def test_the_first_import_takes_the_turn_once() -> None:
    fake = FakePrearchive([])
    mine = turns(fake)
    mine.check(LABEL)
    mine.take(LABEL, body)
    mine.take(LABEL, body)
    assert fake.imports == 1


def test_whoever_comes_second_sends_nothing_more() -> None:
    fake = FakePrearchive([], first=OTHER)
    mine = turns(fake)
    with pytest.raises(AnotherRun):
        mine.take(LABEL, body)
    with pytest.raises(AnotherRun):
        mine.take(LABEL, body)
    assert fake.imports == 1


@pytest.mark.parametrize("status", ["RECEIVING", "READY", "_ARCHIVING", "QUEUED_ARCHIVING", "BUILDING"])
def test_nothing_is_sent_where_another_run_is(status: str) -> None:
    fake = FakePrearchive([row(OTHER, status)])
    with pytest.raises(AnotherRun):
        turns(fake).check(LABEL)
    with pytest.raises(AnotherRun):
        turns(fake).take(LABEL, body)
    assert not fake.imports


def test_what_a_dead_run_of_this_folder_left_is_taken_over_at_once_but_not_while_xnat_works_on_it() -> None:
    turns(FakePrearchive([row(OTHER)]), ("/prearchive/x",)).take(LABEL, body)
    with pytest.raises(AnotherRun):
        turns(FakePrearchive([row(OTHER, "ARCHIVING")]), ("/prearchive/x",)).take(LABEL, body)


def test_a_session_in_which_nothing_changes_is_taken_over_in_the_end() -> None:
    now = [0.0]
    fake = FakePrearchive([row(OTHER)])
    mine = turns(fake, clock=lambda: now[0])
    for at, changed in ((0.0, "1"), (50.0, "1"), (70.0, "2"), (129.0, "2")):
        now[0], fake.rows = at, [row(OTHER, changed=changed)]
        assert not mine.free([LABEL])
    now[0] = 131.0
    assert mine.free([LABEL]) == [LABEL]
    mine.take(LABEL, body)


def test_a_session_that_is_not_ours_is_never_joined() -> None:
    fake = FakePrearchive([row("")])
    with pytest.raises(XnatRefused, match="not of this tool"):
        turns(fake).check(LABEL)
    with pytest.raises(XnatRefused, match="not of this tool"):
        turns(fake).take(LABEL, body)
    assert not fake.imports


def test_after_its_session_is_archived_a_turn_is_taken_again() -> None:
    fake = FakePrearchive([])
    mine = turns(fake)
    mine.take(LABEL, body)
    mine.leave(LABEL)
    fake.rows = [row(OTHER)]
    with pytest.raises(AnotherRun):
        mine.take(LABEL, body)


def test_where_a_script_drops_the_first_image_the_series_itself_takes_the_turn() -> None:
    class Dropping(FakePrearchive):
        def import_series(self, _body: Body, _label: Label) -> str:
            raise NothingStored("dropped")

    fake = Dropping([])
    mine = turns(fake)
    mine.take(LABEL, body)
    fake.rows = [row(OTHER)]
    with pytest.raises(AnotherRun):
        mine.check(LABEL)
    fake.rows = [row(MINE)]
    mine.check(LABEL)
