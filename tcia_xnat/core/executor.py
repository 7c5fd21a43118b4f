"""Work that is handed out to pools of threads, and results that the thread which handed it out takes one by one."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error
from tcia_xnat.core.unexpected import unexpected

Result = TypeVar("Result")

_GRACE_SECONDS = 4.0  # for what is in flight when the end is asked for
_LOOK_SECONDS = 0.5  # between two looks for a signal: one that another thread took does not wake this one


class Workers:
    """One thread, the caller's, decides; the others work and hand their results back through a queue.

    Parameters
    ----------
    stop
        The wish to end early; also expressed here, when an error makes going on pointless. What is in flight then has
        a few seconds to end, and is dropped after that.

    Attributes
    ----------
    ended_by
        The error that ended the work early, if one did.
    """

    def __init__(self, stop: Stop) -> None:
        self.ended_by: Error | None = None
        self._stop = stop
        self._results: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open = 0
        stop.call(partial(self._results.put, lambda: None))  # wakes the deciding thread

    def hand_out(self, pool: ThreadPoolExecutor, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Do `work` in a pool, then `then` with its result in the deciding thread."""

        def task() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001  the run ends with its record, whatever ended it
                self._results.put(partial(self._take, self._end, unexpected(error)))
            else:
                self._results.put(partial(self._take, then, result))

        self._open += 1
        pool.submit(task)

    def decide(self) -> None:
        """Take results as they come, until all are in or the time to end is over."""
        ends = float("inf")
        while self._open:
            if self._stop.requested:
                ends = min(ends, time.monotonic() + _GRACE_SECONDS)
            try:
                self._results.get(timeout=max(min(ends - time.monotonic(), _LOOK_SECONDS), 0))()
            except queue.Empty:
                if time.monotonic() >= ends:
                    self._end(self._stop.error())
                    return

    def _take(self, then: Callable[[Result], None], result: Result) -> None:
        self._open -= 1
        then(result)

    def _end(self, error: Error) -> None:
        """Remember the error that ends the run, and end it: a stop that was asked for counts before what it causes."""
        if self.ended_by is None:
            self.ended_by = error
            self._stop.request(error)
