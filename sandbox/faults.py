"""What goes wrong, as rules: which requests, which of them, and what happens instead of the answer.

Rules may be added and lifted while a server serves. The same rules and requests give the same faults.
"""

import asyncio
import random
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Action = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]
"""What happens to a request; it gets the application that would have answered."""


@dataclass
class Fault:
    """One rule.

    Parameters
    ----------
    where
        Pattern that is searched in `METHOD /path?query`.
    action
        What happens.
    first
        Which of the matching requests is the first to be hit, from 1.
    times
        How many are hit; None for all.
    share
        Only so many of those, chosen by `seed`.
    hits
        How many were.
    """

    where: str
    action: Action
    first: int = 1
    times: int | None = 1
    share: float = 1.0
    seed: int = 0
    hits: int = 0
    _seen: int = field(default=0, repr=False)

    def takes(self, target: str) -> bool:
        """Whether this request is one to be hit; counts it."""
        if not re.search(self.where, target) or (self.times is not None and self.hits >= self.times):
            return False
        self._seen += 1
        drawn = random.Random(f"{self.seed} {self._seen}").random()  # noqa: S311  a die for tests
        taken = self._seen >= self.first and drawn < self.share
        self.hits += taken
        return taken


class Faults:
    """The rules of one server; the first that takes a request decides what happens to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def add(self, *rules: Fault) -> None:
        """Let these faults happen from now on."""
        with self._lock:
            self._rules += rules

    def lift(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._rules.clear()

    def around(self, application: ASGIApp) -> ASGIApp:
        """Return the application with these faults before it."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            action = self._action(scope) if scope["type"] == "http" else None
            if action is None:
                await application(scope, receive, send)
            else:
                await action(application, scope, receive, send)

        return faulty

    def _action(self, scope: Scope) -> Action | None:
        query = scope["query_string"].decode("latin-1")
        target = f"{scope['method']} {scope['path']}{f'?{query}' if query else ''}"
        with self._lock:
            return next((rule.action for rule in self._rules if rule.takes(target)), None)


# what may happen


def answer(status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Action:
    """Answer at once, and do nothing."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"content-type": "text/html", "content-length": str(len(content))} | dict(headers or {})

    async def act(_application: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
        lines = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})

    return act


def reset() -> Action:
    """Close the connection without an answer, and do nothing."""

    async def act(_application: ASGIApp, scope: Scope, _receive: Receive, _send: Send) -> None:
        await scope["abort"]()

    return act


def acted(then: Action) -> Action:
    """Do what was asked, and let something else become of the answer."""

    async def act(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def swallow(_message: Message) -> None:
            """Let nobody hear it."""

        await application(scope, receive, swallow)
        await then(application, scope, receive, send)

    return act


def meanwhile(then: Action) -> Action:
    """Let something else become of the answer at once, while what was asked for is still being done."""
    working: set[asyncio.Task[None]] = set()

    async def act(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        messages = [await receive()]
        while messages[-1].get("more_body", False):
            messages.append(await receive())
        parts = iter(messages)

        async def again() -> Message:
            return next(parts, {"type": "http.disconnect"})

        async def swallow(_message: Message) -> None:
            """Let nobody hear it."""

        task = asyncio.create_task(_worked(application, scope, again, swallow))
        working.add(task)
        task.add_done_callback(working.discard)
        await then(application, scope, receive, send)

    return act


async def _worked(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await application(dict(scope), receive, send)


def stall() -> Action:
    """Say nothing until the client goes away."""

    async def act(_application: ASGIApp, _scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return act


def slow(seconds: float) -> Action:
    """Answer late."""

    async def act(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await application(scope, receive, send)

    return act


def cut(after: int) -> Action:
    """Break the connection off after so many bytes of the answer's body."""

    async def act(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        left = after

        async def until_cut(message: Message) -> None:
            nonlocal left
            body = message.get("body", b"")
            if message["type"] == "http.response.body" and len(body) >= left:
                if left >= 0:
                    await send({**message, "body": body[:left], "more_body": True})
                    await scope["abort"]()
                left = -1
            elif left >= 0:
                left -= len(body)
                await send(message)

        await application(scope, receive, until_cut)

    return act


def edited(change: Callable[[bytes], bytes]) -> Action:
    """Change the body of the answer, which stays a clean one."""

    async def act(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                changed = change(bytes(body))
                kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", str(len(changed)).encode())]})
                await send({"type": "http.response.body", "body": changed})

        await application(scope, receive, collect)

    return act


def cut_upload(after: int) -> Action:
    """Let the application see only so many bytes of the request's body, then break the connection off."""

    async def act(application: ASGIApp, scope: Scope, receive: Receive, _send: Send) -> None:
        left = after

        async def until_cut() -> Message:
            nonlocal left
            message = await receive() if left > 0 else {"type": "http.disconnect"}
            if message["type"] != "http.request":
                return message
            body = message.get("body", b"")[:left]
            left = left - len(body) if message.get("more_body", False) else 0
            return {"type": "http.request", "body": body, "more_body": True}

        async def swallow(_message: Message) -> None:
            """Let nobody hear it."""

        await application(scope, until_cut, swallow)
        await scope["abort"]()

    return act
