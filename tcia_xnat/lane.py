"""A lane: one series from its source through the proof into XNAT's prearchive."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tcia_xnat.catalogue import offered_by
from tcia_xnat.errors import (
    FATAL,
    Error,
    SeriesIncomplete,
    SeriesUnavailable,
    SourceError,
    XnatError,
    XnatUnreachable,
)
from tcia_xnat.events import BytesArrived, SeriesStarted, Tell
from tcia_xnat.model import Label, Series, SeriesPackage, SourceName
from tcia_xnat.sources import Source
from tcia_xnat.spool import Spool
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.zipstream import ZipStream


@dataclass(frozen=True, slots=True)
class Sent:
    """A proved series that XNAT took; `prearchive` is the URL of its session, from /prearchive on."""

    series: Series
    source: SourceName
    prearchive: str
    image_count: int
    byte_count: int
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotSent:
    """A series that did not arrive, and why."""

    series: Series
    error: Error
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Lane:
    """What all lanes share.

    Parameters
    ----------
    project
        Where series go.
    sources
        By name; `order` says which is tried first.
    tell
        Told what happens.
    check
        Raises `Stopped` when the run is to end.
    listed
        What the catalogue says of series that were not asked for: their numbers of images.
    spool_dir
        Folder of the spool; None is the system's.
    """

    project: XnatProject
    sources: Mapping[SourceName, Source]
    order: Sequence[SourceName]
    tell: Tell
    check: Callable[[], None]
    listed: Callable[[Sequence[str]], Mapping[str, int]]
    spool_dir: Path | None = None

    def run(self, series: Series, label: Label) -> Sent | NotSent:
        """Fetch, prove and import one series.

        Raises
        ------
        Error
            One of `FATAL`, or XNAT cannot be reached at all: going on with other series is pointless.
        """
        started = time.monotonic()
        try:
            self.check()
            with Spool(self.spool_dir) as spool:
                return _Journey(self, series, label, spool).run(started)
        except FATAL:
            raise
        except (SourceError, XnatError) as error:
            if isinstance(error, XnatUnreachable) and self.project.is_away():
                raise  # else it is this series that XNAT cannot take
            return NotSent(series, error, time.monotonic() - started)


@dataclass(slots=True)
class _Journey:
    """One series on its way through a lane."""

    lane: Lane
    series: Series
    label: Label
    spool: Spool
    prearchive: str = ""
    refused: dict[SourceName, SourceError] = field(default_factory=dict)

    def run(self, started: float) -> Sent:
        for name in offered_by(self.series, self.lane.order):
            try:
                packages = self._send_all(name)
            except SourceError as error:
                self.refused[name] = error
            else:
                seconds = time.monotonic() - started
                return _sent(self.series, packages, self.prearchive, seconds, tuple(self._detours()))
        raise self._verdict()

    def _send_all(self, name: SourceName) -> list[SeriesPackage]:
        self.lane.tell(SeriesStarted(self.series, self.label, name))
        packages = []
        for package in self.lane.sources[name].fetch(self.series, self.spool, self._count):
            self._import(ZipStream(self.spool, package.members))
            packages.append(package)
        return packages

    def _import(self, body: ZipStream) -> None:
        project = self.lane.project
        self.prearchive = project.patience.call(lambda: project.prearchive.import_series(body, self.label))

    def _count(self, count: int) -> None:
        self.lane.check()
        self.lane.tell(BytesArrived(self.series, count))

    def _detours(self) -> list[str]:
        return [f"tried before: {_said(name, error)}" for name, error in self.refused.items()]

    def _verdict(self) -> SourceError:
        """Return one error for all sources that were tried; only if none offers the series it is unavailable."""
        said = "; ".join(_said(name, error) for name, error in self.refused.items()) or "no source offers it"
        worst = [error for error in self.refused.values() if not isinstance(error, SeriesUnavailable)]
        if worst:
            return type(worst[-1])(said, worst[-1].hint)
        if self.prearchive:  # a part of it is in XNAT: the study must wait
            return SeriesIncomplete(said)
        return SeriesUnavailable(said, next((error.hint for error in self.refused.values()), ""))


def _said(name: SourceName, error: SourceError) -> str:
    text = str(error)
    is_plain = name is SourceName.LOCAL or text.startswith(name.upper())
    return text if is_plain else f"{name.upper()}: {text}"


def _sent(
    series: Series, packages: Sequence[SeriesPackage], prearchive: str, seconds: float, notes: tuple[str, ...]
) -> Sent:
    return Sent(
        series,
        packages[0].source,
        prearchive,
        image_count=sum(len(package.members) for package in packages),
        byte_count=sum(package.byte_count for package in packages),
        seconds=seconds,
        notes=notes + packages[0].notes,
    )
