"""Pages of the archive: subjects, sessions, scans, and archiving itself (xnat-http.md §8.1, §10)."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.xnat import answers, queries
from sandbox.xnat.answers import Refused
from sandbox.xnat.archive import Archive
from sandbox.xnat.archiver import Wish
from sandbox.xnat.modalities import element_name
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_pages import PrearchivePages
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.queries import BrokenQuery
from sandbox.xnat.rights import Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import UNASSIGNED, Store, remove

_NOT_FOUND = "Unable to find the specified experiment."
_SRC_PARTS = 5  # /prearchive/projects/P/TIMESTAMP/NAME
_SESSIONS = (
    "SELECT experiments.*, subjects.label AS subject_label FROM experiments"
    " JOIN subjects ON subjects.id = experiments.subject"
)
Record = dict[str, Any]


class ArchivePages:
    """What is asked about the archive."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of the server it speaks for
        self,
        settings: Settings,
        store: Store,
        rights: Rights,
        archive: Archive,
        prearchive: Prearchive,
        prearchive_pages: PrearchivePages,
    ) -> None:
        self._settings, self._store, self._rights = settings, store, rights
        self._archive, self._prearchive, self._pages = archive, prearchive, prearchive_pages

    # subjects

    def subjects(self, request: Request) -> Response:
        """List the subjects of a project, or of all that may be read."""
        rows = self._store.rows("SELECT * FROM subjects ORDER BY id")
        readable = [row for row in rows if row["project"] in self._projects(request)]
        return answers.table(request, queries.subject_rows(readable, request.query_params))

    def subject(self, request: Request) -> Response:
        """Show a subject."""
        subject = self._subject(request)
        fields = {"ID": subject["id"], "project": subject["project"], "label": subject["label"]}
        return self._shown(request, "xnat:subjectData", "Subject", fields)

    def put_subject(self, request: Request) -> Response:
        """Make a subject; the body is its ID."""
        project = request.path_params["project"]
        if not self._rights.can_see(request.user, project):
            raise Refused(404, f"Unable to identify project {project}")
        if not self._rights.can_create(request.user, project):
            raise Refused(
                403, "Specified user account has insufficient create privileges for subjects in this project."
            )
        label = request.path_params["subject"]
        is_new = self._archive.subject(label, project) is None
        return answers.text(self._archive.ensure_subject(project, label)["id"], 201 if is_new else 200)

    # sessions

    def experiments(self, request: Request) -> Response:
        """List sessions, with the columns asked for (§10.1); those shared into a project bear their labels there."""
        projects = self._projects(request)
        named = request.path_params.get("project")
        shared = self._store.rows("SELECT * FROM shares WHERE project = ?", named or "")
        labels = {share["experiment"]: share["label"] for share in shared}
        sessions = [
            row if row["project"] in projects else {**row, "label": labels[row["id"]]}
            for row in self._store.rows(f"{_SESSIONS} ORDER BY experiments.id")
            if row["project"] in projects or row["id"] in labels
        ]
        if "subject" in request.path_params:
            subject = self._subject(request)["id"]
            sessions = [row for row in sessions if row["subject"] == subject]
        try:
            rows = queries.session_rows(sessions, self._archive.scan_rows, request.query_params)
        except BrokenQuery:
            return answers.empty()
        return answers.page(request, rows)

    def experiment(self, request: Request) -> Response:
        """Show a session."""
        session = self.found(request)
        fields = {
            "ID": session["id"],
            "project": session["project"],
            "label": session["label"],
            "subject_ID": session["subject"],
            "UID": session["uid"],
            "date": session["date"],
            "time": session["time"],
            "modality": session["modality"],
            "dcmPatientId": session["patient_id"],
            "dcmPatientName": session["patient_name"],
            "dcmAccessionNumber": session["accession_number"],
            "note": session["note"],
        }
        scans = [answers.item(scan["xsi_type"], _scan_fields(scan)) for scan in self._archive.scan_rows(session["id"])]
        children = [{"field": "scans/scan", "items": scans}] if scans else []
        return self._shown(request, session["xsi_type"], element_name(session["xsi_type"]), fields, children)

    def put_experiment(self, request: Request) -> Response:
        """Give a session another label; nothing else of it can be changed here."""
        session, label = self.found(request), request.query_params.get("label", "")
        if not self._rights.can_edit(request.user, session["project"]):
            raise Refused(403, "Specified user account has insufficient edit privileges for sessions in this project.")
        if not label or self._archive.by_label(session["project"], label):
            raise Refused(409, "Specified label is already in use.")
        self._archive.relabel(session, label)
        return answers.empty()

    def share(self, request: Request) -> Response:
        """Share a session into another project, under the same label or another."""
        session, target = self.found(request), request.path_params["target"]
        if not self._rights.can_create(request.user, target):
            raise Refused(403, "Specified user account has insufficient privileges for the target project.")
        label = request.query_params.get("label", session["label"])
        if self._archive.experiment(label, target):
            raise Refused(409, "Specified label is already in use.")
        self._archive.share(session["id"], target, label)
        return answers.empty()

    def delete_experiment(self, request: Request) -> Response:
        """Delete a session, with its files when asked to."""
        session = self.found(request)
        if not self._rights.can_delete(request.user, session["project"]):
            raise Refused(403, "User account doesn't have permission to delete this session.")
        self._archive.delete(session)
        if request.query_params.get("removeFiles") == "true":
            remove([self._store.session_folder(session["project"], session["label"])])
        return answers.empty()

    # scans

    def scans(self, request: Request) -> Response:
        """List the scans of a session (§10.3)."""
        scans = self._archive.scan_rows(self.found(request)["id"])
        return answers.table(request, queries.scan_rows(scans, request.query_params))

    def scan(self, request: Request) -> Response:
        """Show a scan."""
        session, name = self.found(request), request.path_params["scan"]
        scans = self._archive.scan_rows(session["id"])
        scan = next((scan for scan in scans if name in {scan["id"], scan["type"]}), None)
        if scan is None:
            raise Refused(404, "Unable to find the specified scan.")
        return self._shown(request, scan["xsi_type"], "Scan", _scan_fields(scan))

    # archiving, §8.1

    def archive(self, request: Request) -> Response:
        """Archive prearchive sessions."""
        rows = [self._source(source) for source in self._sources(request)]
        named = request.query_params.get("project")
        projects = {row.project for row in rows} | ({named} if named else set())
        if not all(self._rights.can_edit(request.user, project) for project in projects):
            raise Refused(403, "Invalid permissions for new project.")
        if len(rows) > 1:
            return self._archive_several(request, rows)
        return self._archive_one(request, rows[0])

    def _archive_one(self, request: Request, row: Row) -> Response:
        query = request.query_params
        wish = Wish(
            override=query.get("overwrite") in {"append", "delete"},
            overwrite_files=self._prearchive.overwrites(row),
            project=query.get("project", ""),
            subject=query.get("subject", "") or _of_data_type(query, "subject_id"),
            session=query.get("session", "") or _of_data_type(query, "label"),
            note=query.get("note", ""),
        )
        is_manual = query.get("auto-archive", query.get("AA")) == "false"
        counts_as_auto = row.is_auto_archive or (self._prearchive.archives_by_itself(row) and not is_manual)
        uri = self._pages.archive_and_wait(row, wish, request.user)
        if counts_as_auto or query.get("redirect") == "true":
            return RedirectResponse(f"{self._settings.site_url}/data{uri}", 303)
        return answers.uri_list([f"/data{uri}"])

    def _archive_several(self, request: Request, rows: list[Row]) -> Response:
        """Queue several sessions and return at once."""
        overwrite = request.query_params.get("overwrite")
        wish = Wish(
            override=overwrite == "delete",
            merge=overwrite in {"append", "delete"},
            overwrite_files=request.query_params.get("overwrite_files") == "true",
        )
        return self._pages.archive_in_background(request, rows, wish)

    def _sources(self, request: Request) -> list[str]:
        query = request.query_params
        parts = [query.get(key) for key in ("project", "PREARC_TIMESTAMP", "PREARC_SESSION_FOLDER")]
        sources = query.getlist("src")
        if not sources and all(parts):
            sources = ["/prearchive/projects/" + "/".join(str(part) for part in parts)]
        if not sources:
            raise Refused(404, "Unknown prearchive session.")
        return sources

    def _source(self, source: str) -> Row:
        parts = source.removeprefix("/data").strip("/").split("/")
        if len(parts) != _SRC_PARTS or parts[:2] != ["prearchive", "projects"]:
            raise Refused(400, f"Invalid src URI ({source})")
        if parts[2] == UNASSIGNED:
            raise Refused(400, "Cannot archive sessions from the Unassigned folder.")
        row = self._prearchive.find(*parts[2:])
        if row is None or not self._prearchive.folder(row).is_dir():
            raise Refused(404, f"/{'/'.join(parts)} not found.")
        return row

    # finding

    def found(self, request: Request) -> Record:
        """Return the session of the address, when it may be read.

        Raises
        ------
        Refused
            404
        """
        project = request.path_params.get("project", "")
        session = self._archive.experiment(request.path_params["experiment"], project)
        if session is None or not self._rights.can_read(request.user, project or session["project"]):
            raise Refused(404, _NOT_FOUND)
        return session

    def _subject(self, request: Request) -> Record:
        subject = self._archive.subject(request.path_params["subject"], request.path_params.get("project", ""))
        if subject is None or not self._rights.can_read(request.user, subject["project"]):
            raise Refused(404, "Unable to find the specified subject.")
        return subject

    def _projects(self, request: Request) -> set[str]:
        """Return the project of the address, or all projects that may be read."""
        project = request.path_params.get("project")
        if project is None:
            known = (row["id"] for row in self._store.rows("SELECT id FROM projects"))
            return {name for name in known if self._rights.can_read(request.user, name)}
        if not self._rights.can_read(request.user, project):
            raise Refused(404, f"Unable to identify project {project}")
        return {project}

    def _shown(
        self,
        request: Request,
        xsi_type: str,
        element: str,
        fields: Mapping[str, Any],
        children: list[dict[str, Any]] | None = None,
    ) -> Response:
        if request.query_params.get("format") == "json":
            return answers.items(answers.item(xsi_type, fields, children or []))
        return answers.item_as_xml(element, fields)


def _of_data_type(query: Mapping[str, str], field: str) -> str:
    """Return a parameter that is named by the data type of the session: `xnat:mrSessionData/label`."""
    names = (name for name in query if re.fullmatch(rf"xnat:\w+SessionData/{field}", name, re.IGNORECASE))
    return next((query[name] for name in names), "")


def _scan_fields(scan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ID": scan["id"],
        "UID": scan["uid"],
        "type": scan["type"],
        "series_description": scan["series_description"],
        "modality": scan["modality"],
        "frames": scan["frames"],
        "quality": scan["quality"],
        "image_session_ID": scan["experiment"],
        "xnat_imagescandata_id": scan["key"],
    }
