"""The importer DICOM-zip: every entry of a zip or tar is one DICOM object (xnat-http.md §5.7, §5.8)."""

import tarfile
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.archiver import ArchiveFailed, Archiver, Wish
from sandbox.xnat.builder import BuildFailed
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.receiver import Parameters, Receiver, Stored, Unreadable
from sandbox.xnat.settings import Settings
from sandbox.xnat.uploads import Upload
from sandbox.xnat.zipinput import MalformedName, ZipInput, ZipReadError

_ZIP, _TAR, _TGZ, _GZ = (".zip", ".zar"), (".tar", ".xar"), (".tgz", ".tar.gz"), (".gz",)
_IN_MEMORY = 1 << 26
_NOT_ARCHIVED = "unable to archive for the Prearchive session"
EXTRACTED = (*_ZIP, *_TAR, *_TGZ)
"""How the names of archives end that can be unpacked."""

Entry = tuple[str, BinaryIO]


class DicomZip:
    """The importer."""

    def __init__(self, settings: Settings, receiver: Receiver, prearchive: Prearchive, archiver: Archiver) -> None:
        self._settings, self._receiver = settings, receiver
        self._prearchive, self._archiver = prearchive, archiver

    def run(self, upload: Upload, parameters: Parameters, user: User) -> list[str]:
        """Store all objects of an upload; return the URIs of their sessions, without /data.

        Raises
        ------
        Refused
            What was stored before stays.
        """
        stored = self._stored(upload, parameters, user)
        if parameters.get("action") != "commit":
            return list(stored)
        committed = [self._committed(one, parameters, user) for one in stored.values()]
        return [uri for uri in committed if uri]

    def _stored(self, upload: Upload, parameters: Parameters, user: User) -> dict[str, Stored]:
        stored: dict[str, Stored] = {}
        last: Refused | None = None
        try:
            for name, source in entries(
                upload.name, upload.file, any_zip64=self._settings.reads_small_zip64_descriptors
            ):
                try:
                    for one in self._objects(name, source, parameters, user):
                        stored[one.uri] = one
                except Refused as error:
                    if not self._ignores(error, parameters):
                        raise
                    last = error
        except (ZipReadError, tarfile.TarError, EOFError) as error:
            raise Refused(400, "unable to read data from file") from error
        except MalformedName as error:
            raise Refused(400, str(error)) from error
        if last and not stored:
            raise last
        return stored

    def _objects(self, name: str, source: BinaryIO, parameters: Parameters, user: User) -> Iterator[Stored]:
        """Store one entry, or the objects of an archive inside the archive (§0.1)."""
        if self._settings.importer_knows_dest and name.endswith((*_ZIP, *_TAR, *_TGZ, *_GZ)):
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as inner:
                while piece := source.read(1 << 16):
                    inner.write(piece)
                inner.seek(0)
                yield from self._stored(Upload(name, cast("BinaryIO", inner)), parameters, user).values()
            return
        one = self._receiver.store(name, source, parameters, user)
        if one:
            yield one

    def _ignores(self, error: Refused, parameters: Parameters) -> bool:
        if parameters.get("Ignore-Unparsable", "").lower() != "true":
            return False
        return self._settings.importer_knows_dest or isinstance(error, Unreadable)

    # commit, §5.8

    def _committed(self, stored: Stored, parameters: Parameters, user: User) -> str:
        """Build a session, and archive it when asked to; empty when something else works on it."""
        row = stored.row
        if row.direct:
            raise Refused(400, _NOT_ARCHIVED)
        try:
            if not self._prearchive.build(row):
                return ""
        except BuildFailed as error:
            raise Refused(400, _NOT_ARCHIVED) from error
        if "true" not in {parameters.get("AA"), parameters.get("auto-archive")}:
            return stored.uri
        return self._archived(row, parameters, user)

    def _archived(self, row: Row, parameters: Parameters, user: User) -> str:
        wish = Wish(
            override=parameters.get("overwrite") in {"delete", "override"},
            merge="overwrite" in parameters or row.is_auto_archive,
            overwrite_files=parameters.get("overwrite_files") == "true",
        )
        try:
            return self._archiver.archive(row, wish, user)
        except ArchiveFailed as error:
            raise Refused(400, _NOT_ARCHIVED) from error


def entries(name: str, file: BinaryIO, *, any_zip64: bool = False) -> Iterator[Entry]:
    """Yield name and content of every file of an archive, whose name tells its format (§5.7).

    Raises
    ------
    Refused
        400, the format is not known.
    ZipReadError, MalformedName, tarfile.TarError
    """
    if name.endswith(_ZIP):
        for entry in ZipInput(file, any_zip64=any_zip64):
            if not entry.is_directory:
                yield entry.name, cast("BinaryIO", entry)
    elif name.endswith((*_TAR, *_TGZ)):
        yield from _tar_entries(file)
    else:
        raise Refused(400, f"Unsupported format {'GZ' if name.endswith(_GZ) else 'UNKNOWN'}")


def _tar_entries(file: BinaryIO) -> Iterator[Entry]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content:
                yield member.name, cast("BinaryIO", content)
