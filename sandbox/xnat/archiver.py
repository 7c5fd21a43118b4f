"""From the prearchive into the archive: the checks in XNAT's order, with XNAT's words (xnat-http.md §8.3)."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.xnat.accounts import User
from sandbox.xnat.archive import Archive, Record
from sandbox.xnat.builder import BuildFailed
from sandbox.xnat.catalog import read_catalog
from sandbox.xnat.dicomedit import ScriptError
from sandbox.xnat.document import Session, read_session
from sandbox.xnat.merge import Clash, Merge
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import ARCHIVING, CONFLICT, ERROR, Row
from sandbox.xnat.rights import Rights
from sandbox.xnat.scripts import Scripts, kept_on_failure, run_on_files, variables
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import UNASSIGNED, Store

_UNCLEAN = re.compile(r"[ `~@#$%^&*()+=\[\]{}|\\/?:;\"',.<>]")
_LABEL = re.compile(r"[A-Za-z0-9-_]+")
_CONFLICT = 409
_SHOWN_UIDS = 3


class ArchiveFailed(Exception):
    """XNAT refuses to archive; `reason` is its own text."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class NeverBuilt(ArchiveFailed):
    """There is no document to archive by; this is told before the operation begins (§13.7)."""

    def __init__(self, document: Path) -> None:
        super().__init__(500, f"java.io.FileNotFoundException: {document} (No such file or directory)")


class Locked(ArchiveFailed):
    """Something else works on the prearchive session."""

    def __init__(self) -> None:
        super().__init__(403, "Operation already in progress on this prearchive entry.")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to archive.

    Attributes
    ----------
    override
        Skip the checks that may be skipped.
    merge
        Add to a session that is there.
    overwrite_files
        Replace files that are there; `override` does so, too.
    project, subject, session
        Other labels than those of the prearchive.
    note
        The note of the session; an empty one leaves what is there (§8.1).
    """

    override: bool = False
    merge: bool = True
    overwrite_files: bool = False
    project: str = ""
    subject: str = ""
    session: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Labels:
    project: str
    subject: str
    session: str


class Archiver:
    """Archives prearchive sessions, one at a time per session and per target."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of the server that it works on
        self,
        settings: Settings,
        store: Store,
        rights: Rights,
        prearchive: Prearchive,
        archive: Archive,
        scripts: Scripts,
    ) -> None:
        self._settings, self._store, self._rights = settings, store, rights
        self._prearchive, self._archive, self._scripts = prearchive, archive, scripts
        self._lock = threading.Lock()
        self._busy: set[object] = set()

    def archive(self, row: Row, wish: Wish, user: User) -> str:
        """Archive a session; return its URI, without /data.

        Raises
        ------
        ArchiveFailed
            The row then shows CONFLICT or ERROR, and its log the reason.
        """
        if not self._prearchive.lock(row, ARCHIVING):
            raise Locked
        try:
            return self._archive_locked(row, wish, user)
        except ArchiveFailed as error:
            self._fail(row, error)
            raise
        except Exception as error:
            failed = ArchiveFailed(500, f"{type(error).__name__}: {error}")
            self._fail(row, failed)
            raise failed from error

    def _fail(self, row: Row, error: ArchiveFailed) -> None:
        self._prearchive.log(row, failure_text(row, error))
        self._prearchive.set_status(row, CONFLICT if error.status == _CONFLICT else ERROR)
        if self._settings.rolls_back_to_cache:
            self._prearchive.folder(row).rename(self._store.cache_path(".rolled-back"))

    def _archive_locked(self, row: Row, wish: Wish, user: User) -> str:
        with self._alone(("row", row.id), "Duplicate archive attempt. Prearchive session already archiving."):
            self._settings.breakpoints.wait("archive")
            time.sleep(self._settings.archive_seconds)
            session = self._document(row)
            labels = _labels(row, session, wish)
            if not self._rights.can_edit(user, labels.project):
                raise ArchiveFailed(403, "Invalid permissions for new project.")
            target = ("session", labels.project, labels.session.lower())
            with self._alone(target, "Duplicate archive attempt.  Destination session in use."):
                return self._into(row, session, labels, wish, user)

    def _into(self, row: Row, session: Session, labels: _Labels, wish: Wish, user: User) -> str:
        existing = self._archive.experiment(labels.session, labels.project)
        if existing and self._settings.open_workflow and not wish.override:
            raise ArchiveFailed(
                _CONFLICT,
                f"Session processing may already be in progress: {labels.session}."
                "  Concurrent modification is discouraged.",
            )
        if not labels.subject:
            raise ArchiveFailed(400, "Unable to identify subject.")
        subject = self._archive.ensure_subject(labels.project, labels.subject)
        scans = self._archive.scan_rows(existing["id"]) if existing else []
        if existing:
            self._refuse_conflicts(existing, session, labels, subject, wish)
            _refuse_moved_scans(scans, session, wish)
        folder = self._prearchive.folder(row)
        if not wish.override:
            _refuse_odd_files(folder, session)
        types = self._settings.session_types
        if types is not None and session.xsi_type not in types and not user.is_admin:
            raise ArchiveFailed(500, f"{session.xsi_type} is not set up on this site.")
        fields = {"subject": subject["id"], "project": labels.project, "label": labels.session, "user": user.name}
        if wish.note:
            fields["note"] = wish.note
        with self._anonymised(row, session, labels) as changed:
            self._merge(folder, changed, existing, fields, overwrite=wish.override or wish.overwrite_files)
        self._leave(row)
        return f"/archive/projects/{labels.project}/subjects/{subject['label']}/experiments/{labels.session}"

    def _merge(
        self, folder: Path, session: Session, existing: Record | None, fields: dict[str, str], *, overwrite: bool
    ) -> None:
        """Move the files and enter the session; `fields` are its subject, project, label and user."""
        scans = self._archive.scan_rows(existing["id"]) if existing else []
        target = self._store.session_folder(fields["project"], fields["label"])
        merge = Merge(folder, target, self._store, self._archive)
        try:
            renamed = merge.correct_scan_ids(session, scans)
            merge.run(renamed, existing, overwrite=overwrite)
            self._archive.register(renamed, existing, fields)
        except Clash as error:
            raise ArchiveFailed(_CONFLICT, str(error)) from error
        finally:
            merge.close()

    @contextmanager
    def _anonymised(self, row: Row, session: Session, labels: _Labels) -> Iterator[Session]:
        """Run the project's script on the incoming files and build their session again from what it leaves.

        When the archiving fails, files and document are again what they were.
        """
        folder, document = self._prearchive.folder(row), self._prearchive.document(row)
        try:
            script = self._scripts.of_project(row, labels.project)
            if script is None:
                yield session
                return
            with kept_on_failure(self._store, (folder, document)):
                run_on_files(script, folder, variables(labels.project, labels.subject, labels.session))
                yield self._prearchive.rebuilt(row, session)
        except (ScriptError, BuildFailed) as error:
            raise ArchiveFailed(500, str(error)) from error

    def _leave(self, row: Row) -> None:
        """Forget the prearchive session, with whatever has come into its folder meanwhile (§7.1)."""
        if row.direct:
            self._prearchive.forget(row)
        else:
            self._prearchive.drop(row)

    def _document(self, row: Row) -> Session:
        path = self._prearchive.document(row)
        try:
            return read_session(path)
        except FileNotFoundError as error:
            raise NeverBuilt(path) from error

    def _refuse_conflicts(
        self, existing: dict[str, Any], session: Session, labels: _Labels, subject: dict[str, Any], wish: Wish
    ) -> None:
        modification = "Invalid modification of session {} via archive process."
        crosses = existing["xsi_type"] != session.xsi_type and self._settings.prevent_cross_modality_merge
        other_uid = existing["uid"] != session.uid and not wish.override
        taken = f": {labels.session} Already Exists for another Subject"
        checks = (
            (not (wish.merge or wish.override), "Session already exists, retry with overwrite enabled"),
            (existing["project"] != labels.project, modification.format("project")),
            (existing["label"] != labels.session, modification.format("label")),
            (crosses, modification.format("modality") + "  Data may require a manual merge."),
            (existing["subject"] != subject["id"], modification.format("subject") + taken),
            (other_uid, modification.format("UID")),
        )
        for applies, text in checks:
            if applies:
                raise ArchiveFailed(_CONFLICT, text)

    @contextmanager
    def _alone(self, key: object, refusal: str) -> Iterator[None]:
        with self._lock:
            if key in self._busy:
                raise ArchiveFailed(423, refusal)
            self._busy.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(key)


