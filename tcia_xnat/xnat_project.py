"""Everything said to XNAT about one project (xnat-http.md): what it holds, imports, sessions, resources."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from defusedxml import ElementTree

from tcia_xnat.errors import RightsRefused, XnatBusy, XnatRefused, XnatUnreachable
from tcia_xnat.model import Label
from tcia_xnat.xnat_connection import Answer, Body, XnatConnection, refusal

_IMPORT_SECONDS = 1800.0  # XNAT reads, anonymises and stores every image before it answers
_ARCHIVE_SECONDS = 900.0  # XNAT itself gives up waiting after 600 (§8.1)
_SCAN_ID, _SCAN_UID = "xnat:imageSessionData/scans/scan/ID", "xnat:imageSessionData/scans/scan/UID"
_DICOM_RESOURCES = {"DICOM", "secondary"}  # §10.3: other SOP classes of a scan lie in `secondary`
_ARCHIVED = {200, 201, 301, 303}  # §13.8


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """A session of the archive; `scans` maps SeriesInstanceUID to scan ID."""

    experiment_id: str
    study_instance_uid: str
    label: Label
    scans: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PrearchiveSession:
    """A session of the prearchive; `url` starts at /prearchive."""

    study_instance_uid: str
    label: Label
    status: str
    url: str


Row = Mapping[str, str]


class XnatProject:
    """One project of an XNAT, over a login that is shared by all lanes.

    Parameters
    ----------
    connection
        The login.
    project
        ID of the project.
    """

    def __init__(self, connection: XnatConnection, project: str) -> None:
        self._xnat = connection
        self.project = project
        self._data = f"/data/projects/{quote(project)}"

    # the project itself

    def exists(self) -> bool:
        """Whether the project is there and this user may read it: XNAT does not tell the two apart (§3.1)."""
        answer = self._xnat.ask("GET", self._data, {"format": "json"})
        if answer.status in {200, 404}:
            return answer.status == 200  # noqa: PLR2004  HTTP's own
        raise refusal(answer)

    def create(self) -> None:
        """Create the project, private, with its prearchive under our hand alone (§3.2, §3.6).

        Raises
        ------
        XnatRefused
            XNAT does not take the ID: an odd character, or used by a project that this user cannot see.
        """
        answer = self._xnat.ask("PUT", self._data, {"name": self.project, "accessibility": "private"})
        if answer.status not in {200, 201}:
            raise XnatRefused(
                f"XNAT does not create project {self.project} ({answer.status}: {answer.reason})",
                "choose another ID, or ask its owner or an administrator for access",
            )
        if not self.exists():
            raise RightsRefused(f"XNAT created project {self.project} and does not show it to this user")
        self._xnat.expect("PUT", f"{self._data}/prearchive_code/0")

    def put_resource(self, resource: str, name: str, content: bytes) -> None:
        """Store a file as project resource and prove that it is there: XNAT says 200 also when it is not (§4.3).

        Raises
        ------
        RightsRefused
            The user may not write to the project.
        """
        path = f"{self._data}/resources/{quote(resource)}/files"
        query = {"inbody": "true", "overwrite": "true"}
        self._xnat.expect("PUT", f"{path}/{quote(name)}", query, body=content, content_type="application/octet-stream")
        listed = _table(self._xnat.expect("GET", path, {"format": "json"}))
        if not any(row.get("Name") == name and row.get("Size") == str(len(content)) for row in listed):
            raise RightsRefused(
                f"XNAT did not store {resource}/{name} in project {self.project}, although it said so",
                "the user needs the right to edit this project",
            )

    # what it holds

    def archived_sessions(self) -> list[ArchivedSession]:
        """Return every imaging session of the archive with its scans, by one question (§10.1)."""
        columns = f"ID,label,subject_label,UID,{_SCAN_ID},{_SCAN_UID}"
        query = {"format": "json", "xsiType": "xnat:imageSessionData", "columns": columns}
        answer = self._xnat.expect("GET", f"{self._data}/experiments", query)
        if not answer.text.strip():
            raise XnatUnreachable("XNAT could not list the sessions of the project (an empty answer, §10.2)")
        grouped: dict[str, list[Row]] = defaultdict(list)
        for row in _table(answer):
            grouped[row.get("ID", "")].append(row)
        return [_archived_session(rows) for rows in grouped.values()]

    def subject_labels(self) -> list[str]:
        """Return the labels of all subjects, those without sessions included."""
        answer = self._xnat.expect("GET", f"{self._data}/subjects", {"format": "json", "columns": "ID,URI,label"})
        return [row["label"] for row in _table(answer) if row.get("label")]

    def prearchive_sessions(self) -> list[PrearchiveSession]:
        """Return what lies in the project's prearchive (§7.4)."""
        answer = self._xnat.expect("GET", f"/data/prearchive/projects/{quote(self.project)}", {"format": "json"})
        return [_prearchive_session(row) for row in _table(answer)]

    def image_counts(self, experiment_id: str) -> dict[str, int]:
        """Return the number of DICOM files by scan ID (§10.3); scans that XNAT has not counted yet are left out."""
        path = f"/data/experiments/{quote(experiment_id)}/scans/ALL/resources"
        rows = _table(self._xnat.expect("GET", path, {"format": "json"}))
        return _sums((row["cat_id"], row) for row in rows if row.get("cat_id"))

    def file_count(self, experiment_id: str, scan_id: str) -> int:
        """Return the number of DICOM files of one scan by listing them, for an XNAT that does not count (§10.3)."""
        scan = f"/data/experiments/{quote(experiment_id)}/scans/{quote(scan_id)}"
        answers = [
            self._xnat.ask("GET", f"{scan}/resources/{resource}/files", {"format": "json"})
            for resource in sorted(_DICOM_RESOURCES)
        ]
        return sum(len(_table(answer)) for answer in answers if answer.status == 200)  # noqa: PLR2004  HTTP's own

    def experiment_id(self, uri: str) -> str:
        """Return the ID of the session at `uri`, from /data on; empty when the archive has none there."""
        answer = self._xnat.ask("GET", uri, {"format": "json"})
        if answer.status == 404:  # noqa: PLR2004  HTTP's own
            return ""
        if answer.status != 200:  # noqa: PLR2004  HTTP's own
            raise refusal(answer)
        try:
            return str(json.loads(answer.text)["items"][0]["data_fields"]["ID"])
        except (ValueError, LookupError, TypeError) as error:
            raise XnatUnreachable(f"XNAT sent something that is no session: {answer.reason}") from error

    def experiment_uri(self, label: Label) -> str:
        """Return where the archive has, or would have, a session of this label."""
        return f"{self._data}/subjects/{quote(label.subject)}/experiments/{quote(label.session)}"

    def refresh_counts(self, experiment_id: str) -> None:
        """Have XNAT count the files of a session anew: the numbers may be empty after archiving (§10.4)."""
        query = {"resource": f"/archive/experiments/{experiment_id}", "options": "populateStats"}
        self._xnat.ask("POST", "/data/services/refresh/catalog", query)

    def scans(self, experiment_id: str) -> dict[str, str]:
        """Return the scan ID by SeriesInstanceUID of one archived session."""
        path = f"/data/experiments/{quote(experiment_id)}/scans"
        rows = _table(self._xnat.expect("GET", path, {"format": "json", "columns": "ID,UID"}))
        return {row["UID"]: row["ID"] for row in rows if row.get("UID")}

    # the way of a series, and of a session

    def import_series(self, body: Body, label: Label) -> str:
        """Send one zip into the prearchive; return the URL of its session, from /prearchive on.

        Labels go along in both spellings (§0.1), `rename` makes a second sending harmless (§5.7), and
        `prevent_auto_commit` keeps XNAT from archiving a session that is not complete (§7.3).

        Raises
        ------
        XnatRefused
            XNAT took the zip and stored nothing of it, or put it elsewhere.
        XnatError
            See `refusal`.
        """
        query = {
            "import-handler": "DICOM-zip",
            "inbody": "true",
            "rename": "true",
            "prevent_auto_commit": "true",
            **dict.fromkeys(("project", "PROJECT_ID"), self.project),
            **dict.fromkeys(("subject", "SUBJECT_ID"), label.subject),
            **dict.fromkeys(("session", "EXPT_LABEL"), label.session),
        }
        answer = self._xnat.expect(
            "POST",
            "/data/services/import",
            query,
            body=body,
            content_type="application/zip",
            seconds=_IMPORT_SECONDS,
        )
        return self._imported(answer, label)

    def build(self, url: str) -> None:
        """Have XNAT read what the prearchive session now holds; only then may it be compared and archived (§13.7)."""
        self._xnat.expect("POST", f"/data{url}", {"action": "build"}, seconds=_ARCHIVE_SECONDS)

    def prearchive_status(self, url: str) -> str:
        """Return the status of a prearchive session; empty when it is gone (§7.4)."""
        rows = _table(self._xnat.expect("GET", f"/data{url}", {"format": "json"}))
        return rows[0].get("status", "") if rows else ""

    def prearchive_scans(self, url: str) -> dict[str, str]:
        """Return the scan ID by SeriesInstanceUID of a built prearchive session: only its XML tells (§7.4)."""
        answer = self._xnat.expect("GET", f"/data{url}", {"format": "xml"})
        try:
            root = ElementTree.fromstring(answer.text.encode())
        except ElementTree.ParseError as error:
            raise XnatUnreachable(f"XNAT's document of {url} cannot be read: {error}") from error
        return {scan.get("UID", ""): scan.get("ID", "") for scan in root.iterfind("{*}scans/{*}scan")}

    def prearchive_image_count(self, url: str, scan_id: str) -> int | None:
        """Return the number of DICOM files of a prearchive scan; None when XNAT does not tell."""
        path = f"/data{url}/scans/{quote(scan_id)}/resources"
        answer = self._xnat.ask("GET", path, {"format": "json"})
        if answer.status != 200 or not answer.text.strip():  # noqa: PLR2004  a renamed scan may have no page (§7.4)
            return None
        return _sums((scan_id, row) for row in _table(answer)).get(scan_id)

    def archive(self, url: str, label: Label, *, overwrite: bool) -> str:
        """Archive a built prearchive session; return the URI of the experiment, from /data on (§8.1).

        Parameters
        ----------
        overwrite
            Replace images that the archive already has; it also lifts checks, so only for a repair (§16.12).

        Raises
        ------
        ArchiveConflict
            XNAT refuses, and says why; the session stays in the prearchive.
        XnatBusy, XnatUnreachable
            It may have been archived all the same: look before asking again (§12.3).
        """
        query = {
            "src": url,
            "auto-archive": "false",
            "project": self.project,
            "subject": label.subject,
            "session": label.session,
        }
        if overwrite:
            query["overwrite"] = "append"
        answer = self._xnat.ask("POST", "/data/services/archive", query, seconds=_ARCHIVE_SECONDS)
        if "did not complete within" in answer.reason:
            raise XnatBusy(f"XNAT answered {answer.status}: {answer.reason}")
        if answer.status not in _ARCHIVED:
            raise refusal(answer)
        return self.experiment_uri(label)

    def last_log(self, url: str) -> str:
        """Return XNAT's own last words on a prearchive session; empty when it has none (§8)."""
        answer = self._xnat.ask("GET", f"/data{url}/logs/last")
        return answer.reason if answer.status == 200 else ""  # noqa: PLR2004  HTTP's own number

    def delete_prearchive(self, url: str) -> None:
        """Remove a session from the prearchive; XNAT says 200 also when it did not (§9.1)."""
        self._xnat.expect("DELETE", f"/data{url}")

    def _imported(self, answer: Answer, label: Label) -> str:
        uris = [uri.strip().removeprefix("/data") for uri in answer.text.splitlines() if uri.strip()]
        if not uris:
            raise XnatRefused(
                "XNAT took the images and stored none of them",
                "a series-import filter or an anonymisation script of the site or project may have dropped them",
            )
        expected = f"/prearchive/projects/{self.project}/"
        strays = [uri for uri in uris if not uri.startswith(expected)]
        for uri in strays:
            if uri.startswith("/prearchive/"):
                self.delete_prearchive(uri)
        if strays:
            raise RightsRefused(
                f"XNAT put the images into {strays[0]} instead of project {self.project}",
                "the user needs the right to edit this project",
            )
        if len(uris) > 1:
            raise XnatRefused(f"XNAT spread the images of one series over {len(uris)} sessions: {', '.join(uris)}")
        if uris[0].rsplit("/", 1)[-1] != label.session:
            raise XnatRefused(f"XNAT put the images into {uris[0]} instead of session {label.session}")
        return uris[0]


