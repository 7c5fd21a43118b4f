"""Everything that lies in an output folder, each file read once from its first to its last byte."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tcia_xnat.errors import SeriesDamaged
from tcia_xnat.folder.images import NO_IMAGES, ZIP_NAME, digest_of, file_md5, opened
from tcia_xnat.folder.layout import RESERVED
from tcia_xnat.verify.headers import Header, read_header

_DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # that browsing leaves in folders
_BATCH = 512  # files that are handed to the readers at once


@dataclass(frozen=True, slots=True)
class Image:
    """One DICOM file, or one member of a zip."""

    header: Header
    md5: str


@dataclass(frozen=True, slots=True)
class File:
    """One file: path below the output folder, MD5, its images, and why it could not be read as DICOM if so.

    `is_error` tells a file that the disk did not give from one that holds something else.
    """

    path: str
    size: int = 0
    md5: str = ""
    images: tuple[Image, ...] = ()
    problem: str = ""
    is_error: bool = False

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return os.path.dirname(self.path)  # noqa: PTH120  texts are a tenth of the size of paths


def scan(root: Path, readers: int, check: Callable[[], None], *, geometry: bool = False) -> Iterator[File]:
    """Yield every file below an output folder that is no report, state or licence.

    Parameters
    ----------
    readers
        Files that are read side by side.
    check
        Raises `Stopped` when the end is asked for.
    geometry
        Headers tell where slices lie.
    """
    names = _names(root)
    with ThreadPoolExecutor(readers, "reader") as pool:
        while batch := list(islice(names, _BATCH)):
            check()
            yield from pool.map(lambda name: _read(root, name, geometry=geometry), batch)


def _names(root: Path) -> Iterator[str]:
    for folder, below, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        if inside == ".":
            below[:] = [name for name in below if name not in RESERVED]
        below.sort()
        for name in sorted(set(names) - NO_IMAGES - _DROPPINGS):
            yield os.path.normpath(os.path.join(inside, name))  # noqa: PTH118  as above


def _read(root: Path, name: str, *, geometry: bool) -> File:
    try:
        return _opened(root, name, geometry=geometry)
    except OSError as error:
        return File(name, problem=f"{name} cannot be read: {error.strerror}", is_error=True)


def _opened(root: Path, name: str, *, geometry: bool) -> File:
    path = root / name
    size, md5 = path.stat().st_size, ""

    def image(file: BinaryIO, member: str) -> Image | str:
        nonlocal md5
        digest = digest_of(file, member)
        md5 = digest.md5
        file.seek(0)
        try:
            return Image(read_header(file, member, digest.size, geometry=geometry), digest.md5)
        except SeriesDamaged as error:
            return str(error)

    try:
        found = list(opened(path, image, lambda member, error: f"{member} cannot be unpacked: {error}"))
    except ValueError as error:
        found = [str(error)]
    problem = next((one for one in found if isinstance(one, str)), "")
    if path.name == ZIP_NAME:
        md5 = file_md5(path)
    return File(name, size, md5, tuple(one for one in found if isinstance(one, Image)), problem)
