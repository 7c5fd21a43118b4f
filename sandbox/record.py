"""What a server of the sandbox was asked: tests count requests and look for credentials in their addresses."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Around = Callable[[ASGIApp], ASGIApp]
"""An application made around another one: to answer instead, to cut, to delay."""


class Asked(NamedTuple):
    """One request that was answered.

    Attributes
    ----------
    status
        0 when no answer was begun.
    user
        Who asked, where the server knows; empty where there are no logins.
    is_login
        Whether name and password went along.
    """

    method: str
    path_with_query: str
    status: int
    user: str = ""
    is_login: bool = False


class Recorder:
    """An application around another one, which remembers what was asked (tcia-nbia-and-idc.md §10.30).

    Parameters
    ----------
    application
        What answers.
    around
        What is put around it, inside of what is recorded.

    Attributes
    ----------
    most_at_once
        The largest number of requests that were under way at the same time.
    bytes_sent
        Bytes of all answers, without their headers.
    """

    def __init__(self, application: ASGIApp, around: Around | None = None) -> None:
        self._application = around(application) if around else application
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._open = 0
        self.most_at_once = 0
        self.bytes_sent = 0

    @property
    def requests(self) -> list[Asked]:
        """All requests that were answered, in the order in which their answers ended."""
        with self._lock:
            return list(self._asked)

    @property
    def under_way(self) -> int:
        """How many requests are answered just now; those of clients that are gone count."""
        with self._lock:
            return self._open

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._asked.clear()
            self.most_at_once, self.bytes_sent = self._open, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            with self._lock:
                self.bytes_sent += len(message.get("body", b""))
            await send(message)

        with self._lock:
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            await self._application(scope, receive, noted)
        finally:
            query, user = scope["query_string"].decode("latin-1"), scope.get("user")
            target = scope["path"] + (f"?{query}" if query else "")
            is_login = any(name == b"authorization" for name, _ in scope["headers"])
            with self._lock:
                self._open -= 1
                self._asked.append(Asked(scope["method"], target, status, user.name if user else "", is_login))
