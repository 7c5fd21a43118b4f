"""Talking to an NBIA server: a question, its answer as rows, text or stream, and refusals as our errors."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import requests

from tcia_xnat import web
from tcia_xnat.core.addresses import server_url
from tcia_xnat.core.closing import Closing
from tcia_xnat.core.errors import SeriesUnavailable, SourceError, SourceUnreachable, UsageError
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.web.failures import unreachable
from tcia_xnat.web.session import Session

NBIA_URL = "https://services.cancerimagingarchive.net/nbia-api/services"

_GONE = re.compile(r"https?://services\.cancerimagingarchive\.net/services(/|$)")
_VERSION = re.compile(r"/v\d+$")
_CHUNK = 1 << 18
_HEAD, _SHOWN_ROWS = 1 << 12, 20  # of an answer that is no list of rows, in its message
_ANSWERED = {requests.codes.ok, requests.codes.no_content}
_NOT_GRANTED = "with given SeriesInstanceUID,"  # 400 for unknown and forbidden alike (tcia-nbia-and-idc.md §2.3.3)

Row = dict[str, Any]
"""One object of a JSON answer; NBIA leaves columns without a value out."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Parameters
    ----------
    endpoint
        Its name, as `getSeries`.
    asked
        Parameters under NBIA's own names, which are case-sensitive: v4 refuses any other (§2.3).
    method
        `POST` sends them as a form, a sequence as one field per value.
    version
        Of the interface: v4, and v1 for what v4 does not have.
    """

    endpoint: str
    asked: Mapping[str, str | Sequence[str]]
    method: str = "GET"
    version: str = "v4"


def question(endpoint: str, *, version: str = "v4", **asked: str | None) -> Question:
    """Return a question with those parameters that have a value."""
    return Question(endpoint, {name: value for name, value in asked.items() if value}, version=version)


def form(endpoint: str, **asked: str | Sequence[str]) -> Question:
    """Return a question that goes as a form, with those fields that have a value."""
    return Question(endpoint, {name: value for name, value in asked.items() if value}, "POST")


def services_url(base_url: str | None) -> str:
    """Return the address of NBIA's services: as given without a version, that of the environment, or TCIA's.

    The server that the old SDK spoke to is gone (§2.1); its address stands for the one that took its place.

    Raises
    ------
    UsageError
    """
    if not base_url or _GONE.match(base_url):
        base_url = os.environ.get("TCIA_XNAT_NBIA_URL") or NBIA_URL
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{base_url} is no address of NBIA's services", f"write it as {NBIA_URL}")
    return _VERSION.sub("", base_url.rstrip("/"))


_CLOSED = (
    "NBIA, or something between here and NBIA, does not let everybody in: look at the proxy and the firewall; --source"
    " idc does without NBIA; series of controlled access need an account of their own, and are not fetched here"
)
"""What to do about 401 and 403: the same command again does not help."""


class NbiaConnection(Closing):
    """An NBIA server, asked as everybody may; no login is sent.

    Parameters
    ----------
    url
        The part of the address before `/v4/`.
    silent_seconds
        How long NBIA may say nothing.
    """

    def __init__(self, url: str = NBIA_URL, silent_seconds: float = web.SILENT_SECONDS) -> None:
        self._timeout = (web.CONNECT_SECONDS, silent_seconds)
        self.url = server_url(url, "NBIA's services", NBIA_URL)
        self._session = Session()

    def rows(self, asked: Question) -> list[Row]:
        """Return the rows of a JSON answer; no rows are an empty body, not an empty list (§2.3).

        Raises
        ------
        SeriesUnavailable
            NBIA does not know the series or does not show it to the public.
        SourceUnreachable
            No connection, an answer that broke off or says "later", or a page in the place of JSON.
        SourceError
            Any other refusal, or JSON that is no list of rows.
        """
        rows = self.objects(asked)
        if not all(isinstance(row, dict) for row in rows):
            raise SourceError(f"NBIA's {asked.endpoint} sent no list of rows: {web.shown(str(rows[:_SHOWN_ROWS]))}")
        return cast("list[Row]", rows)

    def objects(self, asked: Question) -> list[object]:
        """Return a JSON list, whatever is in it; raises as `rows` does."""
        body = self.content(asked)
        if not body.strip():
            return []
        try:
            rows = parse_json(body)
        except ValueError as error:
            told = f"NBIA's {asked.endpoint} sent no JSON"
            raise SourceUnreachable(web.with_words(told, web.shown(body[:_HEAD].decode("utf-8", "replace")))) from error
        if not isinstance(rows, list):
            raise SourceError(f"NBIA's {asked.endpoint} sent no list of rows: {web.shown(str(rows)[:_HEAD])}")
        return rows

    def text(self, asked: Question) -> str:
        """Return an answer as text; raises as `rows` does."""
        return self.content(asked).decode("utf-8", "replace")  # NBIA names no encoding

    def content(self, asked: Question) -> bytes:
        """Return an answer as it came; raises as `rows` does."""
        with closing(self._answer(asked)) as answer:
            return answer.content

    def stream(self, asked: Question, write: Callable[[bytes], None]) -> None:
        """Pass an answer to `write`, chunk by chunk; raises as `rows` does."""
        with closing(self._answer(asked, stream=True)) as answer:
            try:
                for chunk in answer.iter_content(_CHUNK):
                    write(chunk)
            except requests.RequestException as error:
                raise unreachable("NBIA", error, self.url) from error

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _answer(self, asked: Question, *, stream: bool = False) -> requests.Response:
        is_form = asked.method == "POST"
        url = requests.Request(
            asked.method, f"{self.url}/{asked.version}/{asked.endpoint}", params=None if is_form else asked.asked
        )
        data = dict(asked.asked) if is_form else None
        try:
            answer = self._followed(asked.method, str(url.prepare().url), data=data, stream=stream)
            if answer.status_code in _ANSWERED:
                return answer
            with closing(answer):
                raise _refusal(asked.endpoint, answer)
        except requests.RequestException as error:
            raise unreachable("NBIA", error, self.url) from error

    def _followed(self, method: str, url: str, left: int = web.REDIRECTS, **options: Any) -> requests.Response:  # noqa: ANN401  as requests takes them
        answer = self._session.request(method, url, timeout=self._timeout, allow_redirects=False, **options)
        target = web.redirected(url, answer.status_code, answer.headers.get("Location"))
        if not target or not left:
            return answer
        answer.close()
        return self._followed(method, target, left - 1, **options)


def _refusal(endpoint: str, answer: requests.Response) -> SourceError:
    status, text = answer.status_code, web.shown(answer.text)
    told = web.answered(f"NBIA's {endpoint}", status, text)
    if web.is_later(status):
        wait = web.retry_after(answer.headers.get("Retry-After"))
        return SourceUnreachable(told, retry_after=wait)
    if _NOT_GRANTED in text:
        return SeriesUnavailable("NBIA does not offer this series to the public")
    return SourceError(told, _CLOSED if status in {401, 403} else "")
