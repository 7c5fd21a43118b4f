"""Spools together take no more of their disk than the largest series need; who comes first gets in first."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tcia_xnat.core.errors import Stopped
from tcia_xnat.core.model import Series
from tcia_xnat.staging.disk_budget import Room


def nothing() -> None:
    """Nobody asks for an end."""


def stopped() -> None:
    raise Stopped


def series(byte_count: int) -> Series:
    return Series(f"1.{byte_count}", "1.2", "P", byte_count=byte_count)


def room(*byte_counts: int, places: int) -> Room:
    made = Room(lambda one: one.byte_count)
    assert made.limit(map(series, byte_counts), places) == sum(sorted(byte_counts)[-places:])
    return made


def test_never_more_than_the_largest_need() -> None:
    sizes = random.Random(0).choices([1, 2, 3, 5, 50, 100], k=200)  # noqa: S311  sizes, no secrets
    there, lock = room(*sizes, places=2), threading.Lock()
    used, most = 0, 0

    def work(size: int) -> None:
        nonlocal used, most
        with there.taken(series(size), nothing):
            with lock:
                used += size
                most = max(most, used)
            with lock:
                used -= size

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, sizes))
    assert used == 0
    assert most <= 200


def test_small_ones_share_the_place_of_a_large_one() -> None:
    there, all_in = room(10, 4, 3, 3, places=1), threading.Barrier(3)

    def work(size: int) -> None:
        with there.taken(series(size), nothing):
            all_in.wait(20)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [4, 3, 3]))


def test_a_large_one_is_not_passed_by() -> None:
    there, order = room(10, 1, places=1), list[int]()
    large_waits = threading.Event()

    def work(size: int, check: threading.Event) -> None:
        with there.taken(series(size), check.set):
            order.append(size)

    with ThreadPoolExecutor(2) as pool:
        with there.taken(series(1), nothing):
            large = pool.submit(work, 10, large_waits)
            assert large_waits.wait(20)
            small_waits = threading.Event()
            small = pool.submit(work, 1, small_waits)
            assert small_waits.wait(20)
            assert order == []
        large.result(20)
        small.result(20)
    assert order == [10, 1]


def test_one_that_is_larger_than_was_known_gets_all_the_room() -> None:
    with room(10, places=1).taken(series(11), stopped):
        pass


def test_one_whose_size_nobody_lists_takes_as_much_as_the_largest() -> None:
    there = room(10, 4, places=1)
    with there.taken(series(0), stopped), pytest.raises(Stopped), there.taken(series(4), stopped):
        pass


def test_who_waits_can_be_stopped_and_holds_up_nobody() -> None:
    there = room(10, places=1)

    with there.taken(series(10), nothing), pytest.raises(Stopped), there.taken(series(10), stopped):
        pass
    with there.taken(series(10), nothing):
        pass


def test_without_a_limit_there_is_room_for_all() -> None:
    there = Room(lambda one: one.byte_count)
    with there.taken(series(10**15), nothing), there.taken(series(10**15), nothing):
        pass


def test_nothing_to_fetch_needs_no_room() -> None:
    there = room(places=1)
    with there.taken(series(0), stopped), there.taken(series(0), stopped):
        pass
