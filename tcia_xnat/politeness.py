"""How much is asked of servers at once: fewer series side by side when one is in trouble, and a limit of bandwidth."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tcia_xnat.errors import Error, SourceUnreachable
from tcia_xnat.model import Series, SeriesPackage
from tcia_xnat.sources import OnBytes, Source
from tcia_xnat.spool import Spool

_SHRINK_SECONDS = 5.0  # trouble of many lanes within this time is one trouble
_GROW_AFTER = 4  # series in a row without trouble, for each place that comes back


class Gate:
    """Lets so many pass at once: half as many after trouble, one more after some that went well.

    Parameters
    ----------
    most
        Places at the beginning, and never more.
    clock
        Seconds that only grow.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._places, self._inside, self._well = most, 0, 0
        self._shrunk = float("-inf")
        self._changed = threading.Condition()

    @property
    def places(self) -> int:
        """How many may be inside now."""
        return self._places

    def trouble(self, error: Error) -> None:
        """Take notice of an error; one that says "not now" halves the places."""
        if not isinstance(error, SourceUnreachable):
            return
        with self._changed:
            self._well = 0
            if self._clock() - self._shrunk >= _SHRINK_SECONDS:
                self._shrunk = self._clock()
                self._places = max(1, self._places // 2)

    @contextmanager
    def inside(self, check: Callable[[], None]) -> Iterator[None]:
        """Wait for a place and keep it; `check` is called while waiting, and may raise."""
        with self._changed:
            while self._inside >= self._places:
                check()
                self._changed.wait(0.5)
            self._inside += 1
        try:
            yield
            self._went_well()
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _went_well(self) -> None:
        with self._changed:
            self._well += 1
            if self._well >= _GROW_AFTER and self._places < self._most:
                self._places, self._well = self._places + 1, 0


class PoliteSource:
    """A source behind a gate; a place is kept while bytes come, not while XNAT takes them.

    Parameters
    ----------
    source
        What is asked.
    gate
        Of all lanes together.
    check
        Raises `Stopped` when the run is to end.
    """

    def __init__(self, source: Source, gate: Gate, check: Callable[[], None]) -> None:
        self._source, self._gate, self._check = source, gate, check
        self.name = source.name

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Iterator[SeriesPackage]:
        """Yield the series; see `Source.fetch`."""
        packages = self._source.fetch(series, spool, on_bytes)
        while True:
            with self._gate.inside(self._check):
                package = next(packages, None)
            if package is None:
                return
            yield package


class Bandwidth:
    """A limit for all lanes together.

    Parameters
    ----------
    bytes_per_second
        None is no limit.
    wait
        Waits so many seconds; raises `Stopped` when the run is to end.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        bytes_per_second: float | None,
        wait: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._wait, self._clock = bytes_per_second, wait, clock
        self._free = clock()
        self._lock = threading.Lock()

    def take(self, byte_count: int) -> None:
        """Wait until so many bytes that have arrived are within the limit."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            self._free = max(self._free, now) + byte_count / self._rate
            seconds = self._free - now
        self._wait(seconds)
