"""Standard streams that may be closed, full, or without a reader: they never change what a run comes to."""

import io
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_NUMBERS = (0, 1, 2)


def prepare() -> None:
    """Make stdout and stderr usable, whatever the process was started with.

    A number below 3 that is closed would be taken by the next file that opens, and text for people would go there:
    it is taken for the null device instead. Letters that a stream does not know become question marks.
    """
    for number in _NUMBERS:
        _reserve(number)
    sys.stdout = sys.stdout or _null()
    sys.stderr = sys.stderr or _null()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def forgiving(stream: TextIO) -> Iterator[None]:
    """Let a stream that takes nothing any more lose what is written to it inside of the block."""
    try:
        yield
        stream.flush()
    except (OSError, ValueError):  # no reader, no room, closed
        give_up(stream)


def give_up(stream: TextIO) -> None:
    """Send what a broken stream still holds, and all that follows, nowhere."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def flush() -> None:
    """Write out what both streams hold, as far as they take it."""
    for stream in (sys.stdout, sys.stderr):
        with forgiving(stream):
            pass


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Give the terminal its settings back: a question for a password that is left alone hides what is typed."""
    settings = _settings()
    try:
        yield
    finally:
        if settings is not None and settings != _settings():
            with suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(0)
    except (OSError, termios.error):  # no terminal
        return None


def _reserve(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, in ascending order this one
        if null != number:
            os.dup2(null, number)
            os.close(null)


def _null() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  open until the process ends
