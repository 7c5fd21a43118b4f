"""A requests session for servers that nobody vouches for: no redirects, no credentials of its own, bounded answers."""

import time
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from tcia_xnat import __version__
from tcia_xnat.core import limits
from tcia_xnat.web.environment import certificates, proxy_of

USER_AGENT = f"xnat-tcia-download/{__version__}"  # no browser's name: XNAT and NBIA treat those otherwise
CONNECTIONS = 32
_PIECE = 1 << 16  # bytes that are read at once


class AnswerTooLarge(requests.RequestException):
    """An answer that is longer, or takes longer, than any honest one."""


class Session(requests.Session):
    """A session that follows no redirect, takes no credentials from netrc, and reads no answer without a limit.

    Parameters
    ----------
    limit
        Bytes of an answer that is read as a whole, after decompression; a streamed one is bounded by its reader.
    """

    def __init__(self, limit: int = limits.NBIA_ANSWER) -> None:
        super().__init__()
        self.limit = limit
        self.headers["User-Agent"] = USER_AGENT
        self.auth = _no_credentials  # otherwise requests takes them from netrc
        self.verify = certificates()
        adapter = HTTPAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow nothing: credentials and questions go to the host that was named; callers judge `Location`."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401  as requests has it
        """Send a request; an answer that is not streamed is read here, up to the limit.

        Raises
        ------
        UsageError
            The proxy that the environment has for it cannot be used.
        """
        proxy_of(request.url or "")  # requests would only say what it does not understand
        is_streamed = kwargs.pop("stream", False)
        response = super().send(request, stream=True, **kwargs)
        if not is_streamed:
            read_whole(response, self.limit)
        return response


def read_whole(response: requests.Response, limit: int) -> bytes:
    """Read the body of a streamed response; an error page is cut where its reason has long been said.

    Raises
    ------
    requests.RequestException
        The body is larger than `limit`, takes longer than any honest one, or broke off.
    """
    is_error = response.status_code >= requests.codes.bad_request
    try:
        body = read_limited(response.raw, limits.ERROR_PAGE if is_error else limit, cut=is_error)
        response._content = body  # noqa: SLF001  requests has no other way to hand it over
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001  as above
    except HTTPError as error:
        raise requests.ConnectionError(error) from error
    finally:
        response.close()
    return body


def read_limited(body: urllib3.BaseHTTPResponse, limit: int, *, cut: bool = False) -> bytes:
    """Read a body piece by piece, decompressed, and stop where it is longer than any honest one.

    Parameters
    ----------
    body
        Opened with `preload_content=False`.
    limit
        Bytes.
    cut
        Return the first `limit` bytes of a longer body.

    Raises
    ------
    AnswerTooLarge
    urllib3.exceptions.HTTPError
        The connection broke off, or the body cannot be decompressed.
    """
    read, ends = bytearray(), time.monotonic() + limits.ANSWER_SECONDS
    while piece := body.read1(_PIECE, decode_content=True):
        read += piece
        if len(read) > limit:
            if cut:
                body.close()  # what is left would be taken for the next answer
                return bytes(read[:limit])
            raise AnswerTooLarge(f"the answer is larger than {limit >> 20} MiB")
        if time.monotonic() > ends:
            raise AnswerTooLarge(f"the answer did not end within {limits.ANSWER_SECONDS:.0f} s")
    return bytes(read)


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
