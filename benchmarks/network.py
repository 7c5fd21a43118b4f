"""A wire between a client and a server: each connection has so many bytes a second, and a delay each way."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

from tcia_xnat.core.closing import Closing

_PIECE = 1 << 16
_CREDIT_SECONDS = 0.1  # a wire that was busy elsewhere makes up for it, or it has less than it says


class Wire(Closing):
    """Passes connections on to the server at `url`; `url` of the wire is where clients connect.

    Parameters
    ----------
    url
        Where the server is.
    bytes_per_second
        Of each connection, each way.
    delay
        Seconds that a byte is under way.
    """

    def __init__(self, url: str, bytes_per_second: float, delay: float) -> None:
        parts = urlsplit(url)
        self._target, self._rest = (parts.hostname or "", parts.port or 80), parts.path
        self._rate, self._delay = bytes_per_second, delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = self._do(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Address of the server through this wire."""
        return f"http://127.0.0.1:{self._port}{self._rest}"

    def close(self) -> None:
        """Cut all connections."""
        self._do(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  what the work returns
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._delay)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer), return_exceptions=True)
        for end in (writer, far_writer):
            end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read as fast as the rate allows, and write each piece when its delay is over."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=max(4, self._pieces_under_way()))
        delivering = asyncio.create_task(self._deliver(under_way, writer))
        free = time.monotonic()
        try:
            while piece := await reader.read(_PIECE):
                free = max(free, time.monotonic() - _CREDIT_SECONDS) + len(piece) / self._rate
                await under_way.put((free + self._delay, piece))
                await asyncio.sleep(free - time.monotonic())
        finally:
            await under_way.put((0.0, b""))
            await delivering

    def _pieces_under_way(self) -> int:
        return int(2 * self._rate * self._delay / _PIECE) + 1

    async def _deliver(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, piece = await under_way.get()
            if not piece:
                writer.write_eof()
                return
            await asyncio.sleep(due - time.monotonic())
            writer.write(piece)
            await writer.drain()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
