"""The output folder before anything moves: where each series lies or is to go, and which need not be looked at."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tcia_xnat.core.model import Series
from tcia_xnat.core.words import counted
from tcia_xnat.destinations.disk.disk import disk_errors
from tcia_xnat.destinations.disk.images import files_in, series_in
from tcia_xnat.destinations.disk.kept import Kept, KeptSeries
from tcia_xnat.destinations.disk.layout import Layout, assign
from tcia_xnat.destinations.disk.proof import is_as_listed, is_unchanged
from tcia_xnat.destinations.disk.survey import Survey, homes
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.held import Held


@dataclass(frozen=True, slots=True)
class Ground:
    """The output folder before anything moves.

    Attributes
    ----------
    root
        It.
    assigned
        SeriesInstanceUID → folder where it is to go.
    folders
        SeriesInstanceUID → folder where it lies already, else where it is to go.
    found
        What lies there that is not remembered.
    """

    root: Path
    assigned: Mapping[str, str]
    folders: Mapping[str, str]
    found: Survey

    def notes(self, series_instance_uids: Iterable[str]) -> tuple[str, ...]:
        """Return a note on those of these series that lie elsewhere than they would be put."""
        elsewhere = [uid for uid in series_instance_uids if self.folders[uid] != self.assigned[uid]]
        if not elsewhere:
            return ()
        uid = elsewhere[0]
        said = (
            f"{counted(len(elsewhere), 'series', 'series')} found in other folders than the layout has, and left there"
        )
        return (f"{said}; first {uid} in {self.folders[uid] or '.'}, not in {self.assigned[uid] or '.'}",)

    def lies(self, series: Series) -> bool:
        """Whether some of a series is there."""
        uid = series.series_instance_uid
        return uid in self.found.images or self.folders[uid] != self.assigned[uid]

    def held(self, asked: Iterable[Series], kept: Kept) -> Held:
        """Return what is there and right by what is remembered; the rest is looked at by its lane."""
        right: dict[str, Holding] = {}
        for series in asked:
            entry = kept.series(series.series_instance_uid)
            if entry and self._is_right(series, entry, kept):
                right[series.series_instance_uid] = Holding(entry.image_count, is_proved=True)  # when it was stored
        return Held(holdings=right)

    def _is_right(self, series: Series, entry: KeptSeries, kept: Kept) -> bool:
        uid = series.series_instance_uid
        return (
            entry.folder == self.folders[uid]
            and not self.found.concerns(uid, entry.folder)
            and is_as_listed(entry, series)
            and is_unchanged(self.root, entry, kept.files(uid))
        )


def look_at(
    root: Path,
    layout: Layout,
    series: Collection[Series],
    kept: Kept | None,
    find: Callable[[Path, Collection[str], Callable[[str], Collection[str]]], Survey],
) -> Ground:
    """Look at the output folder, and decide where each series has its place.

    Parameters
    ----------
    series
        All series of the catalogue.
    kept
        What is remembered of the folder, if anything.
    find
        `survey`, with what else it needs.

    Raises
    ------
    SpaceError, FolderError
        The disk does not give what lies there.
    """
    entries = list(kept.all()) if kept else []
    remembered = {entry.folder: entry.series_instance_uid for entry in entries}

    def holder(folder: str) -> str:
        return remembered.get(folder) or _lies_in(root / folder)

    with disk_errors():
        assigned = assign(series, layout, holder)
        found = find(root, assigned.keys(), kept.names_in if kept else _nothing)
        elsewhere = {
            entry.series_instance_uid: entry.folder
            for entry in entries
            if kept and assigned.get(entry.series_instance_uid, entry.folder) != entry.folder
            if _lies(root, entry, kept)
        }
    return Ground(root, assigned, homes(assigned, elsewhere, found), found)


def _nothing(_folder: str) -> Collection[str]:
    return ()


def _lies(root: Path, entry: KeptSeries, kept: Kept) -> bool:
    return any((root / entry.path(file)).exists() for file in kept.files(entry.series_instance_uid))


def _lies_in(folder: Path) -> str:
    found = (series_in(folder / name) for name in sorted(files_in(folder)))
    return next(filter(None, found), "")
