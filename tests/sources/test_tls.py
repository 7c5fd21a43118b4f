"""TLS is verified, by whom the environment says; redirects lead to https on the same site or nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat import web
from tcia_xnat.core.errors import LoginRefused, SourceError, SourceUnreachable, XnatUnreachable
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.idc.client import IDCClient, StoredObject
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.xnat.connection import XnatConnection

DATA = b"bytes of an image"


async def answer(request: Request) -> Response:
    if request.url.path.endswith("/data/auth"):
        return Response("Unauthorized", 401)
    return Response(DATA)


class Secure:
    """An https server, and the authority that signed its certificate."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.file, self.authority = folder / "server.pem", str(folder / "authority.pem")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self.file))
        authority.cert_pem.write_to_path(self.authority)
        application = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT"])])
        self.server = Server(application, certificate=self.file)


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secure]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    made = Secure(tmp_path)
    with made.server:
        yield made


def fetch(url: str) -> bytes:
    arrived = bytearray()
    client = IDCClient(url, __file__)
    client.get_object(StoredObject("bucket", "key", len(DATA), ""), arrived.extend)
    client.close()
    return bytes(arrived)


def test_an_unknown_authority_is_refused(secure: Secure) -> None:
    with pytest.raises(SourceUnreachable, match=r"(?i)certificate"):
        TCIAClient(secure.server.url).get_single_image("1", "2")
    with pytest.raises(SourceUnreachable, match=r"(?i)certificate"):
        fetch(secure.server.url)
    with pytest.raises(XnatUnreachable, match=r"(?i)certificate"):
        log_in(secure.server.url)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_names_an_authority(secure: Secure, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, secure.authority)
    assert TCIAClient(secure.server.url).get_single_image("1", "2") == DATA
    assert fetch(secure.server.url) == DATA
    with pytest.raises(LoginRefused):  # which means that the connection was trusted
        log_in(secure.server.url)


def log_in(host: str) -> None:
    XnatConnection(host, "user", "word", Patience(RetryPolicy(1), lambda _seconds: None))


def test_a_redirect_to_https_on_the_same_host_is_followed(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", secure.authority)

    async def redirect(request: Request) -> Response:
        return RedirectResponse(f"{secure.server.url}{request.url.path}", 307)

    with Server(Starlette(routes=[Route("/{path:path}", redirect)])) as plain:
        assert TCIAClient(plain.url).get_single_image("1", "2") == DATA
        assert fetch(plain.url) == DATA


def test_a_redirect_to_another_host_or_to_http_is_not(secure: Secure) -> None:
    for target in (f"{secure.server.url.replace('127.0.0.1', 'localhost')}/x", "http://127.0.0.1:9/x"):

        async def redirect(_request: Request, target: str = target) -> Response:
            return RedirectResponse(target, 302)

        with Server(Starlette(routes=[Route("/{path:path}", redirect)])) as plain:
            with pytest.raises(SourceError, match="302"):
                TCIAClient(plain.url).get_single_image("1", "2")
            with pytest.raises(SourceError, match="302"):
                fetch(plain.url)


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://a.org/x", "https://a.org/y", "https://a.org/y"),
        ("https://services.a.org/x", "https://nbia.a.org/y", "https://nbia.a.org/y"),
        ("https://a.org/x", "/y", "https://a.org/y"),
        ("http://a.org/x", "/y", None),
        ("https://a.org/x", "http://a.org/y", None),
        ("https://a.org/x", "https://b.org/y", None),
        ("https://a.org/x", "https://a.org.evil.net/y", None),
        ("https://10.0.0.1/x", "https://10.9.0.1/y", None),
        ("https://10.0.0.1/x", "https://10.0.0.1:8443/y", "https://10.0.0.1:8443/y"),
        ("https://a.org/x", None, None),
        ("https://a.org/x", "file:///etc/passwd", None),
    ],
)
def test_where_a_redirect_may_lead(url: str, location: str | None, target: str | None) -> None:
    assert web.redirected(url, 302, location) == target
    assert web.redirected(url, 200, location) is None
