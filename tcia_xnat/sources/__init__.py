"""Where images come from: each source fetches a series into the spool and proves that it is whole."""

from collections.abc import Callable, Generator
from typing import Protocol

from tcia_xnat.core.model import Series, SeriesPackage, SourceName
from tcia_xnat.staging.spool import Spool

OnBytes = Callable[[int], None]
"""Told how many bytes have arrived, 0 when it is the turn of the series; raises `Stopped` when the run is to end."""

Packages = Generator[SeriesPackage, None, None]
"""A series on its way; whoever takes it closes it at the end, and so gives back the places that it holds."""


class Source(Protocol):
    """One place that offers series."""

    name: SourceName

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series as one package, or as several when it is larger than the spool may be.

        A package is valid until the next one is asked for: they share the spool.

        Raises
        ------
        SourceUnreachable, SeriesUnavailable, SeriesIncomplete, SeriesDamaged
            After all tries that may help.
        SpaceError, Stopped
        """
        ...
