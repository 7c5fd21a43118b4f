"""From a DOI to the words to cite, in four forms: asked of the DOI service, which every registration agency answers."""

import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

import requests

from tcia_xnat import web
from tcia_xnat.core import limits
from tcia_xnat.core.doi import DOI_URL, CitationFormat, bare_doi
from tcia_xnat.core.errors import SourceError, SourceUnreachable
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.web.failures import unreachable
from tcia_xnat.web.public_hosts import ForeignSession, is_not_public, joined, origin
from tcia_xnat.web.session import Session

_SECONDS = 10.0  # a citation is no reason to wait longer
_TRIES = 2
_REDIRECTS = 5  # the resolver, the agency, and its service


class Citations:
    """Citations, each asked for once; where there is no network, the bare DOI.

    Parameters
    ----------
    url
        Where DOIs are resolved.
    seconds
        How long the service may say nothing.
    wait
        Waits so many seconds before the second try.
    """

    def __init__(
        self, url: str = DOI_URL, seconds: float = _SECONDS, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._url, self._seconds = url.rstrip("/"), seconds
        self._patience = Patience(RetryPolicy(_TRIES, 1.0), wait)
        self._known: dict[tuple[str, CitationFormat], str] = {}
        self._lock = threading.Lock()
        self._session = Session(limits.CITATION)
        self._foreign = ForeignSession(limits.CITATION, allow_private=False)
        self.problem = ""
        """Why a citation is a bare DOI; empty when none is."""

    def text(self, doi: str, form: CitationFormat = CitationFormat.APA) -> str:
        """Return the citation of a DOI, or the DOI itself when there is none to be had."""
        doi = bare_doi(doi)
        with self._lock:
            if (doi, form) not in self._known:
                self._known[doi, form] = self._asked(doi, form)
            return self._known[doi, form]

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
        self._foreign.close()

    def _asked(self, doi: str, form: CitationFormat) -> str:
        if self._is_away:
            return doi
        try:
            return self._patience.call(lambda: self._ask(doi, form))
        except SourceError as error:
            self._is_away = isinstance(error, SourceUnreachable)
            self.problem = str(error)
            return doi

    _is_away = False  # hundreds of DOIs need not wait for a network that is not there

    def _ask(self, doi: str, form: CitationFormat) -> str:
        try:
            answer = self._answer(f"{self._url}/{quote(doi, safe='/')}", {"Accept": form.media_type})
        except OSError as error:
            if is_not_public(error):
                raise SourceError(f"the DOI service leads for {doi} to an address that is not followed") from error
            raise unreachable("the DOI service", error, self._url) from error
        return _read(doi, form, answer)

    def _answer(self, address: str, headers: Mapping[str, str], left: int = _REDIRECTS) -> requests.Response:
        """Follow a DOI: from the resolver to the agency that registered it, which is another host by design."""
        session: Session = self._session
        if origin(address) != origin(self._url):
            self._foreign.check(address)
            session = self._foreign
        answer = session.get(address, headers=headers, timeout=(self._seconds, self._seconds))
        if not answer.is_redirect or not left:
            return answer
        return self._answer(joined(address, answer.headers["Location"]), headers, left - 1)


def _read(doi: str, form: CitationFormat, answer: requests.Response) -> str:
    if web.is_later(answer.status_code):
        wait = web.retry_after(answer.headers.get("Retry-After"))
        raise SourceUnreachable(f"the DOI service answered {answer.status_code}", retry_after=wait)
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    text = answer.content.decode("utf-8", "replace").strip()
    if answer.status_code != requests.codes.ok or kind == "text/html" or not text:
        raise SourceError(f"the DOI service has no {form} for {doi} (it answered {answer.status_code})")
    return text
