"""A lane to disk: one series from its source through the proof into its folder."""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tcia_xnat.clients.idc import IDCClient
from tcia_xnat.core.unexpected import series_error
from tcia_xnat.errors import FolderError, SourceError, SpaceError
from tcia_xnat.events import SeriesImported, SeriesLeft
from tcia_xnat.fetch import Fetcher
from tcia_xnat.folder.disk import Incoming, disk_errors, move_in
from tcia_xnat.folder.images import files_in, series_in
from tcia_xnat.folder.kept import Kept, KeptSeries
from tcia_xnat.folder.layout import Layout
from tcia_xnat.folder.licence import Licences
from tcia_xnat.folder.proof import proved_again, proved_by_hashes
from tcia_xnat.folder.writer import Written, first_head, write_series
from tcia_xnat.model import Label, Outcome, Series, SeriesPackage, SourceName, State
from tcia_xnat.planning.settle import missing_outcome
from tcia_xnat.retry import Patience
from tcia_xnat.spool import Spool


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
            if not self.replaces and (entry := self._proved(series)):
                return _outcome(State.PRESENT, label, entry, started)
            entry, notes = self._fetch(series, label)
        except Exception as error:  # noqa: BLE001  whatever one series causes is its own outcome
            failed = missing_outcome(series.series_instance_uid, series_error(error))
            return replace(failed, label=label, seconds=time.monotonic() - started)
        finally:
            self.fetcher.tell(SeriesLeft(series))
        source, seconds = SourceName(entry.source), time.monotonic() - started
        self.fetcher.tell(SeriesImported(series, label, source, entry.image_count, entry.byte_count, seconds))
        return replace(_outcome(State.STORED, label, entry, started), source=source, notes=notes)

    # what is there already

    def _proved(self, series: Series) -> KeptSeries | None:
        folder = self.folders[series.series_instance_uid]
        path = self.root / folder
        with disk_errors():
            if not files_in(path):
                return None
            if entry := proved_again(self.root, self.kept, series, folder):
                return entry
            files, images = proved_by_hashes(path, self._hashes(series))
            if not files:
                return None
            size = sum(image.size for image in images)
            written = Written(tuple(files), len(images), size, first_head(path / files[0].name))
        return self._remember(series, SourceName.IDC, written)

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

    def _fetch(self, series: Series, label: Label) -> tuple[KeptSeries, tuple[str, ...]]:
        self._refuse_full_disk(series)
        with Spool(self.spool_dir) as spool:
            fetched = self.fetcher.fetch(series, label, spool, partial(self._put, series, spool))
        entry = self._remember(series, fetched.source, fetched.taken)
        return entry, fetched.detours + fetched.taken.notes

    def _refuse_full_disk(self, series: Series) -> None:
        with disk_errors():
            free = shutil.disk_usage(self.root).free
        if series.byte_count > free:
            raise SpaceError(
                f"series {series.series_instance_uid} needs {series.byte_count} bytes, {self.root} has {free} free",
                "free some space; the same command continues",
            )

    def _put(self, series: Series, spool: Spool, packages: Iterator[SeriesPackage]) -> Written:
        """Put a series together beside its place, and move it there when it is whole."""
        target = self.root / self.folders[series.series_instance_uid]
        with self.incoming.folder() as made:
            written = write_series(self.layout, spool, packages, made)
            self.licences.add(series, written.licence_text)
            self._make_way(series, target)
            ours = self._left_by_us(series)
            self.kept.forget(series.series_instance_uid)
            move_in(made, target, [file.name for file in written.files], ours)
        return written

    def _left_by_us(self, series: Series) -> list[str]:
        uid = series.series_instance_uid
        entry = self.kept.series(uid)
        is_here = entry is not None and entry.folder == self.folders[uid]
        return [file.name for file in self.kept.files(uid)] if is_here else []

    def _make_way(self, series: Series, target: Path) -> None:
        """Refuse a folder in which another series lies.

        Raises
        ------
        FolderError
        """
        with disk_errors():
            others = {series_in(target / name) for name in files_in(target)} - {"", series.series_instance_uid}
        if others:
            raise FolderError(
                f"{target} holds images of series {min(others)}",
                "move them away, or choose folders with %SeriesInstanceUID in them",
            )

    def _remember(self, series: Series, source: SourceName, written: Written) -> KeptSeries:
        entry = KeptSeries(
            series.series_instance_uid,
            self.folders[series.series_instance_uid],
            source,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            series.image_count,
            series.crdc_series_uuid,
            written.head.manufacturer,
            written.head.sop_class_uid,
            written.image_count,
            written.byte_count,
        )
        self.kept.keep(entry, written.files)
        return entry


def _outcome(state: State, label: Label, entry: KeptSeries, started: float) -> Outcome:
    return Outcome(
        entry.series_instance_uid,
        state,
        label,
        image_count=entry.image_count,
        byte_count=entry.byte_count,
        seconds=time.monotonic() - started,
    )
