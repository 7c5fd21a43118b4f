"""Fetching one series: from the first source that delivers it whole, to wherever its packages go."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from tcia_xnat.core.errors import Error, SeriesUnavailable, SourceError
from tcia_xnat.core.events import BytesArrived, SeriesProved, SeriesStarted, Step, StepDone, Tell
from tcia_xnat.core.model import Label, Series, SeriesPackage, SourceName
from tcia_xnat.core.unexpected import series_error
from tcia_xnat.planning.catalog import ASK_BOTH, offered_by
from tcia_xnat.sources import Packages, Source
from tcia_xnat.staging.spool import Spool
from tcia_xnat.thumbnails import Depict, no_picture

Taken = TypeVar("Taken")

_TELL_SECONDS = 0.25  # between two events of bytes of one series, which come in thousands of chunks


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Taken]):
    """A series that arrived whole: from where, what became of its packages, and which sources failed before."""

    source: SourceName
    taken: Taken
    detours: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches series, falling back from one source to the next.

    Parameters
    ----------
    sources
        By name; `order` says which is tried first.
    tell
        Told what happens.
    check
        Raises `Stopped` when the run is to end.
    depict
        Draws a series while it is taken; of one that comes in parts the first part.
    """

    sources: Mapping[SourceName, Source]
    order: Sequence[SourceName]
    tell: Tell
    check: Callable[[], None]
    depict: Depict = no_picture

    def fetch(
        self, series: Series, label: Label, spool: Spool, take: Callable[[Iterator[SeriesPackage]], Taken]
    ) -> Fetched[Taken]:
        """Fetch and prove one series.

        Parameters
        ----------
        spool
            Holds the members of a package until the next one is asked for.
        take
            Puts the packages where they go. It is called once for each source that is tried, and sees the
            SourceError of one that fails while it takes them.

        Raises
        ------
        SourceError
            No source delivered it; `SeriesUnavailable` only if none offers it.
        """
        refused: dict[SourceName, SourceError] = {}
        for name in offered_by(series, self.order):
            arrival = _Arrival(SeriesStarted(series, label, name), self.tell)
            fetching = _own_errors(self.sources[name].fetch(series, spool, partial(self._count, arrival)))
            try:
                with closing(fetching), closing(self._watched(fetching, spool, arrival)) as packages:
                    taken = take(self._told(packages, series, label, name))
            except SourceError as error:
                refused[name] = error
            else:
                detours = (f"tried before: {_said(before, error)}" for before, error in refused.items())
                return Fetched(name, taken, tuple(detours))
        raise _verdict(refused, is_alone=len(self.order) == 1)

    def _told(
        self, packages: Iterator[SeriesPackage], series: Series, label: Label, name: SourceName
    ) -> Iterator[SeriesPackage]:
        for package in packages:
            self.tell(SeriesProved(series, label, name, len(package.members), package.byte_count))
            yield package

    def _watched(self, packages: Iterator[SeriesPackage], spool: Spool, arrival: "_Arrival") -> Packages:
        """Yield packages; tell how long each step took, and draw the first while it is taken."""
        depict = self.depict
        try:
            for package in packages:
                proved = arrival.proved()
                with depict(package, spool):
                    yield package
                    self.tell(StepDone(Step.IMPORT, time.monotonic() - proved))
                depict = no_picture
                arrival.goes_on()
        finally:
            arrival.flush()

    def _count(self, arrival: "_Arrival", count: int) -> None:
        arrival.count(count)
        self.check()


class _Arrival:
    """How a series arrives from one source: told when its turn comes, and after that a few times a second."""

    def __init__(self, started: SeriesStarted, tell: Tell) -> None:
        self._started, self._tell = started, tell
        self._begun = self._last_byte = self._told = 0.0
        self._untold = 0
        self._lock = threading.Lock()  # objects of IDC arrive side by side

    def count(self, byte_count: int) -> None:
        """Take notice of bytes, the first time of the turn of the series."""
        now = time.monotonic()
        with self._lock:
            if not self._begun:
                self._begun = self._told = now
                self._tell(self._started)
            self._last_byte = now
            self._untold += byte_count
            if now - self._told >= _TELL_SECONDS:
                self._flush(now)

    def proved(self) -> float:
        """Tell how long fetching and proving took; return when they ended."""
        self.flush()
        now = time.monotonic()
        self._tell(StepDone(Step.FETCH, self._last_byte - self._begun))
        self._tell(StepDone(Step.CHECK, now - self._last_byte))
        return now

    def goes_on(self) -> None:
        """Begin with the next part."""
        self._begun = self._last_byte = time.monotonic()

    def flush(self) -> None:
        """Tell of the bytes that nobody was told of."""
        with self._lock:
            self._flush(time.monotonic())

    def _flush(self, now: float) -> None:
        if self._untold:
            self._tell(BytesArrived(self._started.series, self._untold))
        self._untold, self._told = 0, now


def _own_errors(packages: Packages) -> Packages:
    """Yield packages; what nobody foresaw makes the series damaged there, so that the next source is asked."""
    try:
        yield from packages
    except Error:
        raise
    except Exception as error:
        raise series_error(error) from error


def _verdict(refused: Mapping[SourceName, SourceError], *, is_alone: bool) -> SourceError:
    """Return one error for all sources that were tried; only if none offers the series it is unavailable."""
    said = "; ".join(_said(name, error) for name, error in refused.items()) or "no source offers it"
    worst = [error for error in refused.values() if not isinstance(error, SeriesUnavailable)]
    if worst:
        return type(worst[-1])(said, worst[-1].hint)
    hint = next((error.hint for error in refused.values()), "")
    return SeriesUnavailable(said, ASK_BOTH if is_alone else hint)


def _said(name: SourceName, error: SourceError) -> str:
    text = str(error)
    is_plain = name is SourceName.LOCAL or text.startswith(name.told)
    return text if is_plain else f"{name.told}: {text}"
