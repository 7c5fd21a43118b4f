"""The importer SI: the older one, which ignores what is not DICOM and leaves a built session (xnat-http.md §5.10)."""

import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.archiver import ArchiveFailed, Archiver, Wish
from sandbox.xnat.builder import BuildFailed
from sandbox.xnat.dicom import DicomHead
from sandbox.xnat.dicom_stream import NotDicom
from sandbox.xnat.dicomzip import entries
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.receiver import Parameters, Receiver
from sandbox.xnat.uploads import Upload
from sandbox.xnat.zipinput import MalformedName, ZipReadError

_IN_MEMORY = 1 << 24
File = tuple[str, BinaryIO]


class SessionImporter:
    """The importer."""

    def __init__(self, receiver: Receiver, prearchive: Prearchive, archiver: Archiver) -> None:
        self._receiver, self._prearchive, self._archiver = receiver, prearchive, archiver

    def run(self, upload: Upload, parameters: Parameters, user: User) -> list[str]:
        """Import one session; return its URI, without /data.

        Raises
        ------
        Refused
        """
        if "PREARC_TIMESTAMP" in parameters and not parameters.get("project"):
            raise Refused(400, "User must specify project portion of the destination.")
        if len(_studies(upload)) > 1:
            raise Refused(400, "Upload included files for multiple imaging sessions.")
        row = self._received(upload, dict(parameters) | {"prevent_auto_commit": "true"}, user)
        try:
            if not self._prearchive.build(row):
                raise Refused(409, "Prearc destination is locked.")
        except BuildFailed as error:
            raise Refused(500, str(error)) from error
        if not self._archives(row, parameters):
            return [row.uri]
        try:
            return [self._archiver.archive(row, _wish(parameters), user)]
        except ArchiveFailed as error:
            raise Refused(error.status, error.reason) from error

    def _received(self, upload: Upload, parameters: Parameters, user: User) -> Row:
        row: Row | None = None
        for name, file in _dicom_files(upload):
            stored = self._receiver.store(name, file, parameters, user)
            row = stored.row if stored else row
        if row is None:
            raise Refused(400, "Upload did not include parsable files for session generation.")
        return row

    def _archives(self, row: Row, parameters: Parameters) -> bool:
        asked = parameters.get("AA") or parameters.get("auto-archive")
        return asked == "true" if asked else self._prearchive.archives_by_itself(row)


def _wish(parameters: Parameters) -> Wish:
    overwrite = parameters.get("overwrite")
    return Wish(override=overwrite in {"delete", "override"}, merge=overwrite is not None)


def _studies(upload: Upload) -> set[str]:
    found = {DicomHead(file).header.study_instance_uid for _, file in _dicom_files(upload)}
    upload.file.seek(0)
    return found


def _dicom_files(upload: Upload) -> Iterator[File]:
    """Yield every file of an upload that is DICOM, unpacked as a whole before it is looked at."""
    try:
        for name, source in entries(upload.name, upload.file):
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
                while piece := source.read(1 << 16):
                    file.write(piece)
                file.seek(0)
                if _is_dicom(cast("BinaryIO", file)):
                    yield name, cast("BinaryIO", file)
    except (ZipReadError, MalformedName) as error:
        raise Refused(400, "unable to read data from file") from error


def _is_dicom(file: BinaryIO) -> bool:
    try:
        DicomHead(file)
    except NotDicom:
        return False
    file.seek(0)
    return True
