"""Answers that are read as a whole: their limits, for NBIA and for XNAT."""

import gzip
from contextlib import closing

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core import limits
from tcia_xnat.core.errors import SourceError, XnatUnreachable
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.web.session import AnswerTooLarge, Session
from tcia_xnat.xnat.connection import XnatConnection

ZIPPED = {"content-encoding": "gzip"}


async def bomb(request: Request) -> Response:
    """Answer with what unpacks to 4 MiB; as an error page where that is asked for."""
    if request.url.path in {"/data/auth", "/", "/data/JSESSION"}:
        said = Response("User 'alice' is logged in")
        said.set_cookie("JSESSIONID", "1" * 32)
        return said if "authorization" in request.headers or "cookie" in request.headers else Response("no", 401)
    status = 500 if "error" in request.url.path else 200
    return Response(gzip.compress(b"[" + b" " * (4 << 20)), status, headers=ZIPPED | {"retry-after": "7"})


APPLICATION = Starlette(routes=[Route("/{path:path}", bomb, methods=["GET", "POST", "PUT", "DELETE"])])


def test_an_answer_that_grows_stops_at_its_limit_and_an_error_page_is_cut() -> None:
    with Server(APPLICATION) as server, closing(Session(1 << 20)) as session:
        with pytest.raises(AnswerTooLarge, match="larger than 1 MiB"):
            session.get(f"{server.url}/x", timeout=10)
        assert len(session.get(f"{server.url}/error", timeout=10).content) == limits.ERROR_PAGE


def test_nbia_and_xnat_are_asked_in_such_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "XNAT_ANSWER", 1 << 20)
    with Server(APPLICATION) as server, closing(TCIAClient(server.url)) as nbia:
        nbia._session.limit = 1 << 20
        with pytest.raises(SourceError, match="larger than 1 MiB"):
            nbia.get_collection_values()
        with closing(
            XnatConnection(server.url, "alice", "secret", Patience(RetryPolicy(1), lambda _seconds: None))
        ) as xnat:
            with pytest.raises(XnatUnreachable, match="larger than 1 MiB"):
                xnat.ask("GET", "/data/projects")
            with pytest.raises(XnatUnreachable) as raised:
                xnat.ask("GET", "/data/error")
    assert raised.value.retry_after == 7.0
    assert Session().limit == limits.NBIA_ANSWER
