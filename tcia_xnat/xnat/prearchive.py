"""The prearchive of one project: imports, building, archiving (xnat-http.md §5, §7, §8)."""

import secrets
from dataclasses import dataclass
from urllib.parse import quote

from tcia_xnat import web
from tcia_xnat.core.errors import RightsRefused, XnatBusy, XnatGarbled, XnatRefused, XnatUnreachable
from tcia_xnat.core.foreign import parse_xml
from tcia_xnat.core.model import Label
from tcia_xnat.xnat.answers import ASK_FOR_RIGHT, DICOM_RESOURCES, OK, Answer, Row, image_counts, refusal, table
from tcia_xnat.xnat.connection import Body, XnatConnection

_IMPORT_SECONDS = 1800.0  # XNAT reads, anonymises and stores every image before it answers
_ARCHIVE_SECONDS = 900.0  # XNAT itself gives up waiting after 600 (§8.1)
_ARCHIVED = OK | {301, 303}  # §13.8
_JSON = {"format": "json"}
_MARK = "tcia-xnat-"  # SOURCE of what this tool imports; XNAT shows it in its listing, and keeps that of the first
_TURN = "-turn"  # ends the SOURCE of a session that only says whose turn it is


class NothingStored(XnatRefused):
    """XNAT took a zip and kept no image of it: a filter or its script drops them all."""


@dataclass(frozen=True, slots=True)
class PrearchiveSession:
    """A session of the prearchive.

    Attributes
    ----------
    url
        Starts at /prearchive.
    mark
        The run of this tool that made it; empty when somebody else did.
    changed
        When something last came to it, in XNAT's words.
    is_turn
        Whether it only says whose turn it is (`destinations.xnat.turns`): it is never archived.
    """

    study_instance_uid: str
    label: Label
    status: str
    url: str
    mark: str = ""
    changed: str = ""
    is_turn: bool = False


