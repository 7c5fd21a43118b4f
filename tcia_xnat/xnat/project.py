"""One project of XNAT: the project itself, and what its archive holds (xnat-http.md §3, §4, §10)."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from tcia_xnat import web
from tcia_xnat.core.errors import RightsRefused, XnatGarbled, XnatRefused, XnatUnreachable
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.core.model import Label
from tcia_xnat.core.retry import Patience
from tcia_xnat.xnat.answers import DICOM_RESOURCES, NOT_FOUND, OK, Answer, Row, catalog_uids, image_counts, table
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.prearchive import Prearchive
from tcia_xnat.xnat.preferences import NotTold, preference
from tcia_xnat.xnat.scripts import UNKNOWN, Scripts, may_rename

_SCAN_ID, _SCAN_UID = "xnat:imageSessionData/scans/scan/ID", "xnat:imageSessionData/scans/scan/UID"
_JSON: Mapping[str, str] = {"format": "json"}
_STORE_TRIES, _STORE_SECONDS = 3, 0.5  # another run may be replacing the same file
_PROJECT_ID = re.compile(r"[^/\s\x00-\x1f\x7f]{1,256}")
_REFUSED_IDS = {400, 403, 409, 417}


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """A session of the archive; `scans` maps SeriesInstanceUID to scan ID.

    `session_type` is its xsiType, `note` the text that people and tools have put there.
    `shared_from` names the project to which a session belongs that is only shared into this one, under this label.
    Nothing can be merged into it from here.
    """

    experiment_id: str
    study_instance_uid: str
    label: Label
    scans: Mapping[str, str]
    shared_from: str = ""
    session_type: str = ""
    note: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether it belongs to another project."""
        return bool(self.shared_from)


def find_project(xnat: XnatConnection, named: str) -> str:
    """Return the ID of the project that is named by ID or alias; empty when it is not there, or may not be seen (§3.1).

    Addresses of the prearchive, settings and scripts know the ID only.

    Raises
    ------
    XnatUnreachable
        XNAT is away, or sent something that is no project.
    """
    path = f"/data/projects/{quote(named, safe='')}"
    answer = xnat.patience.call(lambda: xnat.ask("GET", path, _JSON, accepted=OK | {NOT_FOUND}))
    if answer.status == NOT_FOUND:
        return ""
    found = _id_of(answer)
    if not _PROJECT_ID.fullmatch(found):
        raise XnatUnreachable(web.with_words("XNAT sent something that is no project", answer.reason))
    return found


def _id_of(answer: Answer) -> str:
    """Return the ID in a document of XNAT (§0.5); empty when the answer is another thing."""
    return _field_of(answer, "ID")


