"""One series on its way through a lane: what comes of it, whatever its source or XNAT does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from tcia_xnat.core.errors import (
    Error,
    SeriesDamaged,
    SeriesIncomplete,
    SeriesUnavailable,
    SourceUnreachable,
    SpaceError,
    Stopped,
    XnatBusy,
    XnatError,
    XnatRefused,
    XnatUnreachable,
)
from tcia_xnat.core.events import Event, SeriesLeft
from tcia_xnat.core.model import Label, SourceName
from tcia_xnat.destinations.xnat.turns import AnotherRun, Turns
from tcia_xnat.transfer.worker import Lane, NotSent, Sent
from tcia_xnat.xnat.connection import Body
from tests.fakes import FakeSource, FakeXnat, images, series

if TYPE_CHECKING:
    from tcia_xnat.sources import Source

LABEL = Label("PAT", "PAT_1")
ONE = replace(series(1), crdc_series_uuid="u")
UID = ONE.series_instance_uid


@dataclass
class FakeTurns:
    """Turns that are free, unless the next `check` raises what `refused` has."""

    refused: list[XnatError] = field(default_factory=list)
    taken: list[Label] = field(default_factory=list)

    def check(self, _label: Label) -> None:
        if self.refused:
            raise self.refused.pop(0)

    def take(self, label: Label, first: Callable[[], Body]) -> None:
        assert b"".join(cast("Iterable[bytes]", first()))
        self.taken.append(label)


@dataclass
class World:
    """A lane, and all that it meets."""

    xnat: FakeXnat = field(default_factory=FakeXnat)
    idc: FakeSource = field(default_factory=FakeSource)
    nbia: FakeSource = field(default_factory=lambda: FakeSource(SourceName.NBIA))
    turns: FakeTurns = field(default_factory=FakeTurns)
    told: list[Event] = field(default_factory=list)
    claimed: list[Label] = field(default_factory=list)

    def run(self, check: Callable[[], None] = lambda: None) -> Sent | NotSent:
        sources: Mapping[SourceName, Source] = {SourceName.IDC: self.idc, SourceName.NBIA: self.nbia}
        lane = Lane(
            self.xnat.as_project,
            cast("Turns", self.turns),
            sources,
            list(sources),
            self.told.append,
            check,
            lambda _uids: {},
            claim=self.claimed.append,
        )
        return lane.run(ONE, LABEL)

    def sent(self) -> Sent:
        result = self.run()
        assert isinstance(result, Sent), result
        return result

    def error(self) -> Error:
        result = self.run()
        assert isinstance(result, NotSent), result
        return result.error

    @property
    def held(self) -> set[str]:
        """SOPInstanceUIDs that XNAT has in its prearchive."""
        return {sop for session in self.xnat.waiting.values() for sops in session.images.values() for sop in sops}


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_series_is_sent_in_as_many_parts_as_its_source_makes(parts: int) -> None:
    world = World(idc=FakeSource(parts=parts))
    sent = world.sent()
    assert (sent.source, sent.image_count, sent.notes) == (SourceName.IDC, 3, ())
    assert sent.byte_count == sum(map(len, images(ONE)))
    assert sent.images is not None
    assert sent.images.unpacked() == images(ONE) == world.held
    assert list(world.xnat.waiting) == [sent.prearchive]
    assert world.claimed == world.turns.taken == [LABEL] * parts
    assert not world.nbia.fetched


@pytest.mark.parametrize("error", [SeriesDamaged("MD5"), SourceUnreachable("503"), SeriesUnavailable("gone")])
def test_the_next_source_is_asked_and_the_detour_is_told(error: Exception) -> None:
    sent = World(idc=FakeSource(fails={UID: [error]})).sent()
    assert sent.source is SourceName.NBIA
    assert len(sent.notes) == 1
    assert str(error) in sent.notes[0]


def test_what_one_source_has_sent_in_part_the_next_sends_whole() -> None:
    world = World(idc=FakeSource(parts=2, fails={UID: [SeriesDamaged("MD5")]}))
    assert world.sent().image_count == 3
    assert world.held == images(ONE)


def test_what_no_source_offers_is_unavailable() -> None:
    world = World()
    for source in (world.idc, world.nbia):
        source.fails[UID] = [SeriesUnavailable("gone")]
    assert isinstance(world.error(), SeriesUnavailable)
    assert not world.held


def test_a_series_that_came_in_part_is_incomplete_and_not_unavailable_so_that_its_study_waits() -> None:
    world = World()
    for source in (world.idc, world.nbia):
        source.parts, source.fails[UID] = 2, [SeriesUnavailable("gone")]
    assert isinstance(world.error(), SeriesIncomplete)
    assert world.held


@pytest.mark.parametrize("error", [XnatBusy("locked"), XnatUnreachable("504")])
def test_xnat_is_asked_again_after_what_may_pass(error: Exception) -> None:
    world = World(xnat=FakeXnat(fails={"import_series": [error]}))
    assert world.sent().image_count == 3
    assert world.idc.fetched == [UID]


def test_xnat_is_not_asked_again_after_what_will_not_pass() -> None:
    world = World(xnat=FakeXnat(fails={"import_series": [XnatRefused("400")]}))
    assert isinstance(world.error(), XnatRefused)
    assert world.xnat.calls == ["import_series"]
    assert not world.nbia.fetched  # it is not the source's fault


@pytest.mark.parametrize("is_away", [True, False])
def test_an_xnat_that_is_away_ends_the_run_and_one_that_answers_others_does_not(*, is_away: bool) -> None:
    world = World(xnat=FakeXnat(away=is_away, fails={"import_series": [XnatUnreachable("504")] * 2}))
    if is_away:
        with pytest.raises(XnatUnreachable):
            world.run()
    else:
        assert isinstance(world.error(), XnatUnreachable)
    assert world.told[-1] == SeriesLeft(ONE)


def test_nothing_is_fetched_for_a_session_that_another_run_is_at() -> None:
    world = World(turns=FakeTurns([AnotherRun("another run")]))
    assert isinstance(world.error(), AnotherRun)
    assert not world.idc.fetched
    assert world.told == [SeriesLeft(ONE)]


def test_a_defect_of_one_series_is_its_own() -> None:
    world = World()
    for source in (world.idc, world.nbia):
        source.fails[UID] = [KeyError("a defect")]
    assert "unexpected KeyError" in str(world.error())


@pytest.mark.parametrize("error", [SpaceError("full"), Stopped()])
def test_what_makes_going_on_pointless_ends_the_run(error: Error) -> None:
    world = World(idc=FakeSource(fails={UID: [error]}))
    with pytest.raises(type(error)):
        world.run()
    assert world.told[-1] == SeriesLeft(ONE)


def test_a_run_that_is_to_end_begins_with_no_series() -> None:
    def stopped() -> None:
        raise Stopped

    world = World()
    with pytest.raises(Stopped):
        world.run(stopped)
    assert not world.idc.fetched
