"""Fewer side by side after trouble, more again after that; bytes no faster than asked for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tcia_xnat.core.errors import SeriesDamaged, SourceUnreachable, Stopped, XnatError
from tcia_xnat.core.model import Label, Series, SeriesPackage, SourceName
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.fetch import Fetcher
from tcia_xnat.sources.throttle import Bandwidth, Gate, PoliteSource
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.staging.spool import Spool


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def nothing() -> None:
    """Nobody asks for an end."""


def stopped() -> None:
    raise Stopped


def pass_through(gate: Gate, times: int) -> None:
    for _ in range(times):
        with gate.inside(nothing):
            pass


def test_trouble_halves_the_places_once_for_all_lanes() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    for _ in range(8):
        gate.trouble(SourceUnreachable("429"))
    assert gate.places == 4
    clock.now += 5
    gate.trouble(SourceUnreachable("503"))
    assert gate.places == 2


def test_places_are_whole() -> None:
    gate = Gate(5)
    gate.trouble(SourceUnreachable("429"))
    assert gate.places == 2
    pass_through(gate, 4 * 2)
    assert gate.places == 3
    pass_through(gate, 4 * 3 - 1)  # the count begins anew with each place
    assert gate.places == 3
    pass_through(gate, 1)
    assert gate.places == 4


def test_one_place_remains() -> None:
    clock = Clock()
    gate = Gate(3, clock)
    for _ in range(5):
        clock.now += 60
        gate.trouble(SourceUnreachable("time-out"))
    assert gate.places == 1
    pass_through(gate, 1)


def test_a_damaged_series_is_no_trouble_of_the_server() -> None:
    gate = Gate(8)
    gate.trouble(SeriesDamaged("MD5"))
    assert gate.places == 8


def test_places_come_back_one_by_one() -> None:
    gate = Gate(4)
    gate.trouble(SourceUnreachable("429"))
    pass_through(gate, 7)
    assert gate.places == 2
    pass_through(gate, 1)
    assert gate.places == 3
    pass_through(gate, 100)
    assert gate.places == 4


def test_trouble_begins_the_count_of_what_went_well_anew() -> None:
    gate = Gate(4, clock := Clock())
    gate.trouble(SourceUnreachable("429"))
    pass_through(gate, 7)
    clock.now += 1
    gate.trouble(SourceUnreachable("429"))  # the same trouble: no place goes
    assert gate.places == 2
    pass_through(gate, 7)
    assert gate.places == 2
    pass_through(gate, 1)
    assert gate.places == 3


def test_what_failed_inside_did_not_go_well() -> None:
    gate = Gate(2)
    gate.trouble(SourceUnreachable("429"))
    for _ in range(9):
        with pytest.raises(SeriesDamaged), gate.inside(nothing):
            raise SeriesDamaged("MD5")
    assert gate.places == 1


def test_no_more_than_the_places_are_inside() -> None:
    gate, most, now, lock = Gate(3), 0, 0, threading.Lock()
    full = threading.Barrier(3)

    def work(number: int) -> None:
        nonlocal most, now
        with gate.inside(nothing):
            with lock:
                now += 1
                most = max(most, now)
            if number < 3:
                full.wait(10)
            with lock:
                now -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(30)))
    assert most == 3


def test_who_waits_can_be_stopped() -> None:
    gate = Gate(1)

    with gate.inside(nothing), pytest.raises(Stopped), gate.inside(stopped):
        pass


class InParts:
    name = SourceName.IDC

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def fetch(self, series: Series, _spool: Spool, _on_bytes: OnBytes) -> Packages:
        for _ in range(3):
            assert self.gate._inside == 1
            yield SeriesPackage(series, self.name, ())


def test_a_place_is_free_while_xnat_takes_the_images() -> None:
    gate = Gate(1)
    source = PoliteSource(InParts(gate), gate, Bandwidth(None, lambda _seconds: None), Room(lambda _series: 1), nothing)
    with Spool() as spool:
        seen = [gate._inside for _ in source.fetch(Series("1.2.3", "1.2", "P"), spool, lambda _count: None)]
    assert seen == [0, 0, 0]
    assert source.name is SourceName.IDC


def test_bytes_are_told_and_counted_for_the_bandwidth() -> None:
    told, waited, one = list[int](), list[float](), Series("1.2.3", "1.2", "P")
    with Spool() as spool:

        class Telling:
            name = SourceName.IDC

            def fetch(self, series: Series, given: Spool, on_bytes: OnBytes) -> Packages:
                assert (series, given) == (one, spool)
                on_bytes(500)
                yield SeriesPackage(series, self.name, ())

        bandwidth = Bandwidth(1000, waited.append, Clock())
        source = PoliteSource(Telling(), Gate(1), bandwidth, Room(lambda series: len(series.patient_id)), nothing)
        assert [package.series for package in source.fetch(one, spool, told.append)] == [one]
    assert (told, waited) == ([0, 500], [0.5])


def test_what_waits_for_a_place_takes_no_room() -> None:
    gate, room, one = Gate(1), Room(lambda _series: 1), Series("1.2.3", "1.2", "P")
    room.limit([one], 1)
    looks: list[bool] = []

    def look() -> None:
        with room.taken(one, stopped):
            looks.append(True)
        raise Stopped

    source = PoliteSource(InParts(gate), gate, Bandwidth(None, lambda _seconds: None), room, look)
    with Spool() as spool, gate.inside(nothing), pytest.raises(Stopped):  # all places are taken
        next(source.fetch(one, spool, lambda _count: None))
    assert looks == [True]


def test_what_fails_on_its_way_gives_its_room_back() -> None:
    gate, room = Gate(1), Room(lambda _series: 1)
    one = Series("1.2.3", "1.2", "P", aws_bucket="b", crdc_series_uuid="u")
    room.limit([one], 1)
    source = PoliteSource(InParts(gate), gate, Bandwidth(None, lambda _seconds: None), room, nothing)
    fetcher = Fetcher({source.name: source}, [source.name], lambda _event: None, nothing)

    def refuse(packages: Iterator[SeriesPackage]) -> None:
        next(packages)
        raise XnatError("no")

    with Spool() as spool, pytest.raises(XnatError) as kept:  # an error that is kept keeps all that led to it
        fetcher.fetch(one, Label("P", "P"), spool, refuse)
    with room.taken(one, stopped):
        assert kept.value.__traceback__


def test_bandwidth_is_shared_by_all_who_take() -> None:
    clock, waited = Clock(), list[float]()
    limit = Bandwidth(1000, waited.append, clock)
    limit.take(500)
    limit.take(500)
    clock.now += 10
    limit.take(250)
    assert waited == [0.5, 1.0, 0.25]


def test_no_limit_waits_for_nobody() -> None:
    waited: list[float] = []
    Bandwidth(None, waited.append).take(10**12)
    assert not waited
