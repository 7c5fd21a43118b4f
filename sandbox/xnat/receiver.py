"""One DICOM object on its way into the prearchive: routed, named, anonymised, stored (xnat-http.md §5.9, §6.1, §11)."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.dicom import DicomHead, Header
from sandbox.xnat.dicom_stream import GrowingHead, NotDicom
from sandbox.xnat.dicomedit import Script, ScriptError
from sandbox.xnat.prearchive import OtherStudy, Prearchive
from sandbox.xnat.prearchive_row import RECEIVING, Incoming, Row
from sandbox.xnat.rights import Rights
from sandbox.xnat.scripts import Scripts, variables
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store
from sandbox.xnat.zipinput import ZipReadError

_PIECE = 1 << 20
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")
Parameters = Mapping[str, str]


class Unreadable(Refused):
    """An entry that is no DICOM object, or that cannot be read to its end."""

    def __init__(self, name: str) -> None:
        super().__init__(400, f"unable to read DICOM object {name}")


class _Object:
    """An object being received: its head was read, the rest still comes.

    Parameters
    ----------
    last_tag
        The highest tag that a script may look at.
    """

    def __init__(self, name: str, source: BinaryIO, last_tag: int) -> None:
        self.name, self._source = name, source
        self._kept = GrowingHead(source)
        self._head = DicomHead(cast("BinaryIO", self._kept), last_tag)
        self.header = self.stored_header = self._head.header
        self._start, self._replaced = b"", 0

    def accepted_by(self, script: Script, variables: Mapping[str, str]) -> bool:
        """Change the header as a script says (§11.1); one that is compressed is left as it is."""
        is_kept = self._head.accepted_by(script, variables)
        if not self._head.is_deflated:
            self._start, self._replaced = self._head.encoded(), self._head.length
            self.stored_header = self._head.header
        return is_kept

    def content(self) -> Iterator[bytes]:
        """Yield the bytes to store."""
        yield self._start
        yield self._kept.kept_from(self._replaced)
        while piece := self._source.read(_PIECE):
            yield piece


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an object went; `uri` is what the importer answers."""

    row: Row
    uri: str


