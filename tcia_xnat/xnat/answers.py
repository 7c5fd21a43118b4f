"""What XNAT's answers mean (xnat-http.md §0.5, §13.8): statuses, error pages, tables."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from tcia_xnat import web
from tcia_xnat.core.errors import ArchiveConflict, RightsRefused, XnatBusy, XnatError, XnatRefused, XnatUnreachable
from tcia_xnat.core.foreign import parse_json, parse_xml

OK = frozenset({200, 201})
NOT_FOUND = 404

_MESSAGE = re.compile(r"<p><b>Message</b>(.*?)</p>|<h3>(.*?)</h3>", re.DOTALL)  # Tomcat's pages, and XNAT's own
_READ = 1 << 14  # characters of an error page that are searched: the pattern takes quadratic time on a hostile one
ASK_FOR_RIGHT = (
    "ask an owner of the project for this right (members bring in and archive images, owners also write to the "
    "project), then run the same command again"
)
_ENCODINGS = {"iso-8859-1", "latin-1", "us-ascii", "windows-1252"}  # that an answer may have instead of UTF-8
_NUMBER = re.compile(r"[0-9]{1,9}")
_TOO_LARGE = (
    "have the limit of the proxy in front of XNAT lifted (nginx: client_max_body_size 0), "
    "then run the same command again"
)
_LOGIN_PAGE = "/app/template/Login.vm"
_BUSY_TEXTS = (
    "already in progress",
    "may already be in progress",
    "document locked",
    "is locked",
    "concurrent file sends",
    "duplicate archive attempt",
)

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What XNAT said: status, body, where a redirect that nobody followed points to, and the wait it asks for."""

    status: int
    text: str
    location: str = ""
    retry_after: float | None = None

    @property
    def reason(self) -> str:
        """The message of an error page, or the body, as one line."""
        head = self.text[:_READ]
        found = _MESSAGE.search(head)
        return web.shown(html.unescape(found[1] or found[2] or "") if found else head)

    @property
    def is_web_page(self) -> bool:
        """Whether a success is a page for people: no answer to a program, but that of a login or a proxy (§16.2)."""
        return self.status in OK and self.text[:200].lstrip().lower().startswith(("<!doctype html", "<html"))

    @property
    def is_logged_out(self) -> bool:
        """Whether the answer is one to nobody: 401, or the way to the login page (§1.8)."""
        is_redirect = 300 <= self.status < 400  # noqa: PLR2004  HTTP's own classes
        return (
            self.status == requests.codes.unauthorized
            or (is_redirect and _LOGIN_PAGE in self.location)
            or self.is_web_page
        )


def answer_of(response: requests.Response) -> Answer:
    """Return what a response says."""
    headers = response.headers
    encoding = (response.encoding or "").lower()
    is_named = "charset" in headers.get("Content-Type", "").lower() and encoding in _ENCODINGS
    text = response.content.decode(encoding if is_named else "utf-8", "replace")  # guessing takes minutes on large ones
    wait = web.retry_after(headers.get("Retry-After"))
    return Answer(response.status_code, text, headers.get("Location", ""), wait)


def refusal(answer: Answer) -> XnatError:
    """Say what an answer that is no success means (§13.8): the text decides where the status does not."""
    status, reason = answer.status, answer.reason
    said = web.answered("XNAT", status, reason)
    if any(text in reason.lower() for text in _BUSY_TEXTS) or status == requests.codes.locked:
        return XnatBusy(said, retry_after=answer.retry_after)
    if status == requests.codes.forbidden:
        return RightsRefused(said, ASK_FOR_RIGHT)
    if status == requests.codes.conflict or "FAILED:" in reason:
        return ArchiveConflict(said)
    if status == requests.codes.request_entity_too_large:
        return XnatRefused(said, _TOO_LARGE)
    if web.is_later(status):
        return XnatUnreachable(said, retry_after=answer.retry_after)
    return XnatRefused(said)


def table(answer: Answer) -> list[Row]:
    """Return the rows of a JSON table (§0.5).

    Raises
    ------
    XnatUnreachable
        It is none; a query that fails inside of XNAT is a 200 with an empty body (§10.2).
    """
    try:
        found = parse_json(answer.text)
    except ValueError as error:
        raise XnatUnreachable(web.with_words("XNAT sent something that is no table", answer.reason)) from error
    for key in ("ResultSet", "Result"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise XnatUnreachable(web.with_words("XNAT sent something that is no table", answer.reason))
    return [_row(row) for row in found if isinstance(row, dict)]


def _row(row: Mapping[str, object]) -> Row:
    """Return a row with its cells as text; a cell that holds neither text nor a number is empty."""
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode()


def catalog_uids(answer: Answer) -> list[str]:
    """Return the SOPInstanceUID of each entry of a catalog, empty for an entry that has none (§11.5).

    Raises
    ------
    XnatUnreachable
        It is none.
    """
    try:
        root = parse_xml(answer.text)
    except ValueError as error:
        raise XnatUnreachable(web.with_words("XNAT sent something that is no catalog", answer.reason)) from error
    return [element.get("UID", "") for element in root.iterfind("{*}entries/{*}entry")]


def image_counts(rows: list[Row], column: str) -> dict[str, int]:
    """Sum the file counts of the DICOM resources of each scan; `column` names the scan (§10.3).

    Resources that XNAT has not counted yet are left out.
    """
    sums: dict[str, int] = {}
    for row in rows:
        count, scan_id = row.get("file_count", ""), row.get(column, "")
        if row.get("label") in DICOM_RESOURCES and _NUMBER.fullmatch(count) and scan_id:
            sums[scan_id] = sums.get(scan_id, 0) + int(count)
    return sums


DICOM_RESOURCES = ("DICOM", "secondary")  # other SOP classes of a scan lie in `secondary`
