"""Fetching one series: from the first source that delivers it whole, to wherever its packages go."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from tcia_xnat.catalogue import offered_by
from tcia_xnat.errors import SeriesUnavailable, SourceError
from tcia_xnat.events import BytesArrived, SeriesProved, SeriesStarted, Tell
from tcia_xnat.model import Label, Series, SeriesPackage, SourceName
from tcia_xnat.sources import Source
from tcia_xnat.spool import Spool

Taken = TypeVar("Taken")


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
    """

    sources: Mapping[SourceName, Source]
    order: Sequence[SourceName]
    tell: Tell
    check: Callable[[], None]

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
            self.tell(SeriesStarted(series, label, name))
            try:
                taken = take(self._proved(series, label, spool, name))
            except SourceError as error:
                refused[name] = error
            else:
                detours = (f"tried before: {_said(before, error)}" for before, error in refused.items())
                return Fetched(name, taken, tuple(detours))
        raise _verdict(refused)

    def _proved(self, series: Series, label: Label, spool: Spool, name: SourceName) -> Iterator[SeriesPackage]:
        for package in self.sources[name].fetch(series, spool, partial(self._count, series)):
            self.tell(SeriesProved(series, label, name, len(package.members), package.byte_count))
            yield package

    def _count(self, series: Series, count: int) -> None:
        self.check()
        self.tell(BytesArrived(series, count))


def _verdict(refused: Mapping[SourceName, SourceError]) -> SourceError:
    """Return one error for all sources that were tried; only if none offers the series it is unavailable."""
    said = "; ".join(_said(name, error) for name, error in refused.items()) or "no source offers it"
    worst = [error for error in refused.values() if not isinstance(error, SeriesUnavailable)]
    if worst:
        return type(worst[-1])(said, worst[-1].hint)
    return SeriesUnavailable(said, next((error.hint for error in refused.values()), ""))


def _said(name: SourceName, error: SourceError) -> str:
    text = str(error)
    return text if text.startswith(name.upper()) else f"{name.upper()}: {text}"