class Receiver:
    """What XNAT calls the gradual DICOM importer."""

    def __init__(
        self, settings: Settings, store: Store, rights: Rights, prearchive: Prearchive, scripts: Scripts
    ) -> None:
        self._settings, self._store, self._rights = settings, store, rights
        self._prearchive, self._scripts = prearchive, scripts
        self._lock = threading.Lock()
        self._open: dict[Path, int] = {}

    def is_receiving(self, row: Row) -> bool:
        """Whether a file of a session is being written."""
        folder = self._prearchive.folder(row)
        with self._lock:
            return any(path.is_relative_to(folder) for path in self._open)

    def store(self, name: str, source: BinaryIO, parameters: Parameters, user: User) -> Stored | None:
        """Store one object; None when a filter or the site's script dropped it.

        Parameters
        ----------
        name
            Of the zip entry, or of the upload.
        source
            Read to its end.

        Raises
        ------
        Refused
            Status 400. What was written of the object by then stays.
        """
        self._settings.breakpoints.wait("import")
        base = re.split(r"[/\\]", name)[-1]
        with _readable(base):
            incoming = _Object(base, source, self._scripts.last_tag_of_site())
        _refuse_nameless(incoming.header, base)
        keep = self._settings.series_import_filter
        if keep and not keep(incoming.header):
            return None
        row, is_new = self._row(self._incoming(incoming.header, parameters, user), parameters)
        if not self._is_kept(row, incoming, is_new=is_new):
            return None
        with _readable(base):
            self._write(row, incoming, renames=parameters.get("rename") == "true")
        return Stored(row, f"/xapi/direct-archive/{row.project}/{row.tag}/{row.name}" if row.direct else row.uri)

    # where to

    def _incoming(self, header: Header, parameters: Parameters, user: User) -> Incoming:
        project = self._project(header, parameters, user)
        date = "-".join(found.groups()) if (found := _DATE.match(header.study_date)) else ""
        folder = parameters.get("PREARC_SESSION_FOLDER", "")
        return Incoming(
            project=project,
            tag=header.study_instance_uid,
            name=parameters.get("session") or folder or _label(header, "Session", header.patient_id),
            subject=parameters.get("subject") or _label(header, "Subject", header.patient_name),
            scan_date=date,
            prevent_anon=parameters.get("prevent_anon") == "true",
            prevent_auto_commit=parameters.get("prevent_auto_commit") == "true",
            source=parameters.get("SOURCE", ""),
            visit=parameters.get("VISIT", ""),
            timestamp=parameters.get("PREARC_TIMESTAMP", ""),
            folder=folder,
            auto_archive="true" in {parameters.get("AA"), parameters.get("auto-archive")},
        )

    def _project(self, header: Header, parameters: Parameters, user: User) -> str:
        """Return the project asked for if it may be read; else that of the header; else none (§5.9, §6.1)."""
        named = [parameters.get("project", ""), _keyword(header, "Project"), header.study_description]
        for name in (*named, header.accession_number):
            project = self._rights.named(name) if name else ""
            if project and self._rights.can_read(user, project):
                return project
        return ""

    def _row(self, incoming: Incoming, parameters: Parameters) -> tuple[Row, bool]:
        if parameters.get("Direct-Archive") == "true" and incoming.project and self._may_go_direct(incoming):
            return self._prearchive.receive(incoming, direct=True)
        try:
            return self._prearchive.receive(incoming)
        except OtherStudy as error:
            raise Refused(400, f"Study Instance UID differs from that of {error}") from error

    def _may_go_direct(self, incoming: Incoming) -> bool:
        """Whether the session is not archived yet, nor about to be: otherwise the prearchive takes it (§8.6)."""
        rows = self._prearchive.list_all({incoming.project}, direct=True)
        mine = [row for row in rows if row.tag == incoming.tag and row.name == incoming.name]
        if mine:
            return mine[-1].status == RECEIVING
        return not self._store.session_folder(incoming.project, incoming.name).exists()

    # storing

    def _is_kept(self, row: Row, incoming: "_Object", *, is_new: bool) -> bool:
        """Run the site's script; a row made for what it rejects, or fails on, is taken back (§11.2)."""
        is_kept = False
        try:
            if script := self._scripts.of_site(row):
                is_kept = incoming.accepted_by(script, variables(row.project, row.subject, row.name))
            else:
                is_kept = True
        except ScriptError as error:
            raise Refused(400, str(error)) from error
        finally:
            if is_new and not is_kept:
                self._prearchive.drop(row)
        return is_kept

    def _write(self, row: Row, incoming: "_Object", *, renames: bool) -> None:
        folder = self._prearchive.folder(row) / "SCANS" / incoming.header.series_folder / "DICOM"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (self._template_name(incoming) if renames else self._name(folder, incoming))
        with self._alone(path):
            with path.open("wb") as file:
                for piece in incoming.content():
                    file.write(piece)
            self._prearchive.headers.note(path, incoming.stored_header)

    def _name(self, folder: Path, incoming: "_Object") -> str:
        """Return the file name: the one it came with, unless that belongs to another object (§5.9)."""
        name = re.sub(r"[^\w.-]", "_", incoming.name) or "object"
        if not (folder / name).exists():
            return name
        there = self._prearchive.headers.get(folder / name)
        is_same = there is not None and there.identity == incoming.header.identity
        return name if is_same else self._template_name(incoming)

    def _template_name(self, incoming: "_Object") -> str:
        return incoming.header.name_from(self._settings.dicom_file_name_template)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        with self._lock:
            if path in self._open:
                raise Refused(400, "Concurrent file sends of the same data is not supported.")
            self._open[path] = 1
        try:
            yield
        finally:
            with self._lock:
                del self._open[path]


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (NotDicom, ZipReadError, OSError) as error:
        raise Unreadable(name) from error


def _refuse_nameless(header: Header, name: str) -> None:
    if not header.sop_class_uid:
        raise Refused(400, f"object {name} contains no SOP Class UID")
    if not header.sop_instance_uid:
        raise Refused(400, f"object {name} contains no SOP Instance UID")
    if not header.study_instance_uid or not header.series_instance_uid:
        raise Unreadable(name)


def _label(header: Header, key: str, fallback: str) -> str:
    return re.sub(r"[^\w-]", "_", _keyword(header, key) or fallback) or "UNKNOWN"


def _keyword(header: Header, key: str) -> str:
    """Return X of `KEY:X` in one of the comments (§6.1)."""
    pattern = re.compile(rf"(?:\A|(?:.*[\s,;])){key}\s*:\s*([\w\-]*)(?:(?:[\s,;].*\Z)|\Z)", re.IGNORECASE | re.DOTALL)
    for comment in header.comments:
        if found := pattern.match(comment):
            return found[1]
    return ""
