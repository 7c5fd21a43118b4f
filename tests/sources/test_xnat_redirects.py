"""The password of XNAT goes to the host that the user named, whatever redirects say."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core.errors import Error, LoginRefused, XnatUnreachable
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.xnat.address import next_site
from tcia_xnat.xnat.connection import XnatConnection

USER, PASSWORD = "alice", "S3cret€Pw"


@dataclass
class Host:
    """A server that redirects everything to `leads_to`, or is an XNAT; it remembers what it was sent."""

    leads_to: str = ""
    after: int = 0  # requests that it answers itself before it redirects
    asked: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        answer = await self._answer(request)
        answer.headers["connection"] = "close"  # or stopping an https server leaves transports behind
        return answer

    async def _answer(self, request: Request) -> Response:
        body = (await request.body()).decode("latin-1")
        self.asked.append((request.method, request.url.path))
        self.secrets += [
            one for one in (request.headers.get("authorization", ""), request.headers.get("cookie", "")) if one
        ]
        self.secrets += [body] if "password" in body else []
        if self.leads_to and len(self.asked) > self.after:
            return RedirectResponse(f"{self.leads_to}{request.url.path}", 302)
        if "authorization" not in request.headers and "cookie" not in request.headers:
            return PlainTextResponse("Unauthorized", 401)
        answer = PlainTextResponse(f"User '{USER}' is logged in")
        answer.set_cookie("JSESSIONID", "1" * 32)
        return answer

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "PUT", "DELETE"])])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a server's certificate, for both names of this machine, and of its authority."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server"))
    authority.cert_pem.write_to_path(str(folder / "authority"))
    return folder / "server", folder / "authority"


@pytest.fixture
def secure(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Host, Server]]:
    """Serve https, trusted."""
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    host = Host()
    with Server(host.application(), certificate=certificate[0]) as server:
        yield host, server


def log_in(host: str) -> XnatConnection:
    return XnatConnection(host, USER, PASSWORD, Patience(RetryPolicy(1), lambda _seconds: None))


def send_something(host: str) -> None:
    with closing(log_in(host)) as connection:
        connection.ask("POST", "/data/services/import", body=b"zip", content_type="application/zip")


def refusal(host: str) -> Error:
    with pytest.raises(LoginRefused) as caught:
        log_in(host)
    return caught.value


def test_http_that_leads_to_https_of_the_same_host_becomes_https(secure: tuple[Host, Server]) -> None:
    xnat, server = secure
    named = Host(leads_to=server.url)
    with Server(named.application()) as plain:
        connection = log_in(plain.url)
        assert connection.ask("GET", "/data/projects").status == 200
        connection.close()
    assert named.secrets == []
    assert any("Basic" in secret for secret in xnat.secrets)


def test_another_host_gets_nothing_from_http(secure: tuple[Host, Server]) -> None:
    other, server = secure
    named = Host(leads_to=server.url.replace("127.0.0.1", "localhost"))
    with Server(named.application()) as first:
        error = refusal(first.url)
    assert f"localhost:{server.port}" in str(error)
    assert "XNAT_HOST" in error.hint
    assert (other.asked, named.secrets) == ([], [])


def test_another_host_gets_nothing_from_https(secure: tuple[Host, Server]) -> None:
    named, server = secure
    other = Host()
    with Server(other.application()) as elsewhere:
        named.leads_to = f"https://localhost:{elsewhere.port}"
        error = refusal(server.url)
    assert named.leads_to in str(error)
    assert (other.asked, named.secrets) == ([], [])


def test_https_never_becomes_http(secure: tuple[Host, Server]) -> None:
    named, server = secure
    other = Host()
    with Server(other.application()) as plain:
        named.leads_to = plain.url
        error = refusal(server.url)
    assert plain.url in str(error)
    assert (other.asked, named.secrets) == ([], [])


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_redirect_that_comes_later_is_not_followed(after: int) -> None:
    other = Host()
    with Server(other.application()) as elsewhere:
        named = Host(leads_to=elsewhere.url.replace("127.0.0.1", "localhost"), after=after)
        with Server(named.application()) as first, pytest.raises(Error):
            send_something(first.url)
    assert other.asked == []


def test_a_password_that_is_not_latin_is_sent_as_utf_8() -> None:
    named = Host()
    with Server(named.application()) as server:
        log_in(server.url).close()
    assert "Basic YWxpY2U6UzNjcmV04oKsUHc=" in named.secrets


def test_a_web_page_is_no_xnat() -> None:
    async def page(_request: Request) -> Response:
        return Response("<!DOCTYPE html><html><title>Sign in</title></html>", media_type="text/html")

    with (
        Server(Starlette(routes=[Route("/{path:path}", page)])) as server,
        pytest.raises(XnatUnreachable, match="not an XNAT") as caught,
    ):
        log_in(server.url)
    assert caught.value.exit_code == 5


def test_a_path_is_to_be_left_out() -> None:
    async def lost(_request: Request) -> Response:
        return Response("no", 404)

    with Server(Starlette(routes=[Route("/{path:path}", lost)])) as server:
        with pytest.raises(XnatUnreachable, match="not an XNAT") as caught:
            log_in(f"{server.url}/app/template/Index.vm")
        assert caught.value.hint == f"leave the path out: {server.url}"


@pytest.mark.parametrize(
    ("host", "location", "site"),
    [
        ("http://x.org", "https://x.org/data/auth", "https://x.org"),
        ("http://x.org", "https://x.org:8443/data/auth", "https://x.org:8443"),
        ("http://x.org", "HTTPS://X.org/data/auth", "https://X.org"),
        ("https://x.org", "/xnat/", "https://x.org/xnat"),
        ("https://x.org", "/xnat/app/template/Login.vm#!", "https://x.org/xnat"),
        ("https://x.org/xnat", "/xnat/app/template/Login.vm", "https://x.org/xnat"),
        ("https://x.org", "https://x.org:443/xnat/data/auth", "https://x.org:443/xnat"),
        ("https://x.org", "http://x.org/data/auth", None),
        ("https://x.org", "https://x.org:8443/data/auth", None),
        ("http://x.org", "http://x.org:8080/data/auth", None),
        ("https://x.org", "https://sso.x.org/login?ticket=1", None),
        ("https://x.org", "//evil.net/data/auth", None),
        ("https://x.org", "https://x.org.evil.net/data/auth", None),
        ("https://x.org", "https://x.org@evil.net/data/auth", None),
        ("https://x.org", "https://[::1/x", None),
        ("https://x.org", "file:///etc/passwd", None),
    ],
)
def test_where_a_site_may_be(host: str, location: str, site: str | None) -> None:
    if site is None:
        with pytest.raises(LoginRefused) as caught:
            next_site(host, f"{host}/data/auth", location)
        assert "ticket" not in str(caught.value)
    else:
        assert next_site(host, f"{host}/data/auth", location) == site
