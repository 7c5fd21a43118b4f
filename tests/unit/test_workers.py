"""The thread that decides, while others work."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Stopped
from tcia_xnat.core.executor import Workers


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    made = Stop()
    made.on_signals()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_a_worker_takes_ends_the_work(stop: Stop) -> None:
    workers, ended = Workers(stop), threading.Event()

    def work() -> bool:
        ended.wait(0.3)  # the thread that decides waits, too, by then
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # the kernel may choose any thread
        return ended.wait(30)

    with ThreadPoolExecutor(1) as pool:
        workers.hand_out(pool, work, lambda _result: None)
        workers.decide()
        ended.set()
    assert isinstance(workers.ended_by, Stopped)
    assert workers.ended_by.exit_code == 143
