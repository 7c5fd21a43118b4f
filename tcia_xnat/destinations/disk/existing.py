"""What lies below the output folder of one series: read, judged, and freed of all that is there twice."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tcia_xnat.core.errors import FolderError
from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.disk import disk_errors, set_aside
from tcia_xnat.destinations.disk.images import files_in
from tcia_xnat.destinations.disk.kept import Kept, KeptFile
from tcia_xnat.destinations.disk.presence import Clearing, Known, clearing, images_of, whole_part
from tcia_xnat.destinations.disk.proof import is_as_listed
from tcia_xnat.destinations.disk.scan import File, read_file
from tcia_xnat.destinations.disk.survey import Survey


@dataclass(frozen=True, slots=True)
class Whole:
    """Files that hold a series whole, each image once.

    Attributes
    ----------
    folder
        The one in which all of them lie; None when they lie in several.
    files
        They.
    images
        Their SOPInstanceUIDs.
    byte_count
        Of the images, also when they lie in a zip.
    notes
        What was done to what lay there besides.
    """

    folder: str | None
    files: tuple[File, ...]
    images: frozenset[str]
    byte_count: int
    notes: tuple[str, ...] = ()

    def as_kept(self) -> list[KeptFile]:
        """Return the files as they are remembered."""
        return [KeptFile(file.name, file.size, file.mtime_ns, file.md5) for file in self.files]


@dataclass(frozen=True, slots=True)
class Cleared:
    """A folder that is prepared for the files of a series.

    Attributes
    ----------
    remove
        Names that go when the files move in.
    replace
        Names that the files have, and that are files of this series, too.
    notes
        What was done to others.
    """

    remove: Collection[str]
    replace: Collection[str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The series below an output folder.

    Parameters
    ----------
    root
        The output folder.
    folders
        SeriesInstanceUID → folder, relative to `root`.
    kept
        What is remembered of them.
    found
        What other tools, and forgotten runs, have left there.
    """

    root: Path
    folders: Mapping[str, str]
    kept: Kept
    found: Survey = field(default_factory=Survey)

    def files(self, series: Series) -> list[File]:
        """Read every file that is, or may be, of a series: by the survey, by memory, or by its folder."""
        uid, home = series.series_instance_uid, self.home(series)
        entry = self.kept.series(uid)
        paths = self.found.paths(uid, home) | {entry.path(file) for file in self.kept.files(uid) if entry}
        with disk_errors():
            if uid not in self.found.images:  # another run may have put it there meanwhile
                paths |= {_joined(home, name) for name in files_in(self.root / home).keys() - self.kept.names_in(home)}
            found = self._read(paths)
        return [file for file in found if not file.claims or uid in {claimed for claimed, _ in file.claims}]

    def home(self, series: Series) -> str:
        """Return the folder of a series."""
        return self.folders[series.series_instance_uid]

    def whole(self, series: Series, files: Sequence[File], hashes: Callable[[], Sequence[str]]) -> Whole | None:
        """Return a series that is there whole after what is there twice was removed; None when it is not, or unproved.

        Parameters
        ----------
        files
            As `files` returned them.
        hashes
            Asks for the MD5s that IDC lists, none if it does not.

        Raises
        ------
        SpaceError, FolderError
            What is there twice cannot be removed, see `clearing`, or lies in another folder.
        """
        known = self._known(series, files, hashes)
        taken = next(filter(None, (whole_part(one, files, self.home(series)) for one in known)), ())
        return self._freed(series, files, taken) if taken else None

    def refuse_elsewhere(self, series: Series, files: Sequence[File], home: str) -> None:
        """Refuse to have a series in one folder while images of it lie in others.

        Raises
        ------
        FolderError
        """
        if elsewhere := sorted({file.folder for file in files if file.claims and file.folder != home}):
            raise FolderError(
                f"images of series {series.series_instance_uid} lie in {elsewhere[0] or '.'}, beside its folder {home}",
                "move those that are not needed out of the output folder, then run the same command again",
            )

    def cleared(self, series: Series, images: Collection[str], names: Collection[str]) -> Cleared:
        """Prepare the folder of a series for files that are about to move in.

        Parameters
        ----------
        images, names
            SOPInstanceUIDs of the series, and the files that hold them.

        Raises
        ------
        SpaceError, FolderError
            See `clearing`.
        """
        uid, home = series.series_instance_uid, self.home(series)
        entry = self.kept.series(uid)
        ours = {file.name for file in self.kept.files(uid)} if entry and entry.folder == home else set()
        with disk_errors():
            there = files_in(self.root / home).keys()
            near = there & ({*names, *ours} | self._found_in(home, uid)) if is_shared(home) else there
            files = self._read({_joined(home, name) for name in near})
        cleared = clearing(files, uid, images, names, ours, is_shared=is_shared(home))
        notes = _said("replaced", [name for name in cleared.remove if name not in ours])
        return Cleared(cleared.remove, near & set(names), notes + self._set_aside(home, cleared))

    def _found_in(self, home: str, series_instance_uid: str) -> set[str]:
        """Return the names of the files of a series that were found in a folder."""
        paths = map(os.path.split, self.found.images.get(series_instance_uid, ()))
        return {name for folder, name in paths if folder == home}

    def _read(self, paths: Collection[str]) -> list[File]:
        found = (read_file(self.root, path) for path in sorted(paths))
        return [file for file in found if not file.is_error or os.path.lexists(self.root / file.path)]

    def _known(self, series: Series, files: Sequence[File], hashes: Callable[[], Sequence[str]]) -> Iterator[Known]:
        """Yield what is known of a series: what was remembered, then what IDC lists."""
        uid = series.series_instance_uid
        entry = self.kept.series(uid)
        if entry and is_as_listed(entry, series):
            kept = {entry.path(file): file for file in self.kept.files(uid)}
            yield Known(series, entry.image_count, files=kept)
        if images_of(uid, files):
            yield Known(series, series.image_count or None, hashes=hashes())

    def _freed(self, series: Series, files: Sequence[File], taken: Sequence[File]) -> Whole:
        uid, folders = series.series_instance_uid, {file.folder for file in taken}
        home = min(folders) if len(folders) == 1 else self.home(series)
        rest = [file for file in files if file.path not in {one.path for one in taken}]
        self.refuse_elsewhere(series, rest, home)
        images = images_of(uid, taken)
        wanted = frozenset(image.header.sop_instance_uid for image in images)
        names = {file.name for file in taken if file.folder == home}
        beside = [file for file in rest if file.folder == home]
        cleared = clearing(beside, uid, wanted, names, is_shared=is_shared(home))
        notes = (*self._remove(home, cleared), *self._set_aside(home, cleared))
        size = sum(image.size for image in images)
        return Whole(home if len(folders) == 1 else None, tuple(taken), wanted, size, notes)

    def _remove(self, home: str, cleared: Clearing) -> tuple[str, ...]:
        with disk_errors():
            for name in cleared.remove:
                (self.root / home / name).unlink(missing_ok=True)
        return _said("removed, since they were there twice or damaged", cleared.remove)

    def _set_aside(self, home: str, cleared: Clearing) -> tuple[str, ...]:
        moved = [set_aside(self.root, _joined(home, name)) for name in cleared.aside]
        return _said("set aside, since they cannot be read", moved)


def is_shared(folder: str) -> bool:
    """Whether several series may lie in a folder: the output folder itself belongs to none."""
    return not folder


def _said(done: str, names: Sequence[str]) -> tuple[str, ...]:
    return (f"files of the series {done}: {len(names)}, first {names[0]}",) if names else ()


def _joined(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # noqa: PTH118  as in kept.py
