"""One login to XNAT, through xnatpy, and what its answers mean (xnat-http.md §1, §13.8, §16)."""

import html
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import requests
from requests.adapters import HTTPAdapter

from tcia_xnat.clients import web
from tcia_xnat.errors import (
    ArchiveConflict,
    LoginRefused,
    RightsRefused,
    XnatBusy,
    XnatError,
    XnatRefused,
    XnatUnreachable,
)

if TYPE_CHECKING:
    import xnat.session

ANSWER_SECONDS = 300.0
_PILOT_SECONDS = 30.0
_CONNECTIONS = 32
_HEADING = re.compile(r"<h3>(.*?)</h3>", re.DOTALL)
_LOGIN_PAGE = re.compile(r"/app/template/Login\.vm|name=\"form1\"[^>]*login", re.IGNORECASE)
_BUSY_TEXTS = (
    "already in progress",
    "document locked",
    "is locked",
    "concurrent file sends",
    "duplicate archive attempt",
)

_LOGGER = logging.getLogger(__name__)


class Body(Protocol):
    """What can be sent more than once, with its length known before."""

    def __len__(self) -> int:
        """Return the number of bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What XNAT said: status, body, and where a redirect that nobody followed points to."""

    status: int
    text: str
    location: str = ""

    @property
    def reason(self) -> str:
        """The message of an error page, or the body, as one line."""
        found = _HEADING.search(self.text)
        return web.shown(html.unescape(found.group(1) if found else self.text))


class XnatConnection:
    """A login that lasts: opened once, renewed once when XNAT forgets it, closed at the end.

    Several threads may ask at once.

    Parameters
    ----------
    host
        Address of XNAT, with its context path if it has one.
    user, password
        A name and password, or an alias token and its secret.

    Raises
    ------
    LoginRefused, XnatUnreachable
    """

    def __init__(self, host: str, user: str, password: str) -> None:
        self.host = host.rstrip("/")
        self._credentials = (user, password)
        self._renewing = threading.Lock()
        self._logins = 0
        self._connection = self._login()

    def ask(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Body | bytes | None = None,
        content_type: str = "",
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Ask XNAT and return its answer, whatever its status; one new login when the old one is forgotten.

        Parameters
        ----------
        path
            From `/data` or `/xapi` on; parameters go into `query` (§0.4).
        seconds
            How long XNAT may stay silent.

        Raises
        ------
        XnatUnreachable
            No connection, or it broke off: whether XNAT acted is then unknown.
        LoginRefused
        """
        options: dict[str, Any] = {"query": dict(query or {}), "timeout": (web.CONNECT_SECONDS, seconds)}
        if body is not None:
            options |= {"data": body, "headers": {"Content-Type": content_type}}
        logins = self._logins
        answer = self._send(method, path, options)
        if not _is_logged_out(answer):
            return answer
        self._renew(logins)
        answer = self._send(method, path, options)
        if _is_logged_out(answer):
            raise LoginRefused(f"XNAT forgets the login at once: {answer.reason}", "is the number of sessions used up?")
        return answer

    def expect(self, method: str, path: str, query: Mapping[str, str] | None = None, **options: Any) -> Answer:  # noqa: ANN401  as `ask` takes them
        """Ask, and raise what any status but 200 and 201 means.

        Raises
        ------
        XnatError
            See `refusal`.
        """
        answer = self.ask(method, path, query, **options)
        if answer.status not in {200, 201}:
            raise refusal(answer)
        return answer

    def close(self) -> None:
        """Log out: XNAT counts sessions that nobody closes (§1.6)."""
        _quietly(self._connection.disconnect)

    def _send(self, method: str, path: str, options: Mapping[str, Any]) -> Answer:
        try:
            response = getattr(self._connection, method.lower())(path, **options)
        except requests.TooManyRedirects as error:
            if error.response is None:
                raise
            response = error.response
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        return Answer(response.status_code, response.text, response.headers.get("Location", ""))

    def _unreachable(self, error: Exception) -> XnatUnreachable:
        return XnatUnreachable(
            f"XNAT at {self.host} cannot be reached or broke off: {web.innermost(error)}",
            "check XNAT_HOST and that XNAT is up",
        )

    def _renew(self, logins: int) -> None:
        with self._renewing:
            if self._logins == logins:  # else another thread was first
                _LOGGER.info("XNAT has forgotten the login; logging in again")
                _quietly(self._connection.disconnect)
                self._connection = self._login()

    def _login(self) -> "xnat.session.XNATSession":
        import xnat  # noqa: PLC0415  0.3 s and 100 MB that --help and --dry-run without XNAT need not pay
        import xnat.exceptions  # noqa: PLC0415  with it

        user, password = self._credentials
        try:
            connection = xnat.connect(
                self.host,
                user=user,
                password=password,
                no_parse_model=True,  # §2.6: the model costs dozens of requests and is rebuilt at each login
                logger=_xnatpy_logger(),
                default_timeout=ANSWER_SECONDS,
                pilot_timeout=_PILOT_SECONDS,
            )
        except xnat.exceptions.XNATConnectionError as error:
            raise self._unreachable(error) from error
        except xnat.exceptions.XNATAuthError as error:
            raise LoginRefused(
                f"XNAT refuses the login: {web.shown(str(error))}", "check user, password and sessions"
            ) from error
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        self._logins += 1
        return _prepared(connection)


def refusal(answer: Answer) -> XnatError:
    """Say what an answer that is no success means (§13.8): the text decides where the status does not."""
    status, reason = answer.status, answer.reason
    said = f"XNAT answered {status}: {reason}"
    if any(text in reason.lower() for text in _BUSY_TEXTS) or status == requests.codes.locked:
        return XnatBusy(said)
    if status == requests.codes.forbidden:
        return RightsRefused(said, "the user needs to be a member or owner of the project")
    if status == requests.codes.conflict or "FAILED:" in reason:
        return ArchiveConflict(said)
    if status == requests.codes.request_entity_too_large:
        return XnatRefused(said, "the proxy in front of XNAT limits uploads (nginx: client_max_body_size 0)")
    if web.is_later(status):
        return XnatUnreachable(said)
    return XnatRefused(said)


def _is_logged_out(answer: Answer) -> bool:
    """Whether the answer is one to nobody: 401, or the way to the login page (§1.8)."""
    is_redirect = 300 <= answer.status < 400  # noqa: PLR2004  HTTP's own classes
    return answer.status == requests.codes.unauthorized or (is_redirect and bool(_LOGIN_PAGE.search(answer.location)))


def _prepared(connection: "xnat.session.XNATSession") -> "xnat.session.XNATSession":
    connection.skip_response_check = True  # statuses are judged here, in one place
    connection.interface.max_redirects = 0  # a redirect names the site's address, which a job may not reach (§8.1)
    adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
    connection.interface.mount("http://", adapter)
    connection.interface.mount("https://", adapter)
    return connection


def _xnatpy_logger() -> logging.Logger:
    """Return a logger that keeps xnatpy's own messages out of our output."""
    logger = logging.getLogger("xnatpy")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:  # nothing is lost when a logout fails, whatever the reason
        _LOGGER.debug("the logout failed", exc_info=True)
