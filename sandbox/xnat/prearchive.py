"""The prearchive: its rows, their statuses, and what may be done in which (xnat-http.md §7, §13.7)."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sandbox.xnat.builder import BuildFailed, Headers, build
from sandbox.xnat.document import Session
from sandbox.xnat.prearchive_row import (
    AUTO_ARCHIVE,
    AUTO_ARCHIVE_CODES,
    BUILDING,
    DELETING,
    ERROR,
    INTERRUPT,
    MOVING,
    OVERWRITE,
    READY,
    RECEIVING,
    Incoming,
    Row,
)
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import UNASSIGNED, Store, remove

_PET_MR = "SELECT contents FROM configs WHERE project = ? AND tool = 'separatePETMR' AND status = 'enabled'"
_LASTMOD_STEP = 15  # seconds (§5.9)
_OUTSIDE = re.compile(r"(^|/)\.\.?(?=/|$)|\0")


class OtherStudy(Exception):
    """The address that was asked for has a session of another study."""


class Prearchive:
    """All sessions that are not archived yet."""

    def __init__(self, settings: Settings, store: Store, headers: Headers) -> None:
        self._settings, self._store, self.headers = settings, store, headers
        store.run(
            "UPDATE prearchive SET status = ? WHERE status LIKE '\\_%' ESCAPE '\\'", ERROR
        )  # a restart broke them off

    # finding

    def find(self, project: str, timestamp: str, folder: str) -> Row | None:
        """Return a row by its address."""
        named = "" if project == UNASSIGNED else project
        statement = "SELECT * FROM prearchive WHERE project = ? AND timestamp = ? AND folder = ? AND direct = 0"
        found = self._store.row(statement, named, timestamp, folder)
        return Row(**found) if found else None

    def get(self, row: Row) -> Row | None:
        """Return a row as it is now."""
        found = self._store.row("SELECT * FROM prearchive WHERE id = ?", row.id)
        return Row(**found) if found else None

    def list_all(self, projects: Collection[str] | None = None, *, direct: bool = False) -> list[Row]:
        """Return the rows of some projects, or of all."""
        rows = self._store.rows("SELECT * FROM prearchive WHERE direct = ? ORDER BY id", int(direct))
        return [Row(**row) for row in rows if projects is None or row["project"] in projects]

    def folder(self, row: Row) -> Path:
        """Return where the files of a session are."""
        if row.direct:
            return self._store.session_folder(row.project, row.folder)
        return self._store.prearchive / (row.project or UNASSIGNED) / row.timestamp / row.folder

    def document(self, row: Row) -> Path:
        """Return where the XML document of a session is, or will be."""
        folder = self.folder(row)
        return folder.with_name(f"{folder.name}.xml")

    # receiving

    def receive(self, incoming: Incoming, *, direct: bool = False) -> tuple[Row, bool]:
        """Return the row that an object goes to, and whether it is new (§7.1).

        Every status lets objects in, also that of a session being archived: what comes then may be lost.

        Raises
        ------
        OtherStudy
        """
        statement = (
            "SELECT * FROM prearchive WHERE tag = ? AND project = ? AND name = ? AND direct = ? ORDER BY id DESC"
        )
        with self._store.lock:
            found = self._store.row(statement, incoming.tag, incoming.project, incoming.name, int(direct))
            row = self._addressed(incoming) if incoming.folder else Row(**found) if found else None
            if row is None:
                return self._create(incoming, direct=direct), True
            status = _when_interrupted(row.status)
            now = self._settings.clock.now()
            if status != row.status or now - row.lastmod > _LASTMOD_STEP:
                self._store.run("UPDATE prearchive SET status = ?, lastmod = ? WHERE id = ?", status, now, row.id)
            return row, False

    def _addressed(self, incoming: Incoming) -> Row | None:
        row = self.find(incoming.project or UNASSIGNED, incoming.timestamp, incoming.folder)
        if row and row.tag != incoming.tag:
            raise OtherStudy(row.uri)
        return row

    def _create(self, incoming: Incoming, *, direct: bool) -> Row:
        now = self._settings.clock.date()
        folder = _OUTSIDE.sub(r"\1_", (incoming.folder or incoming.name).lstrip("/")) or "_"
        begun = incoming.timestamp or f"{now:%Y%m%d_%H%M%S}{now.microsecond // 1000:03}"
        number = self._store.insert(
            "prearchive",
            project=incoming.project,
            timestamp=self._timestamp(incoming.project, begun, folder),
            folder=folder,
            name=incoming.name,
            tag=incoming.tag,
            subject=incoming.subject,
            status=RECEIVING,
            lastmod=now.timestamp(),
            uploaded=now.timestamp(),
            scan_date=incoming.scan_date,
            scan_time="",
            autoarchive=self._auto_archive(incoming),
            prevent_anon=int(incoming.prevent_anon),
            prevent_auto_commit=int(incoming.prevent_auto_commit),
            source=incoming.source,
            visit=incoming.visit,
            direct=int(direct),
        )
        row = Row(**(self._store.row("SELECT * FROM prearchive WHERE id = ?", number) or {}))
        self.folder(row).mkdir(parents=True, exist_ok=True)
        return row

    def _timestamp(self, project: str, timestamp: str, folder: str) -> str:
        parent = self._store.prearchive / (project or UNASSIGNED)
        tried = [timestamp, *(f"{timestamp}_{number}" for number in range(1, 1000))]
        return next(name for name in tried if not (parent / name / folder).exists())

    def _auto_archive(self, incoming: Incoming) -> str:
        """Return the code of a new row: the project's overrules the request's (§5.4)."""
        if not incoming.project:
            return AUTO_ARCHIVE_CODES[AUTO_ARCHIVE] if incoming.auto_archive else ""
        return AUTO_ARCHIVE_CODES.get(self.project_code(incoming.project), "Manual")

    def project_code(self, project: str) -> int:
        """Return the prearchive_code of a project."""
        found = self._store.row("SELECT prearchive_code FROM projects WHERE id = ?", project)
        return int(found["prearchive_code"]) if found else 0

    def archives_by_itself(self, row: Row) -> bool:
        """Whether row or project say that XNAT archives (§7.3)."""
        return row.is_auto_archive or self.project_code(row.project) >= AUTO_ARCHIVE

    def overwrites(self, row: Row) -> bool:
        """Whether row or project say that files of the archive are replaced (§3.6)."""
        return row.overwrites or self.project_code(row.project) == OVERWRITE

    # statuses

    def set_status(self, row: Row, status: str) -> None:
        """Set the status of a row."""
        now = self._settings.clock.now()
        self._store.run("UPDATE prearchive SET status = ?, lastmod = ? WHERE id = ?", status, now, row.id)

    def lock(self, row: Row, status: str) -> bool:
        """Set a locked status; False when the row is locked already or gone."""
        now = self._settings.clock.now()
        statement = "UPDATE prearchive SET status = ?, lastmod = ? WHERE id = ? AND status NOT LIKE '\\_%' ESCAPE '\\'"
        return self._store.run(statement, f"_{status}", now, row.id) == 1

    def log(self, row: Row, text: str) -> None:
        """Add to the log of a session."""
        self._store.insert("logs", row=row.id, date=self._settings.clock.now(), text=text)

    def logs(self, row: Row) -> list[dict[str, Any]]:
        """Return the log of a session, oldest first."""
        return self._store.rows("SELECT * FROM logs WHERE row = ? ORDER BY rowid", row.id)

    # steps

    def build(self, row: Row) -> bool:
        """Build a session; False when it is locked (§7.5).

        Raises
        ------
        BuildFailed
            The row then shows ERROR.
        """
        if not self.lock(row, BUILDING):
            return False
        self._settings.breakpoints.wait("build")
        try:
            session = self._built(row)
        except (BuildFailed, OSError) as error:
            self.set_status(row, ERROR)
            self.log(row, f"FAILED: Unable to build {row.name}: {error}")
            raise BuildFailed(str(error)) from error
        with self._store.lock:
            now = self.get(row)
            interrupted = now is not None and now.status != f"_{BUILDING}"
            self.set_status(row, RECEIVING if interrupted else READY)
            self._store.run("UPDATE prearchive SET scan_date = ? WHERE id = ?", session.date, row.id)
        return True

    def _built(self, row: Row) -> Session:
        return self.rebuilt(row, Session("", row.tag, row.name, project=row.project, subject=row.subject))

    def rebuilt(self, row: Row, named: Session) -> Session:
        """Read the files of a session again and write its document; project, subject and label are those of `named`.

        Raises
        ------
        BuildFailed
        """
        labels = Session("", row.tag, named.label, project=named.project, subject=named.subject)
        return build(
            self.folder(row),
            self.document(row),
            labels,
            self.headers,
            self._settings.secondary_sop_classes,
            pet_mr=self._pet_mr(row.project),
        )

    def _pet_mr(self, project: str) -> str:
        found = self._store.row(_PET_MR, project)
        return str(found["contents"]).strip() if found else ""

    def delete(self, row: Row) -> bool:
        """Delete a session; False when it is locked (§9.1)."""
        if not self.lock(row, DELETING):
            return False
        self.drop(row)
        return True

    def drop(self, row: Row) -> None:
        """Remove row and files."""
        folder = self.folder(row)
        self.forget(row)
        remove([folder, self.document(row)])
        if not row.direct and folder.parent.is_dir() and not any(folder.parent.iterdir()):
            remove([folder.parent])

    def forget(self, row: Row) -> None:
        """Remove the row and leave the files."""
        self.headers.forget(self.folder(row))
        self._store.run("DELETE FROM prearchive WHERE id = ?", row.id)
        self._store.run("DELETE FROM logs WHERE row = ?", row.id)

    def move(self, row: Row, project: str) -> Row | None:
        """Move a session to another project; None when it is locked."""
        if not self.lock(row, MOVING):
            return None
        before, document = self.folder(row), self.document(row)
        self._store.run("UPDATE prearchive SET project = ? WHERE id = ?", project, row.id)
        moved = self.get(row) or row
        self.headers.forget(before)
        self.folder(moved).parent.mkdir(parents=True, exist_ok=True)
        before.rename(self.folder(moved))
        remove([document])
        self.set_status(moved, RECEIVING)
        return self.get(moved)


def _when_interrupted(status: str) -> str:
    if status in {RECEIVING, INTERRUPT}:
        return status
    return INTERRUPT if status.lstrip("_") == BUILDING else RECEIVING
