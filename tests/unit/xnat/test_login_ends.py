"""A connection to XNAT ends, whatever XNAT answers to its first request and to its last one: no thread asks on."""

import threading

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core.errors import XnatUnreachable
from tcia_xnat.xnat.login import log_in, log_out


def site(*, breaks_off: bool = False) -> Server:
    """Return an XNAT that knows everybody; one that breaks off fails as soon as somebody is logged in."""

    async def answer(request: Request) -> Response:
        if not {"authorization", "cookie"} & set(request.headers):
            return Response("no", 401)
        if breaks_off and request.url.path == "/data/JSESSION":
            return Response("oops", 500)
        said = Response("User 'alice' is logged in")
        said.set_cookie("JSESSIONID", "1" * 32)
        return said

    return Server(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "DELETE"])]))


@pytest.fixture
def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def keepers(before: set[threading.Thread]) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one not in before and "KeepAlive" in one.name]


def test_an_xnat_that_is_gone_before_the_logout(threads: set[threading.Thread]) -> None:
    with site() as server:
        connection = log_in(server.url, "alice", "secret")
        assert keepers(threads)
    log_out(connection)
    assert not keepers(threads)


def test_an_xnat_that_breaks_off_after_the_login(threads: set[threading.Thread]) -> None:
    with site(breaks_off=True) as server, pytest.raises(XnatUnreachable):
        log_in(server.url, "alice", "secret")
    assert not keepers(threads)
