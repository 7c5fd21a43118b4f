"""Where series lie below an output folder that nobody remembers: every unknown file, by its header."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tcia_xnat.destinations.disk.images import all_series_in
from tcia_xnat.destinations.disk.scan import IMAGE_NAMES, names_below, read_all


@dataclass(frozen=True, slots=True)
class Survey:
    """What other tools, and forgotten runs, have left below an output folder.

    Attributes
    ----------
    images
        SeriesInstanceUID → paths of the files that hold images of it, whole or not.
    silent
        Folder → paths of the files that look like images by their names, and do not say of which series.
    """

    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    silent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def concerns(self, series_instance_uid: str, home: str) -> bool:
        """Whether something was found that is, or may be, of a series that lies in the folder `home`."""
        return series_instance_uid in self.images or home in self.silent

    def paths(self, series_instance_uid: str, home: str) -> set[str]:
        """Return the paths of all that `concerns` a series."""
        return {*self.images.get(series_instance_uid, ()), *self.silent.get(home, ())}


def survey(
    root: Path,
    series_instance_uids: Collection[str],
    names_in: Callable[[str], Collection[str]],
    readers: int,
    check: Callable[[], None],
) -> Survey:
    """Look at the headers of all files below an output folder that are not remembered.

    Parameters
    ----------
    series_instance_uids
        Series that are looked for; others are passed over.
    names_in
        Returns the names of the files that are remembered of a folder.
    readers
        Files that are read side by side.
    check
        Raises `Stopped` when the end is asked for.
    """
    images: dict[str, list[str]] = defaultdict(list)
    silent: dict[str, list[str]] = defaultdict(list)
    found = read_all(_unknown(root, names_in), readers, lambda path: (path, all_series_in(root / path)), check)
    for path, uids in found:
        for uid in uids.intersection(series_instance_uids):
            images[uid].append(path)
        if not uids and path.endswith(IMAGE_NAMES):
            silent[_folder(path)].append(path)
    return Survey(
        {uid: tuple(paths) for uid, paths in images.items()}, {where: tuple(paths) for where, paths in silent.items()}
    )


def homes(assigned: Mapping[str, str], remembered: Mapping[str, str], found: Survey) -> dict[str, str]:
    """Return the folder of each series by its SeriesInstanceUID: where it lies already, else where it is to go.

    Parameters
    ----------
    assigned
        Where each series is to go.
    remembered
        Where series lie of which an earlier run remembers it.
    found
        Where series lie besides. One that lies in several folders has no home but the assigned one.
    """
    places = {uid: {_folder(path) for path in found.images.get(uid, ())} for uid in assigned}
    for uid in assigned.keys() & remembered.keys():
        places[uid].add(remembered[uid])
    return {uid: min(places[uid]) if len(places[uid]) == 1 else place for uid, place in assigned.items()}


def _unknown(root: Path, names_in: Callable[[str], Collection[str]]) -> Iterator[str]:
    for folder, paths in groupby(names_below(root), _folder):
        known = names_in(folder)
        yield from (path for path in paths if path.rpartition("/")[2] not in known)


def _folder(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120  as in scan.py