def _table(answer: Answer) -> list[Row]:
    """Return the rows of a JSON table (§0.5)."""
    try:
        rows = json.loads(answer.text)["ResultSet"]["Result"]
    except (ValueError, KeyError, TypeError) as error:
        raise XnatUnreachable(f"XNAT sent something that is no table: {answer.reason}") from error
    return [row for row in rows if isinstance(row, dict)]


def _archived_session(rows: list[Row]) -> ArchivedSession:
    first = rows[0]
    uids = [(row.get(_SCAN_UID.lower(), ""), row.get(_SCAN_ID.lower(), "")) for row in rows]
    return ArchivedSession(
        experiment_id=first.get("ID", ""),
        study_instance_uid=first.get("UID", ""),
        label=Label(first.get("subject_label", ""), first.get("label", "")),
        scans={uid: scan_id for uid, scan_id in uids if uid},
    )


def _prearchive_session(row: Row) -> PrearchiveSession:
    return PrearchiveSession(
        study_instance_uid=row.get("tag", ""),
        label=Label(row.get("subject", ""), row.get("name", "")),
        status=row.get("status", ""),
        url=row.get("url", ""),
    )


def _sums(rows: Iterable[tuple[str, Row]]) -> dict[str, int]:
    """Sum the file counts of the DICOM resources by scan."""
    sums: dict[str, int] = {}
    for scan_id, row in rows:
        count = row.get("file_count", "")
        if row.get("label") in _DICOM_RESOURCES and str(count).isdigit():
            sums[scan_id] = sums.get(scan_id, 0) + int(count)
    return sums
