"""A proxy as hospitals have one: clients name the whole URL, and hosts that only it knows are reached through it."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 1 << 16


class Proxy(socketserver.ThreadingTCPServer):
    """Passes each connection on to the server of the host that its first request names.

    Parameters
    ----------
    servers
        Host → URL of the server that is meant.

    Attributes
    ----------
    asked
        Hosts that clients have named.
    """

    daemon_threads = True

    def __init__(self, servers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.servers = servers
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        """Where the proxy is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        near: socket.socket = self.request
        first = near.recv(_PIECE)
        host = urlsplit(first.split(maxsplit=2)[1].decode()).hostname or ""
        self.server.asked.add(host)
        there = urlsplit(self.server.servers[host])
        with socket.create_connection((there.hostname, there.port)) as far:
            far.sendall(first)
            answers = threading.Thread(target=_pass, args=(far, near))
            answers.start()
            _pass(near, far)
            answers.join()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(servers: Mapping[str, str]) -> Iterator[Proxy]:
    """Start a proxy that knows these hosts."""
    with Proxy(servers) as started:
        thread = threading.Thread(target=started.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield started
        finally:
            started.shutdown()
            thread.join()
