"""The lanes' side of the pictures: hand a proved series to the worker, keep what comes back, and never wait long."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from tcia_xnat.core.model import SeriesPackage
from tcia_xnat.staging.spool import Spool
from tcia_xnat.thumbnails import store
from tcia_xnat.thumbnails.protocol import LENGTH, Range, Request, Size, encoded, receive

Depict = Callable[[SeriesPackage, Spool], AbstractContextManager[None]]
"""Draws a series while its import goes on: entered when it is proved, left when XNAT has it. Never raises."""

_TOTAL_BYTES = 8_000_000  # of all pictures of a run: the report stays under 20 MB
_MOST_BYTES, _LEAST_BYTES = 3_000, 300  # of one
_LOOKED_AT = 1000  # images of a series among which the middle is sought, evenly spread
_SECONDS, _SECONDS_PER_BYTE = 5.0, 1e-7  # that a picture may take, by the size of its series' images
_DEATHS = 5  # after so many there are no pictures any more
_ROOT = Path(__file__).resolve().parents[2]
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")  # no credentials where foreign images are decoded


def no_picture(_package: SeriesPackage, _spool: Spool) -> AbstractContextManager[None]:
    """Draw nothing."""
    return nullcontext()


@contextmanager
def painter(folder: Path, pixels: int, series_count: int) -> Iterator[Depict]:
    """Give what draws the series of a run.

    Parameters
    ----------
    folder
        Where pictures are kept.
    pixels
        Longer side of a picture; 0 for none.
    series_count
        How many are to come: the more, the fewer bytes each may have.
    """
    if not pixels or not series_count:
        yield no_picture
        return
    most_bytes = max(_LEAST_BYTES, min(_MOST_BYTES, _TOTAL_BYTES // series_count))
    made = Painter(folder, pixels, most_bytes)
    try:
        yield made
    finally:
        made.close()


class Painter:
    """Draws one picture after the other in a worker process.

    Parameters
    ----------
    folder
        Where pictures are kept.
    pixels, most_bytes
        How large each may be.
    seconds
        How long one may take, and a ten-millionth of it more for each byte of the series' largest image.
    """

    def __init__(self, folder: Path, pixels: int, most_bytes: int, seconds: float = _SECONDS) -> None:
        self._folder, self._size, self._seconds = folder, Size(pixels, most_bytes), seconds
        self._queue = ThreadPoolExecutor(1, "pictures")
        self._worker: _Worker | None = None
        self._deaths = 0

    @contextmanager
    def __call__(self, package: SeriesPackage, spool: Spool) -> Iterator[None]:
        """Draw a series while the block goes on; after it wait for the rest of its time at the most."""
        ends = time.monotonic() + self._limit(package)
        drawing = self._begin(package, spool)
        try:
            yield
            wait([drawing], max(ends - time.monotonic(), 0))
        finally:
            drawing.cancel()

    def close(self) -> None:
        """Draw no more."""
        self._deaths = _DEATHS
        self._queue.shutdown(wait=False, cancel_futures=True)
        if self._worker:
            self._worker.kill()

    def _begin(self, package: SeriesPackage, spool: Spool) -> "Future[None]":
        descriptor = os.dup(spool.fileno())
        try:
            drawing = self._queue.submit(self._draw, package, descriptor)
        except RuntimeError:  # closed: the run is at its end
            drawing = Future()
            drawing.set_result(None)
        drawing.add_done_callback(lambda _drawing: os.close(descriptor))
        return drawing

    def _draw(self, package: SeriesPackage, descriptor: int) -> None:
        if self._deaths >= _DEATHS:
            return
        try:
            self._worker = self._worker or _Worker()
            picture = self._worker.draw(_request(package, self._size), descriptor, self._limit(package))
        except (OSError, EOFError, ValueError):  # it hangs, or is dead
            self._bury()
            return
        if picture:
            with suppress(OSError):  # a full disk costs the picture
                store.keep(self._folder, package.series.series_instance_uid, picture)

    def _bury(self) -> None:
        self._deaths += 1
        if self._worker:
            self._worker.kill()
        self._worker = None

    def _limit(self, package: SeriesPackage) -> float:
        return self._seconds + _SECONDS_PER_BYTE * max((member.size for member in package.members), default=0)


class _Worker:
    """The process, and our end of its socket."""

    def __init__(self) -> None:
        self._end, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", "tcia_xnat.thumbnails.worker", str(theirs.fileno())],
                env=_environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def draw(self, request: Request, descriptor: int, seconds: float) -> bytes:
        """Return the picture; nothing if there is none.

        Raises
        ------
        OSError, EOFError
            It took too long, or the process died of it.
        """
        self._end.settimeout(seconds)
        message = encoded(request)
        socket.send_fds(self._end, [message[:LENGTH]], [descriptor])
        self._end.sendall(message[LENGTH:])
        return receive(self._end)

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._end.close()


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return inherited | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


def _request(package: SeriesPackage, size: Size) -> Request:
    step = max(1, -(-len(package.members) // _LOOKED_AT))
    images = [
        Range(member.offset, member.compressed_size, member.size, member.method) for member in package.members[::step]
    ]
    return Request(package.series.modality, images, size)
