"""Logging in to XNAT through xnatpy (xnat-http.md §1, §2.6)."""

import logging
import os
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter

from tcia_xnat.clients import web
from tcia_xnat.errors import LoginRefused, XnatUnreachable
from tcia_xnat.xnat.answers import Answer

if TYPE_CHECKING:
    import xnat.session

ANSWER_SECONDS = 300.0
_PILOT_SECONDS = 30.0
_LOGOUT_SECONDS = 1.0
_CONNECTIONS = 32
_LOOK = "see that XNAT_HOST is right and XNAT up, then run the same command again"

_LOGGER = logging.getLogger(__name__)


def log_in(host: str, user: str, password: str) -> "xnat.session.XNATSession":
    """Log in by name and password, or by an alias token and its secret.

    Raises
    ------
    LoginRefused, XnatUnreachable
    """
    import xnat  # noqa: PLC0415  0.3 s and 100 MB that --help and --dry-run without XNAT need not pay
    import xnat.exceptions  # noqa: PLC0415  with it

    os.environ.setdefault("REQUESTS_CA_BUNDLE", web.certificates())  # xnatpy's session heeds no SSL_CERT_FILE
    try:
        session_id = _session_id(host, user, password)
        connection = xnat.connect(
            host,
            user=None if session_id else user,
            password=None if session_id else password,
            jsession=session_id,
            no_parse_model=True,  # §2.6: the model costs dozens of requests and is rebuilt at each login
            logger=_xnatpy_logger(),
            default_timeout=ANSWER_SECONDS,
            pilot_timeout=_PILOT_SECONDS,
        )
    except (xnat.exceptions.XNATConnectionError, requests.RequestException) as error:
        raise unreachable(host, error) from error
    except xnat.exceptions.XNATAuthError as error:
        raise _refused(str(error)) from error
    return _prepared(connection, host)


def log_out(connection: "xnat.session.XNATSession") -> None:
    """Close the session, which XNAT counts; nothing is lost when that fails."""
    connection.request_timeout = _LOGOUT_SECONDS
    try:
        connection.disconnect()
    except Exception:  # whatever the reason
        _LOGGER.debug("the logout failed", exc_info=True)


def unreachable(host: str, error: Exception) -> XnatUnreachable:
    """Turn a failed connection into one of our errors."""
    return XnatUnreachable(f"XNAT at {host} cannot be reached or broke off: {web.innermost(error)}", _LOOK)


def _session_id(host: str, user: str, password: str) -> str | None:
    """Log in on plain http, where no cookie jar sends back a cookie that an https site marks Secure (§1.2).

    Returns None where xnatpy can do it by itself: on https, and where http leads to https.
    """
    if not host.startswith("http://"):
        return None
    with web.session() as session:
        timeout = (web.CONNECT_SECONDS, _PILOT_SECONDS)
        if session.get(host, allow_redirects=False, timeout=timeout).headers.get("Location", "").startswith("https:"):
            return None
        login = f"{host}/data/auth"
        answer = session.get(login, auth=(user, password), allow_redirects=False, timeout=timeout)
    if answer.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
        raise _refused(Answer(answer.status_code, answer.text).reason)
    if answer.status_code != requests.codes.ok:
        told = web.answered(f"XNAT at {host}", answer.status_code, Answer(answer.status_code, answer.text).reason)
        raise XnatUnreachable(told, _LOOK)
    return answer.cookies.get("JSESSIONID")


def _refused(reason: str) -> LoginRefused:
    return LoginRefused(
        web.with_words("XNAT refuses the login", web.shown(reason)),
        "mend XNAT_USER and XNAT_PASS, or close other sessions of this user, then run the same command again",
    )


def _prepared(connection: "xnat.session.XNATSession", host: str) -> "xnat.session.XNATSession":
    connection.skip_response_check = True  # statuses are judged in one place, `answers`
    connection.interface.max_redirects = 0  # a redirect names the site's address, which a job may not reach (§8.1)
    _read_environment_once(connection.interface, host)
    adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
    connection.interface.mount("http://", adapter)
    connection.interface.mount("https://", adapter)
    return connection


def _read_environment_once(session: requests.Session, host: str) -> None:
    """Keep the proxy and the certificates of the environment, which requests would read again for each request."""
    found = session.merge_environment_settings(host, {}, None, None, None)
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False


def _xnatpy_logger() -> logging.Logger:
    """Return a logger that keeps xnatpy's own messages out of our output."""
    logger = logging.getLogger("xnatpy")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