def _field_of(answer: Answer, name: str) -> str:
    try:
        found: Any = parse_json(answer.text)
        found = found["items"][0]["data_fields"][name]
    except (ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


class XnatProject:
    """One project of an XNAT, over a login that is shared by all lanes.

    Parameters
    ----------
    connection
        The login.
    project
        ID of the project.
    scripts
        What XNAT does with images on their way into the archive; unknown when left out.
    """

    def __init__(self, connection: XnatConnection, project: str, scripts: Scripts = UNKNOWN) -> None:
        self._xnat = connection
        self.project, self.scripts = project, scripts
        self.prearchive = Prearchive(connection, project, renames=may_rename(scripts))
        self._data = f"/data/projects/{quote(project)}"

    @property
    def patience(self) -> Patience:
        """How XNAT is waited for; questions are asked again by themselves."""
        return self._xnat.patience

    def is_away(self) -> bool:
        """Whether XNAT answers nothing at all."""
        return self._xnat.is_away()

    # the project itself

    def exists(self) -> bool:
        """Whether the project is there and this user may read it: XNAT does not tell the two apart (§3.1)."""
        return bool(find_project(self._xnat, self.project))

    def create(self) -> None:
        """Create the project, private, with its prearchive under our hand alone (§3.2, §3.6).

        Raises
        ------
        RightsRefused
            XNAT does not take the ID: it belongs to a project that this user cannot see, or users may create none.
        """
        query = {"name": self.project, "accessibility": "private"}
        answer = self.patience.call(lambda: self._xnat.ask("PUT", self._data, query, accepted=OK | _REFUSED_IDS))
        if not self.exists():
            raise RightsRefused(
                f"XNAT does not create project {self.project} ({web.answered('it', answer.status, answer.reason)})",
                "name another PROJECT, or have an administrator give access to it, then run the same command again",
            )
        self.patience.call(lambda: self._xnat.ask("PUT", f"{self._data}/prearchive_code/0"))

    def put_resource(self, resource: str, name: str, content: bytes, *, seconds: float = ANSWER_SECONDS) -> None:
        """Store a file as project resource and prove that it is there: XNAT says 200 also when it is not (§4.3).

        Parameters
        ----------
        name
            Of the file, with folders if it has any.
        seconds
            How long XNAT may stay silent.

        Raises
        ------
        RightsRefused
            The user may not write to the project.
        """
        path = f"{self._data}/resources/{quote(resource)}/files"
        query = {"inbody": "true", "overwrite": "true"}

        def put() -> None:
            file = f"{path}/{quote(name)}"
            self._xnat.ask("PUT", file, query, body=content, content_type="application/octet-stream", seconds=seconds)

        for _ in range(_STORE_TRIES):
            self.patience.call(put)
            if self._lists(path, name, len(content)):
                return
            self.patience.wait(_STORE_SECONDS)
        raise RightsRefused(
            f"XNAT did not store {resource}/{name} in project {self.project}: only owners may write to the project",
            "ask an owner of the project to make this user an owner, if the file is to be kept there",
        )

    def read_resource(self, resource: str, name: str, limit: int) -> bytes | None:
        """Return a file of a project resource; None when there is none, or one of more than `limit` bytes."""
        return self._read_file(f"{self._data}/resources/{quote(resource)}/files", name, limit)

    def resource_files(self, resource: str) -> frozenset[str]:
        """Return the names of the files of a project resource; none when there is no such resource."""
        answer = self._found(f"{self._data}/resources/{quote(resource)}/files")
        return frozenset(row.get("Name", "") for row in table(answer)) if answer.status in OK else frozenset()

    def _lists(self, path: str, name: str, size: int) -> bool:
        rows = (row for row in self._xnat.rows(path) if row.get("Size") == str(size))
        return any(name == row.get("Name") or unquote(row.get("URI", "")).endswith(f"/files/{name}") for row in rows)

    # what its archive holds

    def archived_sessions(self) -> list[ArchivedSession]:
        """Return every imaging session of the archive with its scans, by one question (§10.1), shared ones included."""
        columns = f"ID,project,label,subject_label,UID,xsiType,note,{_SCAN_ID},{_SCAN_UID}"
        query = {"xsiType": "xnat:imageSessionData", "columns": columns}
        grouped: dict[str, list[Row]] = defaultdict(list)
        for row in self._xnat.rows(f"{self._data}/experiments", query):
            grouped[row.get("ID", "")].append(row)
        return [_archived_session(rows, self.project) for rows in grouped.values()]

    def merges_modalities(self) -> bool:
        """Whether XNAT adds series to sessions of another type (§8.3); it does not where it does not tell."""
        try:
            return preference(self._xnat, "preventCrossModalityMerge") in {False, "false"}
        except NotTold:
            return False

    def subject_labels(self) -> list[str]:
        """Return the labels of all subjects, those without sessions included."""
        rows = self._xnat.rows(f"{self._data}/subjects", {"columns": "ID,URI,label"})
        return [row["label"] for row in rows if row.get("label")]

    def claim_subject(self, label: str) -> str:
        """Make a subject unless it is there; return its label as XNAT has it, which may differ in case (§6.4).

        A user who may not make it on its own may yet do so by archiving: then it is not there, and the label is free.
        """
        path = f"{self._data}/subjects/{quote(label)}"
        self.patience.call(lambda: self._xnat.ask("PUT", path, accepted=OK | _REFUSED_IDS))
        answer = self._found(path)
        if answer.status == NOT_FOUND:
            return label
        if not (found := _field_of(answer, "label")):
            raise XnatGarbled(web.with_words("XNAT sent something that is no subject", answer.reason))
        return found

    def experiment_uri(self, label: Label) -> str:
        """Return where the archive has, or would have, a session of this label."""
        return f"{self._data}/subjects/{quote(label.subject)}/experiments/{quote(label.session)}"

    def experiment_id(self, uri: str) -> str:
        """Return the ID of the session at `uri`, from /data on; empty when the archive has none there."""
        answer = self._found(uri)
        if answer.status == NOT_FOUND:
            return ""
        if not (found := _id_of(answer)):
            raise XnatGarbled(web.with_words("XNAT sent something that is no session", answer.reason))
        return found

    def note(self, experiment_id: str) -> str:
        """Return the note of an archived session; empty when it has none."""
        return _field_of(self._found(f"/data/experiments/{quote(experiment_id)}"), "note")

    def scans(self, experiment_id: str) -> dict[str, str]:
        """Return the scan ID by SeriesInstanceUID of one archived session."""
        rows = self._xnat.rows(f"/data/experiments/{quote(experiment_id)}/scans", {"columns": "ID,UID"})
        return {row["UID"]: row["ID"] for row in rows if row.get("UID")}

    def image_counts(self, experiment_id: str) -> dict[str, int]:
        """Return the number of DICOM files by scan ID (§10.3); scans that XNAT has not counted yet are left out."""
        rows = self._xnat.rows(f"/data/experiments/{quote(experiment_id)}/scans/ALL/resources")
        return image_counts(rows, "cat_id")

    def file_count(self, experiment_id: str, scan_id: str) -> int:
        """Return the number of DICOM files of one scan by listing them, for an XNAT that does not count (§10.3).

        Raises
        ------
        XnatError
            A resource that the scan has cannot be listed: how many files it holds is unknown.
        """
        return len(self._files(experiment_id, scan_id))

    def file_names(self, experiment_id: str, scan_id: str) -> frozenset[str]:
        """Return the names of the DICOM files of one scan.

        Raises
        ------
        XnatError
            As `file_count`.
        """
        return frozenset(row.get("Name", "") for row in self._files(experiment_id, scan_id))

    def _files(self, experiment_id: str, scan_id: str) -> list[Row]:
        paths = self._dicom_resources(experiment_id, scan_id)
        return [row for path in paths for row in self._xnat.rows(f"{path}/files")]

    def sop_instance_uids(self, experiment_id: str, scan_id: str) -> tuple[str, ...] | None:
        """Return what the catalogs of a scan list (§4.1, §11.5); None when they tell no UIDs or cannot be read."""
        found: list[str] = []
        for path in self._dicom_resources(experiment_id, scan_id):
            answer = self._found(path, {})
            if answer.status in OK:
                found += catalog_uids(answer)
        return tuple(found) if all(found) and found else None

    def _dicom_resources(self, experiment_id: str, scan_id: str) -> list[str]:
        """Return the addresses of the DICOM resources of one scan, by their numbers.

        By label they would be those of every scan whose ID or type is `scan_id`, and types are often numbers.
        """
        scans = f"/data/experiments/{quote(experiment_id)}/scans"
        rows = self._xnat.rows(f"{scans}/ALL/resources")
        numbers = [
            row.get("xnat_abstractresource_id", "")
            for row in rows
            if row.get("cat_id") == scan_id and row.get("label") in DICOM_RESOURCES
        ]
        return [f"{scans}/{quote(scan_id, safe='')}/resources/{quote(number)}" for number in numbers if number]

    def refresh_counts(self, experiment_id: str) -> None:
        """Have XNAT count the files of a session anew: the numbers may be empty after archiving (§10.4)."""
        query = {"resource": f"/archive/experiments/{experiment_id}", "options": "populateStats"}
        self.patience.call(lambda: self._xnat.ask("POST", "/data/services/refresh/catalog", query))

    # files beside the images of a session

    def read_session_file(self, experiment_id: str, resource: str, name: str, limit: int) -> bytes | None:
        """Return a file of a resource of a session; None when it has none, or one of more than `limit` bytes."""
        return self._read_file(
            f"/data/experiments/{quote(experiment_id)}/resources/{quote(resource)}/files", name, limit
        )

    def _read_file(self, path: str, name: str, limit: int) -> bytes | None:
        answer = self._found(path)
        sizes = [row.get("Size", "") for row in table(answer) if row.get("Name") == name] if answer.status in OK else []
        if not sizes or not sizes[0].isdigit() or int(sizes[0]) > limit:
            return None
        answer = self._found(f"{path}/{quote(name)}", {})
        return answer.text.encode() if answer.status in OK else None

    def put_session_file(self, experiment_id: str, resource: str, name: str, content: bytes) -> None:
        """Store a file in a resource of a session, and prove that it is there; Members may.

        Raises
        ------
        XnatRefused
            XNAT says that it has stored it, and has not.
        """
        path = f"/data/experiments/{quote(experiment_id)}/resources/{quote(resource)}/files"
        query = {"inbody": "true", "overwrite": "true"}

        def put() -> None:
            self._xnat.ask("PUT", f"{path}/{quote(name)}", query, body=content, content_type="application/octet-stream")

        for _ in range(_STORE_TRIES):
            self.patience.call(put)
            if self._lists(path, name, len(content)):
                return
            self.patience.wait(_STORE_SECONDS)
        raise XnatRefused(f"XNAT did not store {resource}/{name} beside the images of the session")

    def _found(self, path: str, query: Mapping[str, str] = _JSON) -> Answer:
        """Ask for what may not be there."""
        return self.patience.call(lambda: self._xnat.ask("GET", path, query, accepted=OK | {NOT_FOUND}))


def _archived_session(rows: list[Row], project: str) -> ArchivedSession:
    first = rows[0]
    owner = first.get("project", "")
    uids = [(row.get(_SCAN_UID.lower(), ""), row.get(_SCAN_ID.lower(), "")) for row in rows]
    return ArchivedSession(
        experiment_id=first.get("ID", ""),
        study_instance_uid=first.get("UID", ""),
        label=Label(first.get("subject_label", ""), first.get("label", "")),
        scans={uid: scan_id for uid, scan_id in uids if uid},
        shared_from=owner if owner != project else "",
        session_type=first.get("xsiType") or first.get("xsitype", ""),
        note=first.get("note", ""),
    )
