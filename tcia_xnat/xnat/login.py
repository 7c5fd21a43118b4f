"""Logging in to XNAT (xnat-http.md §1, §2.6): by ourselves, so that credentials go where the user said; then xnatpy."""

import base64
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests

from tcia_xnat import web
from tcia_xnat.core import limits
from tcia_xnat.core.errors import LoginRefused, XnatUnreachable
from tcia_xnat.web.failures import explain
from tcia_xnat.web.session import Session
from tcia_xnat.xnat.address import WHO, find_site, no_xnat, redirected_away
from tcia_xnat.xnat.answers import answer_of

if TYPE_CHECKING:
    import xnat.session

ANSWER_SECONDS = 300.0
_PILOT_SECONDS = 30.0
_LOGOUT_SECONDS = 1.0
_TIMEOUT = (web.CONNECT_SECONDS, _PILOT_SECONDS)
_COOKIE = "JSESSIONID"
_LOOK = "see that XNAT_HOST is right and XNAT up, then run the same command again"
_VERBOSE = 15  # a level of xnatpy's own

_LOGGER = logging.getLogger(__name__)


class _Xnatpy(logging.Logger):
    """A logger that keeps xnatpy's own messages out of our output."""

    def verbose(self, message: str, *values: object) -> None:
        """Log at xnatpy's own level, which it adds to all loggers when it logs in by itself."""
        self.log(_VERBOSE, message, *values)


def log_in(host: str, user: str, password: str) -> "xnat.session.XNATSession":
    """Log in by name and password, or by an alias token and its secret.

    xnatpy's own `connect` follows redirects to any host before and while it sends the password.

    Raises
    ------
    LoginRefused, XnatUnreachable
    """
    session = Session(limits.XNAT_ANSWER)
    try:
        site = find_site(session, host, _TIMEOUT)
        session.cookies.clear()  # those of nobody
        session_id = _session_id(session, site, user, password)
        _let_cookies_go_to(site, session)
        _read_environment_once(session, site)
        return _connection(session, site, host, session_id)
    except requests.RequestException as error:
        session.close()
        raise unreachable(host, error) from error
    except BaseException:
        session.close()
        raise


def log_out(connection: "xnat.session.XNATSession") -> None:
    """Close the session, which XNAT counts; nothing is lost when that fails."""
    connection.request_timeout = _LOGOUT_SECONDS
    try:
        connection.disconnect()
    except Exception:  # whatever the reason
        _LOGGER.debug("the logout failed", exc_info=True)


def unreachable(host: str, error: Exception) -> XnatUnreachable:
    """Turn a failed connection into one of our errors."""
    failure = explain(host, error)
    return XnatUnreachable(f"XNAT at {host} cannot be reached or broke off: {failure.reason}", failure.hint or _LOOK)


def _session_id(session: Session, site: str, user: str, password: str) -> str:
    """Send the credentials, to the site and nowhere else; return the session that they open.

    Raises
    ------
    LoginRefused, XnatUnreachable
    """
    response = session.get(site + WHO, auth=_basic(user, password), timeout=_TIMEOUT)
    answer = answer_of(response)
    if answer.status in {requests.codes.unauthorized, requests.codes.forbidden}:
        raise _refused(answer.reason)
    if response.is_redirect:
        raise redirected_away(site, answer.location)
    if answer.status == requests.codes.not_found or answer.is_web_page:
        raise no_xnat(site, response)
    if answer.status != requests.codes.ok:
        told = web.answered(f"XNAT at {site}", answer.status, answer.reason)
        raise XnatUnreachable(told, _LOOK, retry_after=answer.retry_after)
    session_id = next((cookie.value for cookie in response.cookies if cookie.name == _COOKIE), None)
    if not session_id:
        raise no_xnat(site, response)
    return session_id


def _let_cookies_go_to(site: str, session: Session) -> None:
    """Send the cookies of a login back where it was made.

    An https site marks them Secure, also for a client inside that was told to speak plain http (§1.2). requests copies
    cookies without the policy of their jar, so it is the cookies that must say it.
    """
    for cookie in session.cookies if site.startswith("http://") else ():
        cookie.secure = False


def _basic(user: str, password: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what signs one request: XNAT reads UTF-8, while requests would write Latin-1."""
    secret = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode()

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Basic {secret}"
        return request

    return sign


def _refused(reason: str) -> LoginRefused:
    return LoginRefused(
        web.with_words("XNAT refuses the login", web.shown(reason)),
        "correct XNAT_USER and XNAT_PASS, or close other sessions of this user, then run the same command again",
    )


def _connection(session: Session, site: str, host: str, session_id: str) -> "xnat.session.XNATSession":
    """Return xnatpy's connection over a session that is logged in, without its model (§2.6)."""
    import xnat.exceptions  # noqa: PLC0415  0.3 s and 100 MB that --help and --dry-run without XNAT need not pay

    from tcia_xnat.xnat.xnatpy import Connection  # noqa: PLC0415  with it

    logger = _Xnatpy("xnatpy")
    logger.addHandler(logging.NullHandler())
    try:
        connection = Connection(
            server=site,
            logger=logger,
            interface=session,
            original_uri=host,
            default_timeout=ANSWER_SECONDS,
            jsession=session_id,
        )
    except xnat.exceptions.XNATResponseError as error:  # to its first heartbeat
        raise XnatUnreachable(
            f"XNAT at {site} accepts the login and then breaks off: {web.shown(str(error))}", _LOOK
        ) from error
    connection.skip_response_check = True  # statuses are judged in one place, `answers`
    return connection


def _read_environment_once(session: requests.Session, host: str) -> None:
    """Keep the proxy and the certificates of the environment, which requests would read again for each request."""
    found = session.merge_environment_settings(host, {}, None, None, None)
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
