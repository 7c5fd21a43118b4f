"""Series of NBIA as zip files on disk: written beside their place and moved there whole, or not at all."""

import os
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tcia_xnat.core.dicom import read_identity
from tcia_xnat.core.errors import Error, SeriesDamaged, SeriesUnavailable, SpaceError, UsageError
from tcia_xnat.core.foreign import parsing
from tcia_xnat.core.retry import Patience
from tcia_xnat.core.storage import FULL
from tcia_xnat.sources.nbia.client import TCIAClient, Write
from tcia_xnat.sources.nbia.series import one_series
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream

_LICENSE = "LICENSE"
_ELSEWHERE = "IDC may have it: download.py asks there first; or it is withdrawn or in controlled access"


def save_series(client: TCIAClient, series_instance_uid: str, path: Path, patience: Patience) -> int:
    """Write the zip of a series that is proved whole, and return how many images it holds.

    The images are called `<SOPInstanceUID>.dcm`; LICENSE says what may be done with them and what is to be cited.
    The proof is that of `NbiaSource`: a zip that NBIA ended early is repaired image by image. There must be room
    for it twice.

    Raises
    ------
    SeriesUnavailable
        NBIA does not offer the series.
    SourceError
        It cannot be had whole; nothing is left at `path` that was not there before.
    SpaceError, UsageError
        No room at `path`, or no file can be written there.
    """
    answer = patience.call(lambda: client.series_rows([series_instance_uid]))
    if not (rows := answer.rows.get(series_instance_uid)):
        raise SeriesUnavailable(f"NBIA does not offer series {series_instance_uid} to the public", _ELSEWHERE)
    with _moved_there(path) as file, Spool(path.parent) as spool:
        (package,) = NbiaSource(client, patience).fetch(one_series(rows), spool, lambda _count: None)
        file.writelines(ZipStream(spool, package.members))
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(_LICENSE, _terms(rows[0]).encode("utf-8", "replace"))
    return len(package.members)


def save_zip(stream: Callable[[str, Write], None], series_instance_uid: str, path: Path, patience: Patience) -> int:
    """Write a zip as NBIA sends it, and return how many files it holds.

    That the zip can be read does not prove that it is whole (tcia-nbia-and-idc.md §3.5).

    Parameters
    ----------
    stream
        A method of `TCIAClient` that passes on a zip, as `get_dcm_image`.

    Raises
    ------
    SeriesUnavailable
        The zip holds no file.
    SourceError
        What came is no whole zip.
    SpaceError, UsageError
        No room at `path`, or no file can be written there.
    """
    with _moved_there(path) as file:
        return patience.call(lambda: _streamed(stream, series_instance_uid, file))


def save_image(
    client: TCIAClient, series_instance_uid: str, sop_instance_uid: str, path: Path, patience: Patience
) -> None:
    """Write one image, proved to be the one that was asked for.

    Raises
    ------
    SourceError
        NBIA does not send it.
    SpaceError, UsageError
        No room at `path`, or no file can be written there.
    """
    with _moved_there(path) as file:
        patience.call(lambda: _fetched(client, series_instance_uid, sop_instance_uid, file))


def _streamed(stream: Callable[[str, Write], None], series_instance_uid: str, file: BinaryIO) -> int:
    _empty(file)
    stream(series_instance_uid, lambda chunk: _write(file, chunk))
    try:
        with parsing(ValueError), zipfile.ZipFile(file) as archive:
            names, damaged = archive.namelist(), archive.testzip()
    except ValueError as error:
        raise SeriesDamaged(f"NBIA sent {file.tell()} bytes that are no whole zip: {error}") from error
    if damaged:
        raise SeriesDamaged(f"{damaged} in the zip of NBIA is damaged")
    if not names:
        raise SeriesUnavailable(f"NBIA sent a zip without any file for {series_instance_uid}")
    return len(names)


def _fetched(client: TCIAClient, series_instance_uid: str, sop_instance_uid: str, file: BinaryIO) -> None:
    _empty(file)
    client.stream_single_image(series_instance_uid, sop_instance_uid, lambda chunk: _write(file, chunk))
    file.seek(0)
    found = read_identity(file, sop_instance_uid)
    if (found.series_instance_uid, found.sop_instance_uid) != (series_instance_uid, sop_instance_uid):
        raise SeriesDamaged(f"NBIA sent image {found.sop_instance_uid} of series {found.series_instance_uid}")


def _write(file: BinaryIO, chunk: bytes) -> None:
    file.write(chunk)


def _empty(file: BinaryIO) -> None:
    """Forget what an earlier try has written."""
    file.seek(0)
    file.truncate()


@contextmanager
def _moved_there(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> Error:
    message = f"{path} cannot be written: {error.strerror}"
    is_full = error.errno in FULL
    return SpaceError(message, "free some space") if is_full else UsageError(message, "choose another folder")


def _terms(row: Mapping[str, object]) -> str:
    name, uri = row.get("LicenseName", "a licence that NBIA does not name"), row.get("LicenseURI", "")
    return (
        f"The images of collection {row.get('Collection', '')} are distributed under {name} {uri}.\n"
        f"To be cited: {row.get('DataDescriptionURI', 'see the page of the collection')}\n"
        "TCIA's data usage policy holds: https://www.cancerimagingarchive.net/data-usage-policies-and-restrictions/\n"
    )
