"""How a run is asked to end: Ctrl-C, SIGTERM, SIGHUP, or an error that makes going on pointless.

No lock is taken in a signal handler: Python's own C handler writes the number of the signal to a pipe, whichever
thread the signal hits and whatever that thread waits for. A thread reads the pipe and spreads the wish.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from tcia_xnat.core.errors import Error, Stopped

Result = TypeVar("Result")

_EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SIGNALS = "signals"
"""Name of the thread that listens to signals."""
SUPERVISED = "supervised"
"""Name of the threads in which actions work that may be left alone: they keep no process from ending."""

_ENDING_SECONDS = 2.0  # for what has nothing to put in order


class Stop:
    """A wish to end that all threads can see.

    The first signal lets what is in flight end cleanly; a second one ends the process at once.

    Attributes
    ----------
    ending_seconds
        How long `supervise` waits after the wish for an action to end by itself. Work that has something to put in
        order sets what it needs.
    cause
        The error that made the wish; None when a signal did.
    """

    def __init__(self) -> None:
        self.ending_seconds = _ENDING_SECONDS
        self.cause: Error | None = None
        self._wished = threading.Event()
        self._exit_code = _EXIT_CODES[signal.SIGINT]
        self._actions: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        """Whether the end was asked for."""
        return self._wished.is_set()

    def request(self, cause: Error | None = None) -> None:
        """Ask everybody to end; the first wish counts.

        Parameters
        ----------
        cause
            The error that makes going on pointless.
        """
        if not self.requested:
            self.cause = cause
        self._wished.set()
        for action in self._actions:
            action()

    def call(self, action: Callable[[], None]) -> None:
        """Have `action` called as soon as the end is asked for, by any thread; at once when it was already."""
        self._actions.append(action)
        if self.requested:
            action()

    def check(self) -> None:
        """Raise `Stopped` when the end was asked for."""
        if self._wished.is_set():
            raise self.error()

    def error(self) -> Stopped:
        """Return the error that ends a run which was asked to end, with the exit code of the signal."""
        return Stopped(self._exit_code)

    def wait(self, seconds: float) -> None:
        """Wait this many seconds; raise `Stopped` as soon as the end is asked for."""
        if self._wished.wait(seconds):
            raise self.error()

    def on_signals(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to end, for the rest of the process; main thread only.

        SIGHUP stays ignored where it is: that is what nohup is for.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)  # a handler never waits
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _EXIT_CODES:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _heard)
        threading.Thread(target=self._listen, args=[reading], name=SIGNALS, daemon=True).start()

    def supervise(self, action: Callable[[], Result], seconds: Callable[[], float] | None = None) -> Result:
        """Return what `action` returns; leave it alone when it does not end soon after the wish to end.

        The action works in a thread of its own. One that hangs in the network, in a name server or in a slow disk
        cannot keep the caller: it is abandoned after a while, and ends with the process.

        Parameters
        ----------
        seconds
            Asked, when the end is asked for, how long the action may take to end; None is `ending_seconds`.

        Raises
        ------
        Error
            The action was abandoned: `Stopped` after a signal, else the cause of the wish.
        BaseException
            Whatever the action raises.
        """
        ended: queue.SimpleQueue[Callable[[], Result] | None] = queue.SimpleQueue()
        threading.Thread(target=lambda: ended.put(_result_of(action)), name=SUPERVISED, daemon=True).start()
        self.call(lambda: ended.put(None))
        result = ended.get()
        try:
            grace = seconds() if seconds else self.ending_seconds
            ends = time.monotonic() + grace
            while result is None:  # several parts of a run may ask for its end
                result = ended.get(timeout=max(ends - time.monotonic(), 0))
        except queue.Empty:
            raise (self.cause or self.error()) from None
        return result()

    def _listen(self, reading: int) -> None:
        while numbers := os.read(reading, 1):
            self._take(numbers[0])

    def _take(self, number: int) -> None:
        code = _EXIT_CODES.get(signal.Signals(number))
        if code is None:  # a signal that somebody else listens to
            return
        if self.requested:
            os._exit(code)
        self._exit_code = code
        self.request()


def _result_of(action: Callable[[], Result]) -> Callable[[], Result]:
    """Run an action; return a function that returns what it returned or raises what it raised."""
    try:
        result = action()
    except BaseException as error:  # noqa: BLE001  handed to the thread that waits
        failure = error

        def fail() -> Result:
            raise failure

        return fail
    return lambda: result


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the pipe has the number of the signal already."""
