"""One login to XNAT, through xnatpy: renewed when XNAT forgets it, patient when XNAT is away (xnat-http.md §1, §16)."""

import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import requests

from tcia_xnat import web
from tcia_xnat.core.errors import Error, LoginRefused, XnatError, XnatUnreachable
from tcia_xnat.core.retry import Patience
from tcia_xnat.xnat import tokens
from tcia_xnat.xnat.answers import OK, Answer, Row, answer_of, refusal, table
from tcia_xnat.xnat.login import ANSWER_SECONDS, log_in, log_out, unreachable

if TYPE_CHECKING:
    import xnat.session

MAX_OUTAGE = 600.0
_CLOSE_OTHERS = "close other sessions of this user in XNAT, or wait until they end; then run the same command again"
_PROBE_TIMEOUT = 30.0
_PROBE_SECONDS = (0.5, 30.0)  # between two looks whether XNAT is back, first and last

_LOGGER = logging.getLogger(__name__)


class Body(Protocol):
    """What can be sent more than once, with its length known before."""

    def __len__(self) -> int:
        """Return the number of bytes."""
        ...


class XnatConnection:
    """A login that lasts: opened once, renewed when XNAT forgets it, closed at the end.

    Several threads may ask at once. A login by alias token is replaced by a token of our own, and that one by the
    next before it is too old (§1.11).

    Parameters
    ----------
    host
        Address of XNAT, with its context path if it has one.
    user, password
        A name and password, or an alias token and its secret.
    patience
        How often and how long XNAT is asked again.
    max_outage
        Seconds that an XNAT which does not answer at all is waited for.

    Attributes
    ----------
    patience
        The same, which also waits while XNAT is away: an outage uses up one try, not all.

    Raises
    ------
    LoginRefused, XnatUnreachable
    """

    def __init__(self, host: str, user: str, password: str, patience: Patience, max_outage: float = MAX_OUTAGE) -> None:
        self.host = host.rstrip("/")
        self.patience = replace(patience, outlast=self._outlast)
        self._credentials = (user, password)
        self._max_outage = max_outage
        self._renewing, self._probing = threading.Lock(), threading.Lock()
        self._logins = 0
        self._refused: LoginRefused | None = None
        self._retired: list[xnat.session.XNATSession] = []
        self._connection = self._login()
        self._keeper = tokens.Keeper(self._new_token) if tokens.is_alias(user) else None

    def ask(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Body | bytes | None = None,
        content_type: str = "",
        seconds: float = ANSWER_SECONDS,
        accepted: Collection[int] = OK,
    ) -> Answer:
        """Ask XNAT once; a second time, with a new login, when it has forgotten the old one.

        Parameters
        ----------
        path
            From `/data` or `/xapi` on; parameters go into `query` (§0.4).
        seconds
            How long XNAT may stay silent.
        accepted
            Statuses that are answers; any other one is raised.

        Raises
        ------
        XnatUnreachable
            No connection, or it broke off: whether XNAT acted is then unknown.
        LoginRefused
        XnatError
            See `refusal`.
        """
        options: dict[str, Any] = {"query": dict(query or {}), "timeout": (web.CONNECT_SECONDS, seconds)}
        if body is not None:
            options |= {"data": body, "headers": {"Content-Type": content_type}}
        logins = self._logins
        answer = self._send(method, path, options)
        if answer.is_logged_out:
            self._renew(logins)
            answer = self._send(method, path, options)
        if answer.is_web_page:
            raise XnatUnreachable(web.with_words("XNAT, or a proxy before it, answers with a web page", answer.reason))
        if answer.is_logged_out:
            raise LoginRefused(web.with_words("XNAT forgets the login at once", answer.reason), _CLOSE_OTHERS)
        if answer.status not in accepted:
            raise refusal(answer)
        return answer

    def rows(self, path: str, query: Mapping[str, str] | None = None) -> list[Row]:
        """Ask for a JSON table, as often as patience allows.

        Raises
        ------
        XnatError
            See `ask`.
        """
        wanted = {"format": "json", **(query or {})}
        return self.patience.call(lambda: table(self.ask("GET", path, wanted)))

    def close(self) -> None:
        """Log out: XNAT counts sessions that nobody closes (§1.6)."""
        if self._keeper:
            self._keeper.close()
        for connection in (*self._retired, self._connection):
            log_out(connection)

    def _send(self, method: str, path: str, options: Mapping[str, Any]) -> Answer:
        try:
            response = getattr(self._connection, method.lower())(path, **options)
        except requests.RequestException as error:
            raise unreachable(self.host, error) from error
        return answer_of(response)

    # outages

    def is_away(self) -> bool:
        """Whether XNAT answers nothing at all, or only that it cannot."""
        return self._away() is not None

    def _outlast(self, error: Error) -> None:
        """Wait until XNAT answers again; one thread looks, the others wait for it."""
        if not isinstance(error, XnatUnreachable):
            return
        with self._probing:
            gone, pause = time.monotonic(), _PROBE_SECONDS[0]
            while away := self._away():
                if time.monotonic() - gone >= self._max_outage:
                    raise XnatUnreachable(
                        f"{away}; waited {self._max_outage:.0f} s for it to come back",
                        "run the same command again when XNAT answers: it continues",
                    )
                self.patience.on_retry(away, pause)
                self.patience.wait(pause)
                pause = min(2 * pause, _PROBE_SECONDS[1])

    def _away(self) -> Error | None:
        """Return what keeps XNAT from answering; None when it does answer."""
        try:
            answer = self._send("GET", "/data/auth", {"timeout": (web.CONNECT_SECONDS, _PROBE_TIMEOUT)})
        except XnatUnreachable as error:
            return error
        except Exception:  # a login that is being renewed by another thread has no connection for a moment
            _LOGGER.debug("the probe failed", exc_info=True)
            return XnatUnreachable(f"XNAT at {self.host} is not ready")
        return refusal(answer) if web.is_later(answer.status) else None

    # logins

    def _renew(self, logins: int) -> None:
        """Log in again, once for all threads; a refusal is final, as XNAT locks users out who try on (§1.14)."""
        with self._renewing:
            if self._refused:
                raise LoginRefused(str(self._refused), self._refused.hint)
            if self._logins != logins:
                return  # another thread was first
            try:
                renewed = self._login()
            except LoginRefused as error:
                self._refused = error
                raise
            self._connection.keepalive = False
            self._retired.append(self._connection)  # other threads may still be asking through it
            self._connection = renewed

    def _login(self) -> "xnat.session.XNATSession":
        connection = log_in(self.host, *self._credentials)
        self._logins += 1
        return connection

    def _new_token(self) -> float:
        """Replace the credentials by a new token; return its life in seconds."""
        try:
            token = tokens.parse(self.ask("GET", tokens.ISSUE).text)
        except XnatError as error:
            _LOGGER.info("XNAT issued no token: %s", error)
            return 0.0
        self._credentials = (token.alias, token.secret)
        return token.seconds
