"""Who is told what happens: a queue takes the events of all threads, one thread of its own shows them."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TextIO

from tcia_xnat.console.terminal import line_writer
from tcia_xnat.core.errors import Error, UsageError
from tcia_xnat.core.events import Ended, Event, Tell
from tcia_xnat.core.storage import FULL, storage_error
from tcia_xnat.progress.json_lines import JsonLines
from tcia_xnat.progress.lines import Lines
from tcia_xnat.progress.live import LiveView

_FRAME_SECONDS = 0.25
_CLOSE_SECONDS = 5.0  # for a terminal that takes nothing any more
_NOTEBOOK = "JPY_PARENT_PID"  # set by Jupyter in the processes of a notebook
_DUMB = {"", "dumb", "unknown"}


class Sink(Protocol):
    """Shows events; all calls come from one thread."""

    def show(self, event: Event, at: float) -> None:
        """Show an event that was told `at` seconds since the epoch."""
        ...

    def tick(self) -> None:
        """Do what is due a few times a second."""
        ...

    def close(self) -> None:
        """Show what is left to show."""
        ...


@contextmanager
def watch(*, quiet: bool = False, debug: bool = False, log_json: str | None = None) -> Iterator[Tell]:
    """Show a run while it goes on; yields whom to tell.

    Parameters
    ----------
    quiet
        Show nothing to people but what they must see.
    debug
        Show each step and retry, as lines.
    log_json
        File to which events are appended as JSON lines; `-` is stdout.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    with _log(log_json) as log:
        alone = log_json != "-" or not sys.stdout.isatty()
        sinks = [_for_people(sys.stderr, quiet=quiet, debug=debug, alone=alone)]
        if log is not None:
            sinks.append(JsonLines(line_writer(log), debug=debug))
        with tell_all(sinks) as tell:
            try:
                yield tell
            except Error as error:
                tell(Ended(error.exit_code, error=error))
                raise


@contextmanager
def tell_all(sinks: Sequence[Sink]) -> Iterator[Tell]:
    """Start the thread that shows; yields whom to tell, which returns at once. At the end all has been shown."""
    told: SimpleQueue[tuple[float, Event] | None] = SimpleQueue()
    shower = threading.Thread(target=_show, args=[list(sinks), told], name="progress", daemon=True)
    shower.start()
    try:
        yield lambda event: told.put((time.time(), event))
    finally:
        told.put(None)
        shower.join(_CLOSE_SECONDS)


def _show(sinks: list[Sink], told: SimpleQueue[tuple[float, Event] | None]) -> None:
    due = 0.0
    while True:
        now = time.monotonic()
        if now >= due:
            _each(sinks, lambda sink: sink.tick())
            due = now + _FRAME_SECONDS
        try:
            item = told.get(timeout=max(due - time.monotonic(), 0))
        except Empty:
            continue
        if item is None:
            _each(sinks, lambda sink: sink.close())
            return
        _each(sinks, partial(_show_one, item=item))


def _show_one(sink: Sink, item: tuple[float, Event]) -> None:
    at, event = item
    sink.show(event, at)


def _each(sinks: list[Sink], action: Callable[[Sink], None]) -> None:
    """Do something with each sink; one whose stream is gone is left alone: the run matters more."""
    for sink in list(sinks):
        try:
            action(sink)
        except (OSError, ValueError):  # a full disk, a closed pipe, a closed file
            sinks.remove(sink)


def moves_cursor(environment: Mapping[str, str]) -> bool:
    """Whether a terminal redraws what it shows; the output of a notebook, which looks like one, keeps every frame."""
    return environment.get("TERM", "") not in _DUMB and not environment.get(_NOTEBOOK)


def _for_people(stream: TextIO, *, quiet: bool, debug: bool, alone: bool) -> Sink:
    if quiet:
        return Lines(line_writer(stream), quiet=True)
    is_terminal = stream.isatty() and moves_cursor(os.environ)
    if is_terminal and alone and not debug:
        return LiveView(stream)
    return Lines(line_writer(stream), debug=debug)


@contextmanager
def _log(name: str | None) -> Iterator[TextIO | None]:
    if name is None or name == "-":
        yield sys.stdout if name else None
        return
    try:
        file = Path(name).open("a", encoding="utf-8", newline="\n")  # noqa: SIM115  closing has its own errors
    except OSError as error:
        if error.errno in FULL:
            raise storage_error(error, name) from error
        raise UsageError(f"{name} cannot be written: {error.strerror}", "choose another for --log-json") from error
    try:
        yield file
    finally:
        with suppress(OSError):  # what is left in the buffer of a full disk: the run matters more
            file.close()
