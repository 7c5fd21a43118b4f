"""A lane to disk: one series from its source through the proof into its folder."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tcia_xnat.core.errors import SourceError, SpaceError
from tcia_xnat.core.events import SeriesImported, SeriesLeft
from tcia_xnat.core.model import Label, Outcome, Series, SeriesPackage, SourceName, State
from tcia_xnat.core.retry import Patience
from tcia_xnat.core.unexpected import series_error
from tcia_xnat.destinations.disk.disk import Incoming, add_to, disk_errors, move_in
from tcia_xnat.destinations.disk.existing import OnDisk, Whole, is_shared
from tcia_xnat.destinations.disk.kept import Kept, KeptSeries
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.licence import Licences
from tcia_xnat.destinations.disk.proof import is_as_listed
from tcia_xnat.destinations.disk.scan import File
from tcia_xnat.destinations.disk.survey import Survey
from tcia_xnat.destinations.disk.writer import Written, first_head, write_series
from tcia_xnat.planning.settle import missing_outcome
from tcia_xnat.sources.fetch import Fetcher
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.staging.spool import Spool


@dataclass(frozen=True, slots=True)
class FolderLane:
    """What all lanes to disk share.

    Parameters
    ----------
    root
        The output folder.
    layout
        How series lie in it.
    folders
        SeriesInstanceUID → folder, relative to `root`.
    kept, incoming, licences
        The memory, the workbench and the LICENSE files of the output folder.
    fetcher
        Brings series from their sources.
    idc
        Lists the hashes of what lies on disk and is not remembered; None when IDC is not to be asked.
    patience
        How it is asked.
    spool_dir
        Folder of the spool; None is the system's.
    replaces
        Series are fetched and replaced whether what is there is right or not.
    found
        What other tools, and forgotten runs, have left below the output folder.
    """

    root: Path
    layout: Layout
    folders: Mapping[str, str]
    kept: Kept
    incoming: Incoming
    licences: Licences
    fetcher: Fetcher
    idc: IDCClient | None
    patience: Patience
    spool_dir: Path | None = None
    replaces: bool = False
    found: Survey = field(default_factory=Survey)

    def run(self, series: Series, label: Label) -> Outcome:
        """Have one series on disk, proved.

        Raises
        ------
        Error
            One of `FATAL`: going on with other series is pointless.
        """
        started = time.monotonic()
        try:
            self.fetcher.check()
            files = self._disk.files(series)
            if not self.replaces and (whole := self._disk.whole(series, files, partial(self._hashes, series))):
                there = _outcome(State.PRESENT, label, self._remember_whole(series, whole), started)
                return replace(there, notes=whole.notes)
            self._disk.refuse_elsewhere(series, files, self._disk.home(series))
            entry, notes = self._fetch(series, label, () if self.replaces else files)
        except Exception as error:  # noqa: BLE001  whatever one series causes is its own outcome
            failed = missing_outcome(series.series_instance_uid, series_error(error))
            return replace(failed, label=label, seconds=time.monotonic() - started)
        finally:
            self.fetcher.tell(SeriesLeft(series))
        source, seconds = SourceName(entry.source), time.monotonic() - started
        self.fetcher.tell(SeriesImported(series, label, source, entry.image_count, entry.byte_count, seconds))
        return replace(_outcome(State.STORED, label, entry, started), source=source, notes=notes)

    # what is there already

    @property
    def _disk(self) -> OnDisk:
        return OnDisk(self.root, self.folders, self.kept, self.found)

    def _remember_whole(self, series: Series, whole: Whole) -> KeptSeries:
        """Remember a series that lies in one folder; one in several is looked at each time."""
        entry = self.kept.series(series.series_instance_uid)
        if entry is None or not is_as_listed(entry, series):
            with disk_errors():
                head = first_head(self.root / whole.files[0].path)
            written = Written((), whole.images, whole.byte_count, head)
            entry = self._entry(series, SourceName.IDC, written)
        if whole.folder is not None:
            self.kept.keep(replace(entry, folder=whole.folder), whole.as_kept())
        return entry

    def _hashes(self, series: Series) -> list[str]:
        """Return the MD5 of every image that IDC lists; none when it does not list all of them."""
        idc = self.idc
        if idc is None or not series.is_in_idc:
            return []
        try:
            objects = self.patience.call(lambda: idc.list_objects(series.aws_bucket, series.crdc_series_uuid))
        except SourceError:
            return []  # the series is fetched, and IDC asked again
        hashes = [stored.md5 for stored in objects]
        return hashes if all(hashes) else []

    # what is not

    def _fetch(self, series: Series, label: Label, files: Sequence[File]) -> tuple[KeptSeries, tuple[str, ...]]:
        self._refuse_full_disk(series)
        with Spool(self.spool_dir) as spool:
            fetched = self.fetcher.fetch(series, label, spool, partial(self._put, series, spool, files))
        entry = self._entry(series, fetched.source, fetched.taken)
        self.kept.keep(entry, fetched.taken.files)
        return entry, fetched.detours + fetched.taken.notes

    def _refuse_full_disk(self, series: Series) -> None:
        with disk_errors():
            free = shutil.disk_usage(self.root).free
        if series.byte_count > free:
            raise SpaceError(
                f"series {series.series_instance_uid} needs {series.byte_count} bytes, {self.root} has {free} free",
                "free some space; the same command continues",
            )

    def _put(self, series: Series, spool: Spool, files: Sequence[File], packages: Iterator[SeriesPackage]) -> Written:
        """Put a series together beside its place, and move it there when it is whole.

        Parameters
        ----------
        files
            What lies there: it stays where it has the same bytes, which nobody could tell before.
        """
        with self.incoming.folder() as made:
            written = write_series(self.layout, spool, packages, made)
            self.licences.add(series, written.licence_text)
            if same := self._disk.whole(series, files, lambda: [file.md5 for file in written.files]):
                notes = (*written.notes, "what lay there has the bytes that were fetched, and stays", *same.notes)
                return replace(written, files=tuple(same.as_kept()), notes=notes)
            names = [file.name for file in written.files]
            cleared, home = self._disk.cleared(series, written.images, names), self._disk.home(series)
            self.kept.forget(series.series_instance_uid)
            if is_shared(home):
                add_to(made, self.root / home, names, remove=cleared.remove, replace=cleared.replace)
            else:
                move_in(made, self.root / home, names, cleared.remove)
        return replace(written, notes=written.notes + cleared.notes)

    def _entry(self, series: Series, source: SourceName, written: Written) -> KeptSeries:
        return KeptSeries(
            series.series_instance_uid,
            self._disk.home(series),
            source,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            series.image_count,
            series.crdc_series_uuid,
            written.head.manufacturer,
            written.head.sop_class_uid,
            len(written.images),
            written.byte_count,
        )


def _outcome(state: State, label: Label, entry: KeptSeries, started: float) -> Outcome:
    return Outcome(
        entry.series_instance_uid,
        state,
        label,
        image_count=entry.image_count,
        byte_count=entry.byte_count,
        seconds=time.monotonic() - started,
    )
