"""An ASGI application on a loopback port, in a thread of this process, and how such a process ends."""

import signal
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_START_SECONDS = 30


class Server:
    """One ASGI application, served on 127.0.0.1 until `stop`.

    Parameters
    ----------
    application
        What is served.
    port
        0 takes any free port; `port` tells which it became.
    certificate
        File with certificate and key, to serve https.
    """

    def __init__(self, application: ASGIApp, port: int = 0, certificate: Path | None = None) -> None:
        self._scheme = "https" if certificate else "http"
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            _abortable(application),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            ssl_certfile=certificate,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        """Address of the server, without a slash at its end."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve in the background; returns when requests are answered."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(_START_SECONDS * 100):
            if self._server.started:
                return self
            waited.wait(0.01)
        raise RuntimeError(f"the server did not start within {_START_SECONDS} s")

    def stop(self) -> None:
        """Finish what is in flight and free the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def stopped_by_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    return stopped


def _abortable(application: ASGIApp) -> ASGIApp:
    """Let the application end the connection of a request without a word, by `await scope["abort"]()`."""

    async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
        async def abort() -> None:
            send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's own request
            while (await receive())["type"] != "http.disconnect":
                pass

        scope["abort"] = abort
        await application(scope, receive, send)

    return with_abort
