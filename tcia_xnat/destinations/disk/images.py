"""What lies in a folder: its files, and the DICOM files inside of a zip, each read once."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from tcia_xnat.core.dicom import read_identity
from tcia_xnat.core.errors import Error, SeriesDamaged
from tcia_xnat.core.foreign import files_of, is_of_disk, parsing

Result = TypeVar("Result")

ZIP_NAME = "img.zip"
_CHUNK = 1 << 20
NO_IMAGES = {"LICENSE", "metadata.csv"}  # what this tool puts beside images


@dataclass(frozen=True, slots=True)
class Digest:
    """Size in bytes and MD5 of one file, or of one member of a zip; `name` is that of the file, `/` and member."""

    name: str
    size: int
    md5: str


def files_in(folder: Path) -> dict[str, os.stat_result]:
    """Return the plain files of a folder, without those below it; none when there is no such folder.

    An entry that cannot be looked at, such as a link to itself or into a closed folder, is no plain file.
    """
    found: dict[str, os.stat_result] = {}
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_file():
                    found[entry.name] = entry.stat()
    return found


def opened(
    path: Path, read: Callable[[BinaryIO, str], Result], broken: Callable[[str, Exception], Result] | None = None
) -> Iterator[Result]:
    """Yield what `read` makes of a file, or of each member of a zip, opened one after the other.

    Parameters
    ----------
    broken
        Makes a result of a member that the zip does not give; without it such a member is raised.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is a zip that is damaged.
    """
    if path.name != ZIP_NAME:
        with path.open("rb") as file:
            yield read(file, path.name)
        return
    with parsing(lambda said: ValueError(f"{path.name} is no whole zip: {said}")), zipfile.ZipFile(path) as archive:
        for info in files_of(archive):
            if info.filename not in NO_IMAGES:
                yield _member(archive, info, read, broken)


def _member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    read: Callable[[BinaryIO, str], Result],
    broken: Callable[[str, Exception], Result] | None,
) -> Result:
    name = f"{ZIP_NAME}/{info.filename}"
    try:
        with archive.open(info) as member:
            return read(cast("BinaryIO", member), name)
    except Exception as error:
        if broken is None or isinstance(error, Error) or is_of_disk(error):
            raise
        return broken(name, error)


def series_in(path: Path) -> str:
    """Return the SeriesInstanceUID of a file, or of the first image in a zip; empty for what is no DICOM."""
    try:
        return next(opened(path, lambda file, name: read_identity(file, name).series_instance_uid), "")
    except (SeriesDamaged, OSError, ValueError):
        return ""


def all_series_in(path: Path) -> frozenset[str]:
    """Return the SeriesInstanceUIDs of a file, or of the images in a zip, as far as they can be read."""
    found: set[str] = set()
    with suppress(OSError, ValueError):
        if path.is_file():  # a pipe would be waited for
            found.update(opened(path, _series_of, lambda _name, _error: ""))
    return frozenset(found - {""})


def _series_of(file: BinaryIO, name: str) -> str:
    try:
        return read_identity(file, name).series_instance_uid
    except SeriesDamaged:
        return ""


def file_md5(path: Path) -> str:
    """Return the MD5 of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def digest_of(file: BinaryIO, name: str) -> Digest:
    """Return size and MD5 of a file that is open at its beginning."""
    digest, size = _md5(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Digest(name, size, digest.hexdigest())
