"""How a run is asked to end: Ctrl-C, SIGTERM, or an error that makes going on pointless."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from tcia_xnat.errors import Stopped

_EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stop:
    """A wish to end that all threads can see.

    The first signal lets what is in flight end cleanly; a second one ends the process at once.
    """

    def __init__(self) -> None:
        self._wished = threading.Event()
        self._exit_code = _EXIT_CODES[signal.SIGINT]
        self._then = _nothing

    @property
    def requested(self) -> bool:
        """Whether the end was asked for."""
        return self._wished.is_set()

    def request(self) -> None:
        """Ask everybody to end."""
        self._wished.set()
        self._then()

    def call(self, action: Callable[[], None]) -> None:
        """Have `action` called as soon as the end is asked for, maybe inside of a signal handler."""
        self._then = action

    def check(self) -> None:
        """Raise `Stopped` when the end was asked for."""
        if self._wished.is_set():
            raise self.error()

    def error(self) -> Stopped:
        """Return the error that ends a run which was asked to end, with the exit code of the signal."""
        return Stopped(self._exit_code)

    def wait(self, seconds: float) -> None:
        """Wait so long; raise `Stopped` as soon as the end is asked for."""
        if self._wished.wait(seconds):
            raise self.error()

    def on_signals(self) -> None:
        """Take SIGINT and SIGTERM as the wish to end."""
        for number in _EXIT_CODES:
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._wished.is_set():
            os._exit(_EXIT_CODES[signal.Signals(number)])
        self._exit_code = _EXIT_CODES[signal.Signals(number)]
        self.request()


def _nothing() -> None:
    """Do nothing: nobody waits for the wish."""
