"""How much is asked of servers at once: fewer series side by side when one is in trouble, and a limit of bandwidth."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

from tcia_xnat.core.errors import Error, SourceUnreachable
from tcia_xnat.core.model import Series, SourceName
from tcia_xnat.core.retry import Patience
from tcia_xnat.sources import OnBytes, Packages, Source
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.staging.spool import Spool

_SHRINK_SECONDS = 5.0  # trouble of many lanes within this time is one trouble
_GROW_AFTER = 4  # series without trouble for each place there is, until one more comes back


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

    def told_by(self, patience: Patience) -> Patience:
        """Return a patience that also tells this gate of each error."""

        def tell(error: Error, delay: float) -> None:
            self.trouble(error)
            patience.on_retry(error, delay)

        return replace(patience, on_retry=tell)

    @contextmanager
    def inside(self, check: Callable[[], None]) -> Iterator[None]:
        """Wait for a place and keep it; `check` is called while waiting, and may raise."""
        with self._changed:
            while self._inside >= self._places:
                check()
                self._changed.wait(0.5)
            self._inside += 1
        with self._leaving():
            yield
            self._went_well()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Take a place without waiting, for what was inside before."""
        with self._changed:
            self._inside += 1
        with self._leaving():
            yield

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _went_well(self) -> None:
        with self._changed:
            self._well += 1
            if self._well >= _GROW_AFTER * self._places and self._places < self._most:
                self._places, self._well = self._places + 1, 0


class PoliteSource:
    """A source behind a gate; a place is kept while bytes come, not while XNAT takes them, room as long as that lasts.

    Parameters
    ----------
    source
        What is asked.
    gate
        Of all lanes together.
    bandwidth, room
        Of all lanes and sources together.
    check
        Called while waiting; raises `Stopped` when the run is to end.
    """

    def __init__(
        self, source: Source, gate: Gate, bandwidth: "Bandwidth", room: Room, check: Callable[[], None]
    ) -> None:
        self._source, self._gate, self._bandwidth, self._room, self._check = source, gate, bandwidth, room, check
        self.name = source.name

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series; see `Source.fetch`."""

        def arrived(byte_count: int) -> None:
            on_bytes(byte_count)
            self._bandwidth.take(byte_count)

        with ExitStack() as held:
            packages = held.enter_context(closing(self._source.fetch(series, spool, arrived)))
            with self._gate.inside(self._check):
                held.enter_context(self._room.taken(series, self._check))
                held.callback(spool.clear)  # before the room is given back
                on_bytes(0)
                package = next(packages, None)
            while package is not None:
                yield package
                with self._gate.going_on():
                    package = next(packages, None)


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


class Limits(Protocol):
    """What a job says of limits: series at once, and bytes a second of all together or None."""

    @property
    def transfers(self) -> int: ...  # noqa: D102  above
    @property
    def bwlimit(self) -> float | None: ...  # noqa: D102  above


def polite(
    made: Iterable[Callable[[Patience], Source]], patience: Patience, limits: Limits, room: Room
) -> dict[SourceName, Source]:
    """Return sources that wait for their turn, each made with a patience that tells its gate of trouble."""
    bandwidth = Bandwidth(limits.bwlimit, patience.wait)
    found: dict[SourceName, Source] = {}
    for make in made:
        gate = Gate(limits.transfers)
        source = PoliteSource(make(gate.told_by(patience)), gate, bandwidth, room, partial(patience.wait, 0))
        found[source.name] = source
    return found
