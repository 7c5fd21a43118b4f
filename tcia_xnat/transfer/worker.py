"""A lane: one series from its source through the proof into XNAT's prearchive."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tcia_xnat.core.errors import Error, SeriesIncomplete, SeriesUnavailable, XnatUnreachable
from tcia_xnat.core.events import SeriesLeft, Tell
from tcia_xnat.core.model import Label, Series, SeriesPackage, SourceName
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.core.unexpected import series_error
from tcia_xnat.destinations.xnat.turns import Turns
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.sources import Source
from tcia_xnat.sources.fetch import Fetched, Fetcher
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream
from tcia_xnat.thumbnails import Depict, no_picture
from tcia_xnat.xnat.project import XnatProject


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
    images: UidSet | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """A series that did not arrive, and why."""

    series: Series
    error: Error
    seconds: float = 0.0


def counted_only(series: Series) -> Wanted:
    """Return what a series is to have, of which nobody knows the SOPInstanceUIDs before it is fetched."""
    return Wanted(series.image_count)


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
    uploads
        Entered for each import: a semaphore limits how many XNAT gets at once.
    depict
        Draws a series while XNAT takes it.
    turns
        Which run may send into which session.
    wanted
        What a series is to have, as far as that is known before it is fetched.
    claim
        Makes the subject of a label before anything is sent, or refuses it.
    keep
        Keeps a file in a resource of the project, or where else the user has such files.
    """

    project: XnatProject
    turns: Turns
    sources: Mapping[SourceName, Source]
    order: Sequence[SourceName]
    tell: Tell
    check: Callable[[], None]
    listed: Callable[[Sequence[str]], Mapping[str, int]]
    spool_dir: Path | None = None
    uploads: AbstractContextManager[object] = field(default_factory=nullcontext)
    depict: Depict = no_picture
    wanted: Callable[[Series], Wanted] = counted_only
    claim: Callable[[Label], None] = lambda _label: None
    keep: Callable[[str, str, bytes], None] = lambda _resource, _name, _content: None

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
            self.turns.check(label)
            with Spool(self.spool_dir) as spool:
                return _Journey(self, series, label, spool).run(started)
        except Exception as error:
            if isinstance(error, XnatUnreachable) and self.project.is_away():
                raise  # else it is this series that XNAT cannot take
            return NotSent(series, series_error(error), time.monotonic() - started)
        finally:
            self.tell(SeriesLeft(series))


@dataclass(slots=True)
class _Journey:
    """One series on its way through a lane."""

    lane: Lane
    series: Series
    label: Label
    spool: Spool
    prearchive: str = ""

    def run(self, started: float) -> Sent:
        lane = self.lane
        fetcher = Fetcher(lane.sources, lane.order, lane.tell, lane.check, lane.depict)
        try:
            fetched = fetcher.fetch(self.series, self.label, self.spool, self._send_all)
        except SeriesUnavailable as error:
            if self.prearchive:  # a part of it is in XNAT: the study must wait
                raise SeriesIncomplete(str(error)) from error
            raise
        return _sent(self.series, fetched, self.prearchive, time.monotonic() - started)

    def _send_all(self, packages: Iterator[SeriesPackage]) -> list[SeriesPackage]:
        sent = []
        for package in packages:
            self._import(package)
            sent.append(package)
        return sent

    def _import(self, package: SeriesPackage) -> None:
        patience, prearchive = self.lane.project.patience, self.lane.project.prearchive
        uid = self.series.series_instance_uid
        first, body = (ZipStream(self.spool, members) for members in (package.members[:1], package.members))
        with self.lane.uploads:
            patience.call(lambda: self.lane.claim(self.label), uid)
            patience.call(lambda: self.lane.turns.take(self.label, lambda: first), uid)
            self.prearchive = patience.call(lambda: prearchive.import_series(body, self.label), uid)
            patience.call(lambda: self.lane.turns.check(self.label), uid)


def _sent(series: Series, fetched: Fetched[list[SeriesPackage]], prearchive: str, seconds: float) -> Sent:
    packages = fetched.taken
    return Sent(
        series,
        fetched.source,
        prearchive,
        image_count=sum(len(package.members) for package in packages),
        byte_count=sum(package.byte_count for package in packages),
        seconds=seconds,
        notes=fetched.detours + packages[0].notes,
        images=UidSet.of(member.sop_instance_uid for package in packages for member in package.members),
    )
