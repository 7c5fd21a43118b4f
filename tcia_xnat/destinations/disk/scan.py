"""Everything that lies in an output folder, each file read once from its first to its last byte."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, TypeVar

from tcia_xnat.core.dicom import read_identity
from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.destinations.disk.headers import Header, read_header
from tcia_xnat.destinations.disk.images import NO_IMAGES, ZIP_NAME, digest_of, file_md5, opened
from tcia_xnat.destinations.disk.layout import RESERVED

Result = TypeVar("Result")

_DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # that browsing leaves in folders
IMAGE_NAMES = (".dcm", ZIP_NAME)
"""Ends of the names that images have, whether they can be read or not."""
_BATCH = 512  # files that are handed to the readers at once


@dataclass(frozen=True, slots=True)
class Image:
    """One DICOM file, or one member of a zip."""

    header: Header
    md5: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """One file: path below the output folder, MD5, its images, and why it could not be read as DICOM if so.

    `is_error` tells a file that the disk did not give from one that holds something else. `damaged` has
    SeriesInstanceUID and SOPInstanceUID of what is an image by its header, and no whole one.
    """

    path: str
    size: int = 0
    md5: str = ""
    images: tuple[Image, ...] = ()
    problem: str = ""
    is_error: bool = False
    damaged: frozenset[tuple[str, str]] = frozenset()
    mtime_ns: int = 0

    @property
    def claims(self) -> frozenset[tuple[str, str]]:
        """SeriesInstanceUID and SOPInstanceUID of each image that this is, or is a damaged copy of."""
        whole = {(image.header.series_instance_uid, image.header.sop_instance_uid) for image in self.images}
        return self.damaged | whole

    @property
    def name(self) -> str:
        """Its name within its folder."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return os.path.dirname(self.path)  # noqa: PTH120  texts are a tenth of the size of paths


def scan(
    root: Path, readers: int, check: Callable[[], None], *, geometry: bool = False, remembered: Iterable[str] = ()
) -> Iterator[File]:
    """Yield every file below an output folder that is no report, state or licence.

    Parameters
    ----------
    readers
        Files that are read side by side.
    check
        Raises `Stopped` when the end is asked for.
    geometry
        Headers tell where slices lie.
    remembered
        Paths that are read too where they exist: folders to which links lead are not searched.
    """
    names = _names_with(root, remembered)
    yield from read_all(names, readers, lambda name: read_file(root, name, geometry=geometry), check)


def _names_with(root: Path, remembered: Iterable[str]) -> Iterator[str]:
    left = set(remembered)
    for name in names_below(root):
        left.discard(name)
        yield name
    yield from (name for name in sorted(left) if os.path.lexists(root / name))


def read_all(
    names: Iterator[str], readers: int, read: Callable[[str], Result], check: Callable[[], None]
) -> Iterator[Result]:
    """Yield what `read` makes of each name, in their order; some are read side by side."""
    with ThreadPoolExecutor(readers, "reader") as pool:
        while batch := list(islice(names, _BATCH)):
            check()
            yield from pool.map(read, batch)


def names_below(root: Path) -> Iterator[str]:
    """Yield the path of every file below an output folder that is no report, state or licence, folder by folder.

    A folder that cannot be listed is yielded itself: what lies in it is not known.
    """
    closed: list[str] = []
    for folder, below, names in os.walk(root, onerror=lambda error: closed.append(error.filename)):
        inside = os.path.relpath(folder, root)
        if inside == ".":
            below[:] = [name for name in below if name not in RESERVED]
        below.sort()
        for name in sorted(set(names) - NO_IMAGES - _DROPPINGS):
            yield os.path.normpath(os.path.join(inside, name))  # noqa: PTH118  as above
    yield from (os.path.relpath(folder, root) for folder in closed if os.path.lexists(folder))


def read_file(root: Path, name: str, *, geometry: bool = False) -> File:
    """Read one file from its first to its last byte."""
    try:
        return _opened(root, name, geometry=geometry)
    except OSError as error:
        return File(name, problem=f"{name} cannot be read: {error.strerror}", is_error=True)


def _opened(root: Path, name: str, *, geometry: bool) -> File:
    path = root / name
    stat, md5 = path.stat(), ""
    if S_ISDIR(stat.st_mode):
        os.scandir(path).close()  # says why it cannot be listed
    if not S_ISREG(stat.st_mode):  # a pipe would be waited for
        return File(name, problem=f"{name} is no regular file")
    damaged: set[tuple[str, str]] = set()

    def image(file: BinaryIO, member: str) -> Image | str:
        nonlocal md5
        digest = digest_of(file, member)
        md5 = digest.md5
        file.seek(0)
        try:
            return Image(read_header(file, member, digest.size, geometry=geometry), digest.md5, digest.size)
        except SeriesDamaged as error:
            damaged.update(_claimed(file, member))
            return str(error)

    try:
        found = list(opened(path, image, lambda member, error: f"{member} cannot be unpacked: {error}"))
    except ValueError as error:
        found = [str(error)]
    problem = next((one for one in found if isinstance(one, str)), "")
    if path.name == ZIP_NAME:
        md5 = file_md5(path)
    images = tuple(one for one in found if isinstance(one, Image))
    return File(name, stat.st_size, md5, images, problem, damaged=frozenset(damaged), mtime_ns=stat.st_mtime_ns)


def _claimed(file: BinaryIO, name: str) -> Iterator[tuple[str, str]]:
    with suppress(SeriesDamaged):
        file.seek(0)
        identity = read_identity(file, name)
        if identity.series_instance_uid:
            yield identity.series_instance_uid, identity.sop_instance_uid
