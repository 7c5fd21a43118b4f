"""Faults happen to the requests they name, as often as they say, and to no other."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import faults
from sandbox.faults import Fault, Faults
from sandbox.serve import Server


class Echo:
    """An application that notes what it was asked, and answers 1000 bytes; what is slow as soon as it may."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.may_go_on = threading.Event()
        self.done = threading.Event()

    async def answer(self, request: Request) -> Response:
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
        except ClientDisconnect:
            body += b" cut"
        slow = request.url.path == "/slow"
        if slow:
            await asyncio.to_thread(self.may_go_on.wait, 30)
        self.asked.append(bytes(body))
        if slow:
            self.done.set()
        return Response(b"x" * 1000)


@contextmanager
def serving(*rules: Fault) -> Iterator[tuple[str, Echo, Faults]]:
    echo, broken = Echo(), Faults()
    application = Starlette(routes=[Route("/{path:path}", echo.answer, methods=["GET", "POST"])])
    broken.add(*rules)
    with Server(broken.around(application)) as server:
        yield server.url, echo, broken


def get(url: str, path: str = "/a", **options: object) -> requests.Response:
    return requests.get(url + path, timeout=10, **options)  # type: ignore[arg-type]  # as requests takes them


def test_only_what_matches_is_hit_and_only_as_often_as_said() -> None:
    with serving(Fault(r"^GET /a\?x=1$", faults.answer(503, "no"), first=2, times=2)) as (url, echo, broken):
        assert [get(url, path).status_code for path in ("/a", "/b?x=1")] == [200, 200]
        assert [get(url, "/a?x=1").status_code for _ in range(4)] == [200, 503, 503, 200]
        assert len(echo.asked) == 4
        broken.add(Fault("/a", faults.answer(500), times=None))
        assert [get(url).status_code for _ in range(3)] == [500] * 3
        broken.lift()
        assert get(url).status_code == 200


def test_a_share_is_drawn_by_its_seed() -> None:
    def drawn(seed: int) -> list[int]:
        with serving(Fault("/a", faults.answer(503), times=None, share=0.5, seed=seed)) as (url, _, _):
            return [get(url).status_code for _ in range(20)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {200, 503} == set(drawn(1))


@pytest.mark.parametrize("action", [faults.reset(), faults.acted(faults.reset())])
def test_a_reset_is_no_answer(action: faults.Action) -> None:
    with serving(Fault("/a", action)) as (url, echo, _):
        with pytest.raises(requests.ConnectionError):
            get(url)
        done = len(echo.asked)
        assert get(url).status_code == 200
        assert len(echo.asked) == done + 1
        assert done == (0 if action.__qualname__.startswith("reset") else 1)


def test_what_was_done_may_be_answered_otherwise() -> None:
    with serving(Fault("/a", faults.acted(faults.answer(504, "<h1>Gateway</h1>")))) as (url, echo, _):
        assert get(url).text == "<h1>Gateway</h1>"
        assert len(echo.asked) == 1


def test_an_answer_may_come_while_the_work_goes_on() -> None:
    with serving(Fault("/slow", faults.meanwhile(faults.answer(504)))) as (url, echo, _):
        assert requests.post(f"{url}/slow", data=b"body", timeout=10).status_code == 504
        assert not echo.asked
        assert get(url).status_code == 200
        echo.may_go_on.set()
        assert echo.done.wait(10)
        assert echo.asked == [b"", b"body"]


def test_an_answer_may_break_off() -> None:
    with serving(Fault("/a", faults.cut(400))) as (url, _, _):
        arrived: list[bytes] = []
        with get(url, stream=True) as answer, pytest.raises(requests.RequestException):
            arrived.extend(answer.iter_content(100))
        assert b"".join(arrived) == b"x" * 400


def test_an_answer_may_be_changed_and_stays_clean() -> None:
    with serving(Fault("/a", faults.edited(lambda body: body[:10]))) as (url, _, _):
        answer = get(url)
        assert (answer.content, answer.headers["Content-Length"]) == (b"x" * 10, "10")


def test_an_upload_may_break_off() -> None:
    with serving(Fault("POST", faults.cut_upload(300))) as (url, echo, _):
        with pytest.raises(requests.ConnectionError):
            requests.post(url, data=b"y" * 100_000, timeout=10)
        assert echo.asked == [b"y" * 300 + b" cut"]


def test_a_stall_lasts_until_the_client_goes() -> None:
    with serving(Fault("/a", faults.stall())) as (url, echo, _):
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/a", timeout=0.3)
        assert get(url).status_code == 200
        assert len(echo.asked) == 1


def test_a_slow_answer_is_a_whole_one() -> None:
    with serving(Fault("/a", faults.slow(0.05))) as (url, _, _):
        assert len(get(url).content) == 1000
