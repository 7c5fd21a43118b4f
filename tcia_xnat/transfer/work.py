"""What jobs hand on: what is asked for and where it comes from, the plan, and what a run came to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tcia_xnat.core.errors import Error
from tcia_xnat.core.metrics import Measured
from tcia_xnat.core.model import Label, SourceName
from tcia_xnat.core.retry import Patience
from tcia_xnat.destinations.xnat.archive import Listed
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.plan import Plan
from tcia_xnat.planning.settings import Settings
from tcia_xnat.sources import Source
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.transfer.scheduler import TransferResult


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that a run keeps in its project."""

    resource: str
    name: str
    content: bytes


ReadKept = Callable[[str, str, int], bytes | None]
"""Project resource, name of a file, largest number of bytes → the file; None when the project has no such one."""


def nothing_kept(_resource: str, _name: str, _limit: int) -> None:
    """Return None: there is no project that could have kept a file."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for, and where it comes from: all that differs between runs.

    Attributes
    ----------
    asked
        Kept in the project before anything else: the proof that this user may write there.
    labelled
        Makes of the labels by SeriesInstanceUID what is kept when they are known.
    agree
        Told how to read what earlier runs have kept in the project, before anything is changed; raises UsageError when
        this run would contradict it.
    sources
        Where series come from, the one that is tried first first.
    listed
        The numbers of images of series that were not asked for, as far as they are known.
    room
        What all spools may take of their disk.
    report
        Writes what else belongs into the folder of the report.
    """

    manifest: Manifest
    catalogue: Catalogue
    asked: Sequence[Kept]
    labelled: Callable[[Mapping[str, Label]], Sequence[Kept]]
    sources: Mapping[SourceName, Source]
    listed: Listed
    room: Room
    report: Callable[[Path], Iterable[Path]] = lambda _folder: ()
    agree: Callable[[ReadKept], None] = lambda _read: None


WorkOf = Callable[[Patience], AbstractContextManager[Work]]
"""Looks up what is asked for; the sources are open inside of the `with` block."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first byte moves."""

    manifest: Manifest
    catalogue: Catalogue
    labels: Mapping[str, Label]
    plan: Plan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was to do and did, for the report.

    `host` is the address of XNAT, if it was one; `unwritten` is the error that kept the report from being written.
    """

    job: Settings
    prepared: Prepared
    result: TransferResult
    started: datetime
    ended: datetime
    host: str = ""
    measured: Measured = field(default_factory=Measured)
    unwritten: Error | None = None
