"""Pages of the prearchive: listings, the session's document, build, commit, delete (xnat-http.md §7, §9)."""

import zipfile
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotInTime
from functools import partial
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.archiver import ArchiveFailed, Archiver, Locked, Wish, failure_text
from sandbox.xnat.background import Background
from sandbox.xnat.builder import BuildFailed
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import QUEUED_ARCHIVING, QUEUED_BUILDING, READY, RECEIVING, Row, listed
from sandbox.xnat.rights import Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import UNASSIGNED, Store, remove

_NO_DOCUMENT = (
    "The named session exists, but its XNAT session document is not available."
    " The session is likely invalid or incomplete."
)
_LOCKED_DOCUMENT = "session document locked"
_QUEUED = {"delete": "QUEUED_DELETING", "rebuild": QUEUED_BUILDING, "move": "QUEUED_MOVING"}
_STATUSES = {
    READY,
    RECEIVING,
    "BUILDING",
    "CONFLICT",
    "ERROR",
    "ARCHIVING",
    "MOVING",
    "DELETING",
    "RECEIVING_INTERRUPT",
}


class PrearchivePages:
    """What is asked about prearchive sessions."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of the server it speaks for
        self,
        settings: Settings,
        store: Store,
        rights: Rights,
        prearchive: Prearchive,
        archiver: Archiver,
        background: Background,
    ) -> None:
        self._settings, self._store, self._rights = settings, store, rights
        self._prearchive, self._archiver, self._background = prearchive, archiver, background

    # listings, §7.4

    def list_all(self, request: Request) -> Response:
        """List the sessions of all projects that the user may edit."""
        tag = request.query_params.get("tag")
        if tag and not request.user.is_admin:
            raise Refused(404, "Unable to find the specified sessions.")
        rows = [
            row
            for row in self._prearchive.list_all()
            if self._rights.can_edit_prearchive(request.user, row.project) and tag in {None, row.tag}
        ]
        return answers.table(request, [listed(row) for row in rows])

    def list_projects(self, request: Request) -> Response:
        """List the sessions of some projects."""
        names = request.path_params["project"].split(",")
        for name in names:
            is_there = request.user.is_admin if name == UNASSIGNED else self._rights.can_read(request.user, name)
            if not is_there:
                raise Refused(404, f"Unable to identify project {name}")
        rows = self._prearchive.list_all({"" if name == UNASSIGNED else name for name in names})
        return answers.table(request, [listed(row) for row in rows])

    def get(self, request: Request) -> Response:
        """Show one session: its row as JSON, its document as XML, its files as zip."""
        row = self._found(request)
        wanted = request.query_params.get("format", "xml")
        if wanted == "json":
            return answers.table(request, [listed(row)] if row else [])
        if row is None:
            raise Refused(404, "Unable to locate prearc resource.")
        if wanted == "zip":
            return self._zipped(self._prearchive.folder(row))
        if wanted not in {"xml", "text/xml"}:
            raise Refused(400, f"Unsupported format: {wanted}")
        try:
            return Response(self._prearchive.document(row).read_bytes(), media_type="text/xml")
        except FileNotFoundError as error:  # never built, or archived just now
            raise Refused(404, _NO_DOCUMENT) from error

    def logs(self, request: Request) -> Response:
        """Show the log of a session, or its last entry."""
        row = self.existing(request)
        found = self._prearchive.logs(row)
        if request.path_params.get("which") == "last":
            return answers.text(found[-1]["text"] if found else "")
        return answers.table(request, [{"id": number, "entry": log["text"]} for number, log in enumerate(found)])

    def _zipped(self, folder: Path) -> Response:
        path = self._store.cache_path(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                archive.write(file, file.relative_to(folder.parent))
        return FileResponse(path, media_type="application/zip", background=BackgroundTask(remove, [path]))

    # actions, §7.5

    def post(self, request: Request) -> Response:
        """Build, commit, move a session, or change its status."""
        action = request.query_params.get("action")
        if not action:
            raise Refused(400, f"No action parameter was specified for the request by user {request.user.name}")
        actions: dict[str, Callable[[Request, Row], Response]] = {
            "build": self._build,
            "commit": self._commit,
            "move": self._move,
            "reset-status": self._reset,
            "set-status": self._set_status,
        }
        if action not in actions:
            raise Refused(400, f"Unknown action: {action}")
        return actions[action](request, self.existing(request))

    def _build(self, _request: Request, row: Row) -> Response:
        self._built(row)
        return answers.uri_list([f"/data{row.uri}"])

    def _built(self, row: Row) -> None:
        try:
            if not self._prearchive.build(row):
                raise Refused(409, _LOCKED_DOCUMENT)
        except BuildFailed as error:
            raise Refused(500, str(error)) from error

    def _commit(self, request: Request, row: Row) -> Response:
        """Build and, where row, request or project say so, archive: 301 without a Location (§7.5)."""
        self._built(row)
        asked = "true" in {request.query_params.get("AA"), request.query_params.get("auto-archive")}
        if not (asked or self._prearchive.archives_by_itself(row)):
            return answers.uri_list([f"/data{row.uri}"])
        uri = self.archive_and_wait(row, Wish(), request.user)
        return PlainTextResponse(f"/data{uri}", 301)

    def archive_and_wait(self, row: Row, wish: Wish, user: User) -> str:
        """Archive in the background and wait for it, as long as the site allows (§8.1).

        Raises
        ------
        Refused
            Status 500 with the archiver's reason, or that it takes too long; then it goes on.
        """
        if row.is_locked:
            raise Refused(403, Locked().reason)
        work = self._background.submit(lambda: self._archiver.archive(row, wish, user))
        try:
            return work.result(self._settings.session_archive_timeout)
        except NotInTime:
            name = f"{row.project}/{row.timestamp}/{row.folder}"
            raise Refused(500, f"The session {name} did not complete within the configured timeout interval.") from None
        except Locked as error:
            raise Refused(403, error.reason) from error
        except ArchiveFailed as error:
            raise Refused(500, failure_text(row, error)) from error

    def archive_in_background(self, request: Request, rows: list[Row], wish: Wish) -> Response:
        """Queue the archiving of several sessions and show their rows (§8.1)."""
        for row in rows:
            if not row.is_locked:
                self._prearchive.set_status(row, QUEUED_ARCHIVING)
                self._background.submit(partial(self._archive_queued, row, wish, request.user))
        now = [self._prearchive.get(row) or row for row in rows]
        return answers.table(request, [listed(row) for row in now])

    def _archive_queued(self, row: Row, wish: Wish, user: User) -> None:
        self._settings.breakpoints.wait("queue")
        self._archiver.archive(row, wish, user)

    def _move(self, request: Request, row: Row) -> Response:
        project = request.query_params.get("newProject", "")
        if not self._rights.can_edit(request.user, project):
            raise Refused(403, "Invalid permissions for new project.")
        moved = self._prearchive.move(row, project)
        if moved is None:
            raise Refused(409, _LOCKED_DOCUMENT)
        return PlainTextResponse(f"/data{moved.uri}", 301)

    def _reset(self, _request: Request, row: Row) -> Response:
        self._prearchive.set_status(row, RECEIVING)
        return answers.uri_list([f"/data{row.uri}"])

    def _set_status(self, request: Request, row: Row) -> Response:
        status = request.query_params.get("status", "")
        if status not in _STATUSES:
            raise Refused(400, f"Cannot set status to {status}")
        self._prearchive.set_status(row, status)
        return answers.uri_list([f"/data{row.uri}"])

    def delete(self, request: Request) -> Response:
        """Delete a session; a missing or locked one is answered alike (§9.1)."""
        row = self._found(request)
        if row:
            self._prearchive.delete(row)
        return answers.empty()

    # several at once, §9.2

    def service(self, request: Request) -> Response:
        """Queue deleting, rebuilding or moving of sessions."""
        operation = request.path_params["operation"]
        if operation not in _QUEUED:
            raise Refused(404, f"Unknown prearchive operation: {operation}")
        rows = [self._source(source, request) for source in request.query_params.getlist("src")]
        for row in rows:
            self._prearchive.set_status(row, _QUEUED[operation])
        project = request.query_params.get("newProject", "")
        for row in rows:
            self._background.submit(self._operation(operation, row, project))
        now = [self._prearchive.get(row) or row for row in rows]
        return answers.table(request, [listed(row) for row in now])

    def _operation(self, operation: str, row: Row, project: str) -> Callable[[], object]:
        if operation == "delete":
            return lambda: self._prearchive.delete(row)
        if operation == "rebuild":
            return lambda: self._prearchive.build(row)
        return lambda: self._prearchive.move(row, project)

    def _source(self, source: str, request: Request) -> Row:
        parts = source.removeprefix("/data").strip("/").split("/")
        if len(parts) != 5 or parts[:2] != ["prearchive", "projects"]:  # noqa: PLR2004  /prearchive/projects/P/TS/NAME
            raise Refused(500, f"Invalid src URI ({source})")
        row = self._prearchive.find(*parts[2:])
        if row is None:
            raise Refused(404, f"{source} not found.")
        if not self._rights.can_edit_prearchive(request.user, row.project):
            raise Refused(403, f"Invalid permissions for {source}.")
        return row

    # finding

    def _found(self, request: Request) -> Row | None:
        """Return the row of the address; None when there is none.

        Raises
        ------
        Refused
            403 without the right, 500 for an unknown project.
        """
        project, timestamp, folder = (request.path_params[name] for name in ("project", "timestamp", "folder"))
        if project != UNASSIGNED and not self._store.row("SELECT id FROM projects WHERE id = ?", project):
            raise Refused(500, f"Unable to identify project {project}")
        if not self._rights.can_edit_prearchive(request.user, "" if project == UNASSIGNED else project):
            raise Refused(403, "You do not have permission to access this prearchive session.")
        return self._prearchive.find(project, timestamp, folder)

    def existing(self, request: Request) -> Row:
        """Return the row of the address.

        Raises
        ------
        Refused
            As `_found`, and 404 when there is none.
        """
        row = self._found(request)
        if row is None:
            raise Refused(404, "Unable to locate prearc resource.")
        return row
