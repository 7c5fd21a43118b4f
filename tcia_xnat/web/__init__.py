"""What every HTTP client here shares: who we are, how long we wait, whom we trust, what an error means."""

import html
import http
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.util import Retry, Timeout, make_headers

from tcia_xnat.web.environment import certificates, proxy_of
from tcia_xnat.web.session import CONNECTIONS, USER_AGENT

CONNECT_SECONDS = 15.0
SILENT_SECONDS = 300.0  # NBIA checks access, licence and files before the first byte (tcia-nbia-and-idc.md §3.1)
REDIRECTS = 3  # that are followed one after the other
_REDIRECTS = {301, 302, 303, 307, 308}
_LATER = {408, 425, 429}
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SHOWN = 200  # characters of an error body that go into a message
_READ = 1 << 13  # characters of it that are looked at: the patterns above take quadratic time on a hostile page


def pool(url: str, read_seconds: float) -> urllib3.PoolManager:
    """Return a connection pool for many small objects below `url`, through the environment's proxy if it has one."""
    trusted = certificates()
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "num_pools": 4,
        "timeout": Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        "retries": Retry(total=False, redirect=False),
        "ca_cert_dir" if Path(trusted).is_dir() else "ca_certs": trusted,
        "headers": {"User-Agent": USER_AGENT},
    }
    proxy = proxy_of(url)
    if proxy is None:
        return urllib3.PoolManager(**options)
    if proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415  it needs PySocks, which few have

        return SOCKSProxyManager(proxy, **options)
    secret = requests.utils.get_auth_from_url(proxy)
    headers = make_headers(proxy_basic_auth=":".join(secret)) if any(secret) else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def is_later(status: int) -> bool:
    """Whether a status says "not now" rather than "no"."""
    return status in _LATER or status >= requests.codes.server_error


def redirected(url: str, status: int, location: str | None) -> str | None:
    """Return where a download may follow a redirect to: by https, on the same site; None anywhere else."""
    try:
        target = urljoin(url, location or "")
        here, there = urlsplit(url).hostname or "", urlsplit(target)
    except ValueError:  # no address at all
        return None
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
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):  # a number of 5,000 digits, the year 99999
        return None


def shown(body: str) -> str:
    """Shorten an error body to one readable line; of a page or document, its text, the title not twice."""
    body = body[:_READ]
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
