"""Whose turn it is to send into a session of the prearchive."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

import pytest

from tcia_xnat.core.errors import XnatRefused
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.turns import AnotherRun, Turns, _turn_of, tidy
from tcia_xnat.xnat.connection import Body
from tcia_xnat.xnat.prearchive import NothingStored, Prearchive, PrearchiveSession

LABEL = Label("P", "S")
MINE, OTHER = "tcia-xnat-mine", "tcia-xnat-other"


def row(mark: str, status: str = "RECEIVING", changed: str = "1") -> PrearchiveSession:
    return PrearchiveSession("1.2", LABEL, status, "/prearchive/x", mark, changed)


class FakePrearchive:
    """Holds rows; an import makes one with the mark of whoever comes first."""

    mark, drops = MINE, False

    def __init__(self, rows: list[PrearchiveSession], first: str = MINE) -> None:
        self.rows, self.first, self.imports = rows, first, 0

    def with_turns(self) -> list[PrearchiveSession]:
        return self.rows

    def import_series(self, _body: Body, label: Label, *, is_turn: bool = False) -> str:
        self.imports += 1
        if self.drops:
            raise NothingStored("dropped")
        url = f"/prearchive/{len(label.session)}"
        if url not in {one.url for one in self.rows}:
            self.rows = [*self.rows, PrearchiveSession("1.2", label, "RECEIVING", url, self.first, "1", is_turn)]
        return url

    def delete(self, url: str) -> None:
        self.rows = [row for row in self.rows if row.url != url]


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
    assert fake.imports == 2  # for the turn, and for the session
    assert [(one.label, one.is_turn) for one in fake.rows] == [(LABEL, False)]


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
    fake = FakePrearchive([])
    fake.drops = True
    mine = turns(fake)
    mine.take(LABEL, body)
    fake.rows = [row(OTHER)]
    with pytest.raises(AnotherRun):
        mine.check(LABEL)
    mine.go_on(LABEL)
    fake.rows = [row(MINE)]
    mine.check(LABEL)


class Shared:
    """A prearchive that runs share: sessions by study and label, with the marks of the runs that sent into each."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], PrearchiveSession] = {}
        self.senders: dict[str, set[str]] = {}
        self.made = 0

    def receive(self, mark: str, study: str, label: Label, *, is_turn: bool) -> str:
        key = study, label.session
        if key not in self.rows:
            self.made += 1
            url = f"/prearchive/projects/P/{self.made:03}/{label.session}"
            self.rows[key] = PrearchiveSession(study, label, "RECEIVING", url, mark, "1", is_turn)
        self.senders.setdefault(self.rows[key].url, set()).add(mark)
        return self.rows[key].url


class Visitor:
    """What one run sees of it; `meet` is called before its request number `at`."""

    def __init__(self, shared: Shared, mark: str, study: str) -> None:
        self.shared, self.mark, self.study = shared, mark, study
        self.at, self.asked = -1, 0
        self.meet: Callable[[], object] = list

    def _ask(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            self.meet()

    def with_turns(self) -> list[PrearchiveSession]:
        self._ask()
        return list(self.shared.rows.values())

    def import_series(self, _body: Body, label: Label, *, is_turn: bool = False) -> str:
        self._ask()
        return self.shared.receive(self.mark, self.study, label, is_turn=is_turn)

    def delete(self, url: str) -> None:
        self._ask()
        self.shared.rows = {key: one for key, one in self.shared.rows.items() if one.url != url}


def took(one: Turns) -> bool:
    try:
        one.take(LABEL, body)
    except AnotherRun:
        return False
    return True


@pytest.mark.parametrize("study", ["1.2", "1.3"], ids=["one study", "two studies of one label"])
@pytest.mark.parametrize("at", range(1, 7))
def test_of_two_runs_that_meet_at_any_instant_only_one_sends_into_the_session(study: str, at: int) -> None:
    shared = Shared()
    first, second = Visitor(shared, MINE, "1.2"), Visitor(shared, OTHER, study)
    ours, theirs = (Turns(cast("Prearchive", one), (), 60, lambda: 0.0) for one in (first, second))
    has_turn = []
    first.at, first.meet = at, lambda: has_turn.append(took(theirs))
    has_turn.append(took(ours))
    if len(has_turn) == 1:
        has_turn.append(took(theirs))
    assert sorted(has_turn) == [False, True]
    (session,) = shared.rows.values()
    assert not session.is_turn
    assert shared.senders[session.url] == {session.mark}


def test_the_turn_of_a_run_that_is_over_is_taken_over_and_ended() -> None:
    shared = Shared()
    turn = _turn_of(LABEL)
    left = shared.receive(OTHER, "1.2", turn, is_turn=True)
    mine = Visitor(shared, MINE, "1.2")
    assert not took(Turns(cast("Prearchive", mine), (), 60, lambda: 0.0))
    assert took(Turns(cast("Prearchive", mine), (left,), 60, lambda: 0.0))
    assert [one.is_turn for one in shared.rows.values()] == [False]


def test_a_study_that_has_met_another_run_waits_until_the_archive_was_asked() -> None:
    fake = FakePrearchive([row(OTHER)])
    mine = turns(fake)
    with pytest.raises(AnotherRun):
        mine.check(LABEL)
    fake.rows = []
    with pytest.raises(AnotherRun):
        mine.check(LABEL)
    with pytest.raises(AnotherRun):
        mine.take(LABEL, body)
    assert mine.free([LABEL]) == [LABEL]
    mine.go_on(LABEL)
    mine.check(LABEL)
    mine.take(LABEL, body)


def test_turns_that_killed_runs_have_left_are_deleted_and_no_others() -> None:
    def turn(mark: str, made: str, *, is_turn: bool = True) -> PrearchiveSession:
        url = f"/prearchive/projects/P/{made}/{mark}{is_turn}"
        return PrearchiveSession("1.2", LABEL, "READY", url, mark, "1", is_turn)

    today, long_ago = "20300105_120000123", "20300102_120000123"
    alive, dead, unknown, session = (
        turn("alive", today),
        turn("dead", today),
        turn("unknown", long_ago),
        turn("dead", long_ago, is_turn=False),
    )
    unread = turn("odd", "soon")
    fake = FakePrearchive([alive, dead, unknown, session, unread])
    tidy(cast("Prearchive", fake), lambda mark: mark == "dead", datetime(2030, 1, 5, 12, 0))  # noqa: DTZ001  XNAT's own
    assert fake.rows == [alive, session, unread]
