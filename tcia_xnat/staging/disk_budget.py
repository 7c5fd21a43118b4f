"""How much of their disk all spools together may take."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from heapq import nlargest

from tcia_xnat.core.model import Series


class Room:
    """Room for the largest series of a run side by side, one for each place.

    Most series are smaller, so there is room for more of them: while XNAT takes some, the next are fetched. Who comes
    first gets in first, so that a large series is not passed by for ever. Without `limit` there is no end of it.

    Parameters
    ----------
    needed
        Bytes of the spool that a series needs at the most.
    """

    def __init__(self, needed: Callable[[Series], int]) -> None:
        self._needed = needed
        self._limit: float = float("inf")
        self._unlisted = 0  # bytes of a series whose size nobody lists: those of the largest one
        self._used: float = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def limit(self, series: Iterable[Series], places: int) -> int:
        """Give no more than so many of the largest of these series need, and return how many bytes that is."""
        largest = nlargest(places, map(self._needed, series))
        byte_count = sum(largest)
        self._unlisted = max(largest, default=0)
        self._limit = byte_count
        return byte_count

    @contextmanager
    def taken(self, series: Series, check: Callable[[], None]) -> Iterator[None]:
        """Wait for room and keep it; `check` is called while waiting, and may raise."""
        wanted = min(self._needed(series) or self._unlisted, self._limit)
        with self._changed:
            self._wait(wanted, check)
            self._used += wanted
        try:
            yield
        finally:
            with self._changed:
                self._used -= wanted
                self._changed.notify_all()

    def _wait(self, wanted: float, check: Callable[[], None]) -> None:
        turn = object()
        self._waiting.append(turn)
        try:
            while self._waiting[0] is not turn or self._used + wanted > self._limit:
                check()
                self._changed.wait(0.5)
        finally:
            self._waiting.remove(turn)
            self._changed.notify_all()
