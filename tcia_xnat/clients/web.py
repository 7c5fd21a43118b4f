"""What every HTTP client here shares: who we are, how long we wait, whom we trust, what an error means."""

import html
import http
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry, Timeout, make_headers

from tcia_xnat import __version__
from tcia_xnat.errors import SourceUnreachable

USER_AGENT = f"xnat-tcia-download/{__version__}"  # no browser's name: XNAT and NBIA treat those otherwise
CONNECT_SECONDS = 15.0
SILENT_SECONDS = 300.0  # NBIA's first byte comes only after access check, licence and file list (§3.1)
_CONNECTIONS = 32
REDIRECTS = 3  # that are followed one after the other
_REDIRECTS = {301, 302, 303, 307, 308}
_LATER = {408, 425, 429}
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SHOWN = 200  # characters of an error body that go into a message
_BROKE_OFF = {  # what the libraries call it, and what it is
    "RemoteDisconnected": "the connection was closed without an answer",
    "IncompleteRead": "the answer ended too early",
    "InvalidChunkLength": "the answer ended too early",
    "TimeoutError": "no answer in time",
}


def session() -> requests.Session:
    """Return a session with room for all lanes, which sends no credentials on its own account."""
    made = requests.Session()
    made.headers["User-Agent"] = USER_AGENT
    made.auth = _no_credentials  # otherwise requests takes them from netrc
    made.verify = certificates()
    adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def pool(url: str, read_seconds: float) -> urllib3.PoolManager:
    """Return a connection pool for many small objects below `url`, through the environment's proxy if it has one."""
    trusted = certificates()
    options: dict[str, Any] = {
        "maxsize": _CONNECTIONS,
        "num_pools": 4,
        "timeout": Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        "retries": Retry(total=False, redirect=False),
        "ca_cert_dir" if Path(trusted).is_dir() else "ca_certs": trusted,
        "headers": {"User-Agent": USER_AGENT},
    }
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if proxy is None:
        return urllib3.PoolManager(**options)
    secret = requests.utils.get_auth_from_url(proxy)
    headers = make_headers(proxy_basic_auth=":".join(secret)) if any(secret) else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def certificates() -> str:
    """File or folder of the certificate authorities we trust: the environment's choice, else those of certifi."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    return next(filter(None, named), certifi.where())


def is_later(status: int) -> bool:
    """Whether a status says "not now" rather than "no"."""
    return status in _LATER or status >= requests.codes.server_error


def redirected(url: str, status: int, location: str | None) -> str | None:
    """Return where a download may follow a redirect to: by https, on the same site; None anywhere else."""
    target = urljoin(url, location or "")
    here, there = urlsplit(url).hostname or "", urlsplit(target)
    is_ours = there.scheme == "https" and _site(there.hostname or "") == _site(here)
    return target if status in _REDIRECTS and location and is_ours else None


def _site(host: str) -> str:
    """Return what the hosts of one site have in common: their last two labels; all of an IP address."""
    labels = host.lower().rsplit(".", 2)
    return host if labels[-1].isdigit() or ":" in host else ".".join(labels[-2:])


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date; None when there is none or it is none."""
    try:
        return Retry().parse_retry_after(value) if value else None
    except urllib3.exceptions.InvalidHeader:
        return None


def unreachable(server: str, error: Exception) -> SourceUnreachable:
    """Turn a failed connection into one of our errors."""
    return SourceUnreachable(
        f"{server} cannot be reached or broke off: {innermost(error)}",
        "look at the network and the proxy, then run the same command again: it continues",
    )


def innermost(error: BaseException) -> str:
    """Say what lies at the bottom of a chain of errors, in the system's words or in ours where there are any."""
    chain = [error]
    while deeper := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(deeper)
    return next(filter(None, map(_in_words, reversed(chain))), type(chain[-1]).__name__)


def _in_words(error: BaseException) -> str:
    told = error.strerror if isinstance(error, OSError) else ""
    return told or _BROKE_OFF.get(type(error).__name__, "")


def shown(body: str) -> str:
    """Shorten an error body to one readable line; of a page or document, its text, the title not twice."""
    text = _page_text(body) if body.lstrip().startswith("<") else body
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rsplit(' ', 1)[0]} …"


def _page_text(page: str) -> str:
    title, rest = (_plain(part) for part in (" ".join(_TITLE.findall(page)), _TITLE.sub("", page)))
    return rest if title in rest else f"{title} {rest}"


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub(" ", markup)).split())


def with_words(told: str, words: str) -> str:
    """Add what a server said, after a colon; nothing if it said nothing."""
    return f"{told}: {words}" if words else told


def answered(server: str, status: int, said: str) -> str:
    """Say what a server answered, its status once; an answer without words has those of its status."""
    words = re.sub(rf"^(HTTP Status )?{status}\b\W*(Message )?", "", said)
    return with_words(f"{server} answered {status}", words or _phrase(status))


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:  # a proxy's own number
        return ""


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
