"""Work is done in pools, and what follows from it in the thread that handed it out."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tcia_xnat.core import executor as module
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import SpaceError, Stopped
from tcia_xnat.core.executor import Workers


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def test_results_are_taken_one_by_one_in_the_deciding_thread(pool: ThreadPoolExecutor) -> None:
    workers, taken = Workers(Stop()), list[tuple[int, int]]()
    for number in range(20):
        workers.hand_out(pool, partial(int, number), lambda n: taken.append((n, threading.get_ident())))
    workers.decide()
    assert {number for number, _ in taken} == set(range(20))
    assert {thread for _, thread in taken} == {threading.get_ident()}
    assert workers.ended_by is None


def test_what_a_result_hands_out_is_waited_for(pool: ThreadPoolExecutor) -> None:
    workers, taken = Workers(Stop()), list[str]()

    def again(word: str) -> None:
        taken.append(word)
        if len(word) < 3:
            workers.hand_out(pool, lambda: word + "x", again)

    workers.hand_out(pool, lambda: "x", again)
    workers.decide()
    assert taken == ["x", "xx", "xxx"]


def test_the_first_error_ends_the_work_and_the_rest_still_comes_in(pool: ThreadPoolExecutor) -> None:
    stop, taken, failed = Stop(), list[int](), threading.Event()
    workers, error = Workers(stop), SpaceError("full")

    def fail() -> int:
        try:
            raise error
        finally:
            failed.set()

    def late() -> int:
        failed.wait(20)
        return 7

    workers.hand_out(pool, fail, taken.append)
    workers.hand_out(pool, late, taken.append)
    workers.decide()
    assert workers.ended_by is error
    assert stop.requested
    assert taken == [7]


def test_an_exception_that_nobody_foresaw_is_an_error_with_its_name(pool: ThreadPoolExecutor) -> None:
    workers = Workers(Stop())
    workers.hand_out(pool, lambda: int("a defect"), lambda _result: None)
    workers.decide()
    assert "unexpected ValueError" in str(workers.ended_by)


def test_what_hangs_is_dropped_some_time_after_the_end_was_asked_for(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.05)
    stop, over = Stop(), threading.Event()
    workers, taken = Workers(stop), list[bool]()
    workers.hand_out(pool, lambda: over.wait(20), taken.append)
    stop.request()
    workers.decide()
    over.set()
    assert not taken
    assert isinstance(workers.ended_by, Stopped)
