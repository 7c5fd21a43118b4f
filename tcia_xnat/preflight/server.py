"""A server as such: whether it answers, by which certificate, and what time it has there."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ssl import SSLSocket, cert_time_to_seconds
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from tcia_xnat import web
from tcia_xnat.preflight.finding import Finding, ok, warning, wrong
from tcia_xnat.web.failures import explain

_LOOK = "look at the address, the network, and HTTPS_PROXY and NO_PROXY"
_SECONDS = 30.0
_EXPIRES_SOON = 21  # days
_SKEW = 60.0  # seconds that clocks may differ; the answer itself takes some
_LOCAL = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one question to a server showed.

    Attributes
    ----------
    problem, hint
        Why there was no answer, and what to do; empty when there was one, of whatever status.
    skew
        Seconds by which the server's clock is ahead of ours; None when it did not tell.
    expires
        When its certificate ends; None on plain http.
    """

    name: str
    url: str
    problem: str = ""
    hint: str = ""
    skew: float | None = None
    expires: datetime | None = None


def look(name: str, url: str) -> Seen:
    """Ask a server for anything."""
    pool = web.pool(url, _SECONDS)
    try:
        asked = time.time()
        answer = pool.request("GET", url, preload_content=False, redirect=False)
        with closing(answer):
            return Seen(name, url, skew=_skew(answer, asked), expires=_expires(answer))
    except HTTPError as error:
        failure = explain(url, error)
        return Seen(name, url, failure.reason, failure.hint)
    finally:
        pool.clear()


def connection(seen: Seen, exit_code: int) -> Finding:
    """Judge whether a server can be reached, and safely."""
    name, host = f"connection to {seen.name}", urlsplit(seen.url).netloc
    if seen.problem:
        return wrong(name, f"{host}: {seen.problem}", seen.hint or _LOOK, exit_code)
    if seen.url.startswith("http:"):
        if urlsplit(seen.url).hostname in _LOCAL:
            return ok(name, f"{host} answers, on this machine")
        return warning(name, f"{host} answers by plain http", "use https: anybody on the way can read and change it")
    if seen.expires is None:
        return ok(name, f"{host} answers by https")
    days = (seen.expires - datetime.now(UTC)).days
    told = f"{host} answers by https, its certificate is good until {seen.expires:%Y-%m-%d}"
    return ok(name, told) if days > _EXPIRES_SOON else warning(name, told, "have the certificate renewed")


def clock(servers: Sequence[Seen]) -> Finding:
    """Compare our clock with those of all servers."""
    skews = {seen.name: seen.skew for seen in servers if seen.skew is not None}
    if not skews:
        return warning("clock", "could not look: no server told its time", "compare it by hand: date -u")
    name, skew = max(skews.items(), key=lambda item: abs(item[1]))
    told = f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} {name}"
    if abs(skew) <= _SKEW:
        return ok("clock", f"agrees with {', '.join(skews)}")
    return warning("clock", told, "set the time (NTP): certificates, tokens and the dates in reports depend on it")


def _skew(answer: urllib3.BaseHTTPResponse, asked: float) -> float | None:
    """Return how far the server is ahead; an answer that took long is compared with the middle of the wait."""
    try:
        told = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return None
    return told - (asked + time.time()) / 2


def _expires(answer: urllib3.BaseHTTPResponse) -> datetime | None:
    socket = getattr(answer.connection, "sock", None)
    certificate = socket.getpeercert() if isinstance(socket, SSLSocket) else None
    ends = str((certificate or {}).get("notAfter", ""))
    return datetime.fromtimestamp(cert_time_to_seconds(ends), UTC) if ends else None
