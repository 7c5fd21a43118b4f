"""Pages around logging in: auth, JSESSION, tokens (xnat-http.md §1)."""

import uuid
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import Accounts, LoginFailed
from sandbox.xnat.answers import Refused
from sandbox.xnat.settings import Settings


class LoginPages:
    """What is asked about logins."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts, self._settings = accounts, settings

    def home(self, _request: Request) -> Response:
        """Show the home page."""
        return HTMLResponse("<!DOCTYPE html><html><head><title>XNAT</title></head><body>XNAT</body></html>")

    def login_page(self, _request: Request) -> Response:
        """Show the form that browsers see."""
        form = f'<form name="form1" method="post" action="{self._settings.context_path}/login"></form>'
        return HTMLResponse(f"<!DOCTYPE html><html><head><title>XNAT Login</title></head><body>{form}</body></html>")

    def auth(self, request: Request) -> Response:
        """Tell who is logged in (§1.4)."""
        return answers.text(f"User '{request.user.name}' is logged in")

    def jsession(self, request: Request) -> Response:
        """Tell the id of the session, also of an anonymous one (§1.3)."""
        csrf = f"; XNAT_CSRF={uuid.uuid4()}" if request.query_params.get("CSRF") == "true" else ""
        return answers.text(f"{request.scope['http_session'].id}{csrf}")

    def end_session(self, request: Request) -> Response:
        """End the session."""
        self._accounts.end(request.scope["http_session"].id)
        return answers.empty()

    def no_service(self, _request: Request) -> Response:
        """Tell whoever does not bring a form that there is nothing."""
        raise Refused(404, "Not Found")

    async def service(self, request: Request) -> Response:
        """Log in with a form in the body (§1.5)."""
        form = {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}
        provider = form.get("provider") or form.get("authenticatorId") or form.get("login_method") or ""
        if provider.lower() not in {"", "localdb"}:
            raise Refused(400, f"Authentication failed: unknown authentication provider {provider}")
        name = form.get("username") or form.get("j_username") or form.get("login") or ""
        password = form.get("password") or form.get("j_password") or ""
        try:
            session = self._accounts.log_in(name, password)
        except LoginFailed:
            raise Refused(401, "Authentication failed.") from None
        before = request.scope["http_session"]
        if before and before.user is None:
            self._accounts.end(before.id)  # a login gets a new id: nobody can have planted it (§1.6)
        request.scope["http_session"] = session
        return answers.text(session.id)

    def token(self, request: Request) -> Response:
        """Issue, validate or invalidate an alias token (§1.11)."""
        operation, *rest = request.path_params["rest"].strip("/").split("/")
        if operation == "issue":
            return answers.as_json(self._issue(request, rest))
        if operation not in {"validate", "invalidate"}:
            raise Refused(400, f"Unknown operation: {operation}")
        alias, secret = (*rest, "", "")[:2]
        token = self._accounts.token(alias)
        if token is None or token["secret"] != secret:
            raise Refused(404, "No such alias token.")
        if operation == "validate":
            return answers.as_json({"valid": token["user"]})
        self._accounts.drop_token(alias)
        return answers.as_json({"result": "OK"})

    def _issue(self, request: Request, rest: list[str]) -> dict[str, object]:
        user = request.user
        if user.is_guest:
            raise Refused(403, "You must be logged in to get an alias token.")
        if rest[:1] == ["user"]:
            if not user.is_admin:
                raise Refused(403, "Only administrators can get tokens for other users.")
            user = self._accounts.user(rest[1] if len(rest) > 1 else "")
            if user is None:
                raise Refused(404, "No such user.")
        return self._accounts.issue_token(user)
