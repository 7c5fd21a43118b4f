"""Where XNAT is: redirects are judged before any credential is sent, and lead to the named host or nowhere."""

import re
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from tcia_xnat import web
from tcia_xnat.core.errors import LoginRefused, XnatUnreachable
from tcia_xnat.web.session import Session

WHO = "/data/auth"
"""Says who asks; it answers also those who are nobody, and redirects them nowhere (xnat-http.md §1.3)."""

_PAGE_OF_XNAT = re.compile(r"(.*?)/(?:app|data|xapi)(?:/.*)?")
_NO_XNAT = "see that XNAT_HOST is the address of the XNAT itself, as https://xnat.example.org"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def find_site(session: Session, host: str, timeout: tuple[float, float], left: int = web.REDIRECTS) -> str:
    """Return the address at which the XNAT of `host` answers; no credential is sent.

    http that leads to https of the same host becomes https, and a site below a path is found from its root.

    Raises
    ------
    LoginRefused
        The address leads to another host, or from https to http.
    XnatUnreachable
        It belongs to no XNAT.
    requests.RequestException
    """
    answer = _look(session, host + WHO, timeout)
    if answer.status_code == requests.codes.not_found and not answer.is_redirect:
        answer = _look(session, host + "/", timeout)
        if not answer.is_redirect:
            raise no_xnat(host, answer)
    if not answer.is_redirect:
        return host
    site = next_site(host, answer.url, answer.headers["Location"])
    if site == host:
        return host  # its own login page
    if not left:
        raise XnatUnreachable(f"{host} redirects without an end", _NO_XNAT)
    return find_site(session, site, timeout, left - 1)


def next_site(host: str, asked: str, location: str) -> str:
    """Return the address of the site that a redirect points to.

    Raises
    ------
    LoginRefused
        It is not on the host that was named, or is less safe than what was named.
    """
    try:
        target = urlsplit(urljoin(asked, location))
        is_same = _may_follow(urlsplit(host), target)
    except ValueError:
        is_same, target = False, urlsplit("")
    if not is_same:
        raise redirected_away(host, location)
    found = _PAGE_OF_XNAT.fullmatch(target.path)
    path = found[1] if found else target.path
    return f"{target.scheme}://{target.netloc}{path}".rstrip("/")


def redirected_away(host: str, location: str) -> LoginRefused:
    """Return the error that names where `host` leads; nothing was sent there."""
    shown = _without_query(location)
    return LoginRefused(
        f"XNAT at {host} redirects to {shown}: nothing was sent there",
        "if that is the right address of your XNAT, put it into XNAT_HOST",
    )


def no_xnat(host: str, answer: requests.Response) -> XnatUnreachable:
    """Return the error that says that something else than XNAT answers."""
    if urlsplit(host).path.strip("/"):
        return XnatUnreachable(
            f"{host} answered {answer.status_code}: this address is not an XNAT",
            f"leave the path out: {urlsplit(host).scheme}://{urlsplit(host).netloc}",
        )
    what = "a web page" if answer.status_code == requests.codes.ok else str(answer.status_code)
    return XnatUnreachable(f"{host} answered {what}: this address is not an XNAT", _NO_XNAT)


def _look(session: Session, url: str, timeout: tuple[float, float]) -> requests.Response:
    return session.get(url, timeout=timeout, auth=_nobody)


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _may_follow(named: SplitResult, target: SplitResult) -> bool:
    """Whether a target is the host that was named: another port only together with the step from http to https."""
    if target.username or target.password or (named.hostname or "") != (target.hostname or ""):
        return False
    if (named.scheme, target.scheme) == ("http", "https"):
        return True
    return named.scheme == target.scheme and _port(named) == _port(target)


def _port(address: SplitResult) -> int | None:
    return address.port or _DEFAULT_PORTS.get(address.scheme)


def _without_query(location: str) -> str:
    """Return an address without what may be a ticket or a password in it."""
    return web.shown(re.sub(r"//[^/@]*@", "//", location.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0]))