def failure_text(row: Row, error: ArchiveFailed) -> str:
    """Return what services/archive and commit answer, and the log keeps (§13.5)."""
    begun = "" if isinstance(error, NeverBuilt) else "Operation Failed: "
    return f"FAILED: Unable to archive {row.name}: {begun}{error.reason}"


def _labels(row: Row, session: Session, wish: Wish) -> _Labels:
    project = wish.project or row.project
    if not project or project == UNASSIGNED:
        raise ArchiveFailed(400, "Unable to identify project.")
    label = _UNCLEAN.sub("_", wish.session or session.label or row.folder)
    if not _LABEL.fullmatch(label):
        raise ArchiveFailed(400, f"Invalid session label: {label}")
    return _Labels(project, _UNCLEAN.sub("_", wish.subject or session.subject or session.patient_name), label)


def _refuse_moved_scans(scans: list[dict[str, Any]], session: Session, wish: Wish) -> None:
    numbers = {scan["uid"]: scan["id"] for scan in scans if scan["uid"]}
    for scan in session.scans:
        there = numbers.get(scan.uid, scan.id)
        if there != scan.id and not wish.override:
            raise ArchiveFailed(
                _CONFLICT, f"Session already contains a scan with the same UID, but a different number ({there})."
            )


def _refuse_odd_files(folder: Path, session: Session) -> None:
    """Compare files with catalogs: what no catalog lists is taken for no DICOM (§8.3)."""
    listed: dict[Path, set[str]] = {}
    catalogs = [(scan, folder / catalog) for scan in session.scans for catalog in scan.catalogs.values()]
    for scan, path in catalogs:
        if not path.is_file():
            raise ArchiveFailed(400, "Expected a catalog file, however it was missing.")
        entries = read_catalog(path).entries.values()
        listed.setdefault(path.parent, set()).update(entry.uri for entry in entries)
        uids = [entry.uid for entry in entries]
        if twice := sorted({uid for uid in uids if uids.count(uid) > 1}) if len(set(uids)) < len(uids) else []:
            shown = ", ".join(twice[:_SHOWN_UIDS])
            raise ArchiveFailed(400, f"Scan {scan.id} DICOM catalog contains duplicated SOP instance UIDs: {shown}")
    for scan, path in catalogs:
        odd = [file for file in path.parent.iterdir() if file.suffix != ".xml" and file.name not in listed[path.parent]]
        if odd:
            raise ArchiveFailed(400, f"Scan {scan.id} has {len(odd)} non-DICOM (or non-parsable DICOM) files")
