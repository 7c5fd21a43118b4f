"""A fetched series as files: one for each image, under the names of its layout, or all of them as one zip."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.core.model import Member, SeriesPackage
from tcia_xnat.core.uids import image_name
from tcia_xnat.destinations.disk.disk import disk_errors, write_file
from tcia_xnat.destinations.disk.images import ZIP_NAME, opened
from tcia_xnat.destinations.disk.kept import KeptFile
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.names import Head, classic_names, read_head
from tcia_xnat.sources.inflate import inflated
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream


@dataclass(frozen=True, slots=True)
class Written:
    """A series as it was put together: its files and SOPInstanceUIDs, and the header of its first image."""

    files: tuple[KeptFile, ...]
    images: frozenset[str]
    byte_count: int
    head: Head
    notes: tuple[str, ...] = ()
    licence_text: str = ""


def write_series(layout: Layout, spool: Spool, packages: Iterator[SeriesPackage], folder: Path) -> Written:
    """Write the packages of a series into an empty folder.

    Raises
    ------
    SourceError
        The source did not deliver all of them.
    SpaceError, FolderError
    """
    files: list[KeptFile] = []
    images: list[str] = []
    size = 0
    notes: tuple[str, ...] = ()
    licence = ""
    for package in packages:
        files += _zip(package, spool, folder) if layout.zipped else _images(package, spool, folder)
        images += [member.sop_instance_uid for member in package.members]
        size += package.byte_count
        notes, licence = package.notes, package.licence_text
    with disk_errors():
        if layout.classic:
            files = _renamed(folder, files)
        head = first_head(folder / min(file.name for file in files))
    return Written(tuple(files), frozenset(images), size, head, notes, licence)


def first_head(path: Path) -> Head:
    """Return the header of a file, or of the first image in a zip.

    Raises
    ------
    OSError, ValueError
        It cannot be read.
    """
    return next(opened(path, read_head))


def _zip(package: SeriesPackage, spool: Spool, folder: Path) -> list[KeptFile]:
    return [write_file(folder / ZIP_NAME, ZipStream(spool, package.members))]


def _images(package: SeriesPackage, spool: Spool, folder: Path) -> list[KeptFile]:
    return [
        write_file(folder / image_name(member.sop_instance_uid), _content(member, spool)) for member in package.members
    ]


def _content(member: Member, spool: Spool) -> Iterator[bytes]:
    """Yield the DICOM file, inflated where it came deflated; its CRC is looked at again on the way to the disk."""
    info = zipfile.ZipInfo(image_name(member.sop_instance_uid))
    info.compress_type, info.file_size = member.method, member.size
    crc32 = 0
    for chunk in inflated(spool.read(member.offset, member.compressed_size), info):
        crc32 = zlib.crc32(chunk, crc32)
        yield chunk
    if crc32 != member.crc32:
        raise SeriesDamaged(f"{info.filename} left the spool with other bytes than it came in with")


def _renamed(folder: Path, files: list[KeptFile]) -> list[KeptFile]:
    names = classic_names([first_head(folder / file.name) for file in files])
    for file in files:
        (folder / file.name).rename(folder / names[file.name])
    return [replace(file, name=names[file.name]) for file in files]