class Prearchive:
    """What waits to be archived in one project.

    Parameters
    ----------
    connection
        The login.
    project
        ID of the project.
    renames
        Whether XNAT names the files by its template.

    Attributes
    ----------
    mark
        Names this run in what it imports.
    """

    def __init__(self, connection: XnatConnection, project: str, *, renames: bool = True) -> None:
        self._xnat = connection
        self._project = project
        self._renames = "true" if renames else "false"
        self.mark = f"{_MARK}{secrets.token_hex(6)}"

    def sessions(self) -> list[PrearchiveSession]:
        """Return what waits there to be archived."""
        return [session for session in self.with_turns() if not session.is_turn]

    def with_turns(self) -> list[PrearchiveSession]:
        """Return all that lies there (§7.4), also what only says whose turn it is."""
        return [_session(row) for row in self._xnat.rows(f"/data/prearchive/projects/{quote(self._project)}")]

    def import_series(self, body: Body, label: Label, *, is_turn: bool = False) -> str:
        """Send one zip; return the URL of its session, from /prearchive on.

        Labels go along in both spellings (§0.1), `rename` makes a second sending harmless (§5.7), and
        `prevent_auto_commit` keeps XNAT from archiving a session that is not complete (§7.3).

        Parameters
        ----------
        is_turn
            Whether the session shall only say whose turn it is.

        Raises
        ------
        NothingStored
            XNAT took the zip and kept nothing of it.
        XnatRefused
            XNAT put it elsewhere.
        XnatError
            See `refusal`.
        """
        query = {
            "import-handler": "DICOM-zip",
            "inbody": "true",
            "rename": self._renames,
            "prevent_auto_commit": "true",
            "SOURCE": self.mark + (_TURN if is_turn else ""),
            **dict.fromkeys(("project", "PROJECT_ID"), self._project),
            **dict.fromkeys(("subject", "SUBJECT_ID"), label.subject),
            **dict.fromkeys(("session", "EXPT_LABEL"), label.session),
        }
        answer = self._xnat.ask(
            "POST",
            "/data/services/import",
            query,
            body=body,
            content_type="application/zip",
            seconds=_IMPORT_SECONDS,
        )
        return self._imported(answer, label)

    def build(self, url: str) -> None:
        """Have XNAT read what the session now holds; only then may it be compared and archived (§13.7)."""
        self._xnat.ask("POST", f"/data{url}", {"action": "build"}, seconds=_ARCHIVE_SECONDS)

    def status(self, url: str) -> str:
        """Return the status of a session; empty when it is gone (§7.4)."""
        rows = self._xnat.rows(f"/data{url}")
        return rows[0].get("status", "") if rows else ""

    def scans(self, url: str) -> dict[str, str]:
        """Return the scan ID by SeriesInstanceUID of a built session: only its XML tells (§7.4)."""

        def read() -> dict[str, str]:
            answer = self._xnat.ask("GET", f"/data{url}", {"format": "xml"})
            try:
                root = parse_xml(answer.text)
            except ValueError as error:
                raise XnatGarbled(f"XNAT's document of {url} cannot be read: {error}") from error
            return {scan.get("UID", ""): scan.get("ID", "") for scan in root.iterfind("{*}scans/{*}scan")}

        return self._xnat.patience.call(read)

    def image_count(self, url: str, scan_id: str) -> int | None:
        """Return the number of DICOM files of a scan; None when XNAT does not tell: a renamed scan has no page."""
        rows = self._table(f"/data{url}/scans/{quote(scan_id)}/resources")
        return image_counts([{**row, "scan": scan_id} for row in rows or ()], "scan").get(scan_id)

    def file_names(self, url: str, scan_id: str) -> frozenset[str] | None:
        """Return the names of the DICOM files of a scan; None when XNAT does not tell, as of a renamed scan."""
        path = f"/data{url}/scans/{quote(scan_id)}/resources"
        labels = [row.get("label", "") for row in self._table(path) or ()]
        tables = [self._table(f"{path}/{label}/files") for label in DICOM_RESOURCES if label in labels]
        if not tables or None in tables:
            return None
        return frozenset(row.get("Name", "") for rows in tables for row in rows or ())

    def _table(self, path: str) -> list[Row] | None:
        """Return the rows of a page; None where a session or scan has none."""
        answer = self._xnat.patience.call(lambda: self._xnat.ask("GET", path, _JSON, accepted={200, 404, 500}))
        return table(answer) if answer.status in OK and answer.text.strip() else None

    def archive(self, url: str, label: Label, *, overwrite: bool, note: str = "") -> None:
        """Archive a built session (§8.1).

        Parameters
        ----------
        overwrite
            Replace images that the archive already has; it also lifts checks, so only for a repair (§16.12).
        note
            The note of the archived session, set in the same step (§8.1); an empty one leaves what is there.

        Raises
        ------
        ArchiveConflict
            XNAT refuses, and says why; the session stays in the prearchive.
        XnatBusy
            Something else works on the session, or on the one in the archive.
        XnatUnreachable
            It may have been archived all the same: look before asking again (§12.3).
        """
        query = {
            "src": url,
            "auto-archive": "false",
            "project": self._project,
            "subject": label.subject,
            "session": label.session,
        }
        if overwrite:
            query["overwrite"] = "append"
        if note:
            query["note"] = note
        answer = self._xnat.ask(
            "POST", "/data/services/archive", query, seconds=_ARCHIVE_SECONDS, accepted=_ARCHIVED | {500}
        )
        if "did not complete within" in answer.reason:
            raise XnatUnreachable(web.answered("XNAT", answer.status, answer.reason))
        if answer.status not in _ARCHIVED:
            raise refusal(answer)

    def last_log(self, url: str) -> str:
        """Return XNAT's own last words on a session; empty when it has none (§8)."""
        path = f"/data{url}/logs/last"
        answer = self._xnat.patience.call(lambda: self._xnat.ask("GET", path, accepted={200, 404, 500}))
        return answer.reason if answer.status in OK else ""

    def delete(self, url: str) -> None:
        """Remove a session; XNAT says 200 also when it did not (§9.1)."""
        self._xnat.patience.call(lambda: self._xnat.ask("DELETE", f"/data{url}"))

    def _imported(self, answer: Answer, label: Label) -> str:
        uris = [uri.strip().removeprefix("/data") for uri in answer.text.splitlines() if uri.strip()]
        if not uris:
            raise NothingStored(
                "XNAT took the images and stored none of them",
                "download.py --check shows which series-import filter or anonymisation script may have dropped them: "
                "have that changed, then run the same command again",
            )
        expected = f"/prearchive/projects/{self._project}/"
        strays = [uri for uri in uris if not uri.startswith(expected)]
        for uri in strays:
            if uri.startswith("/prearchive/"):
                self.delete(uri)
        if strays:
            raise RightsRefused(
                f"XNAT put the images into {strays[0]} instead of project {self._project}",
                ASK_FOR_RIGHT,
            )
        if len(uris) > 1:  # somebody archived the first one in between
            raise XnatBusy(f"XNAT spread the images of one series over {len(uris)} sessions: {', '.join(uris)}")
        if uris[0].rsplit("/", 1)[-1] != label.session:
            raise XnatRefused(f"XNAT put the images into {uris[0]} instead of session {label.session}")
        return uris[0]


def _session(row: Row) -> PrearchiveSession:
    source = row.get("SOURCE", "")
    return PrearchiveSession(
        study_instance_uid=row.get("tag", ""),
        label=Label(row.get("subject", ""), row.get("name", "")),
        status=row.get("status", ""),
        url=row.get("url", ""),
        mark=source.removesuffix(_TURN) if source.startswith(_MARK) else "",
        changed=row.get("lastmod", ""),
        is_turn=source.startswith(_MARK) and source.endswith(_TURN),
    )
