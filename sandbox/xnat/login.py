"""The filter before everything: who is it, may this be asked without a login, and which cookies go back."""

import base64
import binascii
import re
from contextlib import nullcontext

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.xnat import answers
from sandbox.xnat.accounts import GUEST, LOGIN_FAILURE, Accounts, HttpSession, LoginFailed
from sandbox.xnat.settings import Settings

_BROWSER = re.compile(r"MSIE|Mozilla|AppleWebKit|Opera")
_DATA = re.compile(r"/(xapi|data|fs)(/|$)")
_OPEN = re.compile(
    r"/data/JSESSION|/data/services/auth|/app/template/Login\.vm"
    r"|/xapi/siteConfig/(buildInfo|siteHome|siteId|siteLogoPath|siteUrl)"
)
_BASIC = "basic "
_EXPIRED = "Your password has expired. Please try again after changing your password."
Credentials = tuple[str, str]


class Login:
    """An application around another one, which only lets in who may come in (xnat-http.md §1).

    The request's user is in `scope["user"]`, its session in `scope["http_session"]`.
    """

    def __init__(self, application: ASGIApp, accounts: Accounts, settings: Settings) -> None:
        self._application, self._accounts, self._settings = application, accounts, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        request = Request(scope)
        known = self._accounts.session(request.cookies.get("JSESSIONID"))
        try:
            session = self._session(request, known)
        except LoginFailed:
            refused = answers.tomcat_page(401, LOGIN_FAILURE, self._challenge())
            scope["http_session"] = known
            await refused(scope, receive, self._with_cookies(scope, send, known))
            return
        scope["http_session"] = session
        scope["user"] = (session.user if session else None) or GUEST
        answer = self._refusal(request, session) or self._application
        with self._accounts.used(session) if session else nullcontext():
            await answer(scope, receive, self._with_cookies(scope, send, known))

    def _session(self, request: Request, known: HttpSession | None) -> HttpSession | None:
        """Return the session of the request: the cookie's, a new one for its credentials, or an anonymous one."""
        credentials = _basic(request.headers.get("Authorization", ""))
        if credentials and not (known and self._accounts.belongs_to(known, credentials[0])):
            return self._accounts.log_in(*credentials)
        if known or credentials:
            return known
        may_be_anonymous = _OPEN.fullmatch(request.url.path) or not self._settings.require_login
        return self._accounts.open_anonymous() if may_be_anonymous else None

    def _refusal(self, request: Request, session: HttpSession | None) -> Response | None:
        path = request.url.path
        if not self._settings.initialized:
            return answers.tomcat_page(403, "Site has not yet been configured.")
        user = session.user if session else None
        if user and self._accounts.has_expired_password(user) and not _OPEN.fullmatch(path):
            return answers.tomcat_page(403, _EXPIRED)
        if user or not self._settings.require_login or _OPEN.fullmatch(path):
            return None
        if _DATA.match(path) and not _BROWSER.search(request.headers.get("User-Agent", "")):
            return answers.tomcat_page(401, "Full authentication is required.", self._challenge())
        return RedirectResponse(f"{self._settings.context_path}/app/template/Login.vm", 302)

    def _challenge(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Basic realm="{self._settings.site_id}"'}

    def _with_cookies(self, scope: Scope, send: Send, known: HttpSession | None) -> Send:
        """Add the cookies to an answer; that of the session only when the client does not have it yet."""
        now, timeout = int(self._settings.clock.now() * 1000), int(self._settings.session_timeout * 1000)
        path = self._settings.context_path or "/"
        is_https = self._settings.site_url.startswith("https")
        secure = "; Secure" if is_https and not self._settings.allow_insecure_cookies else ""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                session: HttpSession | None = scope["http_session"]  # a login has put its own here
                if session and session is not known:
                    headers.append("Set-Cookie", f"JSESSIONID={session.id}; Path={path}{secure}; HttpOnly")
                headers.append("Set-Cookie", f'SESSION_EXPIRATION_TIME="{now},{timeout}"; Path={path}{secure}')
            await send(message)

        return sent


def _basic(header: str) -> Credentials | None:
    if not header.lower().startswith(_BASIC):
        return None
    try:
        name, colon, password = base64.b64decode(header[len(_BASIC) :]).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, password) if colon else ("", "")
