"""Events as lines for people: one for each finished series and session, retries and failures as they come."""

import threading
import time
from collections.abc import Callable, Collection
from functools import singledispatchmethod

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core import licenses
from tcia_xnat.core.events import (
    BytesArrived,
    Event,
    FilesRead,
    NonCommercial,
    Noted,
    NotKept,
    PassedOver,
    Planned,
    Retrying,
    SeriesImported,
    SeriesProved,
    SeriesSettled,
    SeriesStarted,
    SessionArchived,
    SessionStep,
)
from tcia_xnat.core.model import Label, Series, State
from tcia_xnat.core.words import counted
from tcia_xnat.manifest import passed_over
from tcia_xnat.progress.words import size

_QUIET_SECONDS = 30.0  # without a line in between, one says that the run is alive
_RETRY_SECONDS = 30.0  # between two lines of retries: an outage must not fill XNAT's console


class Lines:
    """Writes one readable line at a time; no cursor movement, so that logs and XNAT's console stay readable.

    Parameters
    ----------
    write
        Writes one line.
    debug
        Also tell each step, and each retry with its reason.
    quiet
        Tell only what people must see, also when they want nothing else.
    """

    def __init__(self, write: Callable[[str], None], *, debug: bool = False, quiet: bool = False) -> None:
        self._write, self._debug, self._quiet = write, debug, quiet
        self._series_count = self._byte_count = 0
        self._lock = threading.Lock()
        self._arrived = 0
        self._planned: Collection[str] = ()
        self._done: set[str] = set()  # a series that is sent again is one series
        self._started = self._last_line = time.monotonic()
        self._last_retry, self._untold = float("-inf"), 0

    def __call__(self, event: Event) -> None:
        """Show one event; any thread may call."""
        with self._lock:
            self._show(event)

    def show(self, event: Event, at: float) -> None:
        """Show one event, whenever it was."""
        del at
        self(event)

    def tick(self) -> None:
        """Say that the run is alive when nothing else did for long."""
        with self._lock:
            if self._series_count and time.monotonic() - self._last_line > _QUIET_SECONDS:
                rate = self._arrived / (time.monotonic() - self._started)
                self._line(f"… {size(self._arrived)} of {size(self._byte_count)} arrived, {size(round(rate))}/s")

    def close(self) -> None:
        """Have nothing left to say."""

    @singledispatchmethod
    def _show(self, event: Event) -> None:
        """Say nothing of an event that has no line."""

    @_show.register
    def _(self, event: PassedOver) -> None:
        for line in (*(one.text for one in event.read), *passed_over(event.lines)):
            self._line(line)

    @_show.register
    def _(self, event: Planned) -> None:
        self._series_count, self._byte_count = event.series_count, event.byte_count
        self._planned = event.sizes.keys()

    @_show.register
    def _(self, event: FilesRead) -> None:
        if time.monotonic() - self._last_line > _QUIET_SECONDS or event.count == event.total:
            self._line(f"… {event.count:,} of {event.total:,} files read")

    @_show.register
    def _(self, event: NonCommercial) -> None:
        self._write(one_line(f"warning: {licenses.warning(event.licences)}"))

    @_show.register
    def _(self, event: BytesArrived) -> None:
        self._arrived += event.count

    @_show.register
    def _(self, event: SeriesImported) -> None:
        self._done.add(event.series.series_instance_uid)
        moved = f"{counted(event.image_count, 'image')}, {size(event.byte_count)} from {event.source.told}"
        self._line(f"{self._at()} {_named(event.label, event.series)}: {moved} in {event.seconds:.1f} s")

    @_show.register
    def _(self, event: SeriesSettled) -> None:
        outcome = event.outcome
        if outcome.series_instance_uid in self._planned:  # others never were on their way
            self._done.add(outcome.series_instance_uid)
        if outcome.state in {State.FAILED, State.UNAVAILABLE}:
            where = f"{outcome.label.session} " if outcome.label else ""
            self._line(f"{self._at()} {where}{outcome.series_instance_uid} {outcome.state.told}: {outcome.reason}")

    @_show.register
    def _(self, event: SessionArchived) -> None:
        self._line(f"archived {event.label.session} of subject {event.label.subject}, {event.series_count} series")

    @_show.register
    def _(self, event: Retrying) -> None:
        now = time.monotonic()
        if not self._debug and now - self._last_retry < _RETRY_SECONDS:
            self._untold += 1
            return
        more = f" ({self._untold} more retries before)" if self._untold else ""
        self._line(f"again in {event.delay:.0f} s{self._try(event)}: {event.error}{more}")
        self._last_retry, self._untold = now, 0

    @_show.register
    def _(self, event: NotKept) -> None:
        self._line(f"{event.name} is not in XNAT: {event.error}")

    @_show.register
    def _(self, event: Noted) -> None:
        self._write(one_line(f"note: {event.message}"))

    @_show.register
    def _(self, event: SeriesStarted) -> None:
        self._step(f"{_named(event.label, event.series)}: from {event.source.told}")

    @_show.register
    def _(self, event: SeriesProved) -> None:
        self._step(f"{_named(event.label, event.series)}: {counted(event.image_count, 'image')} proved")

    @_show.register
    def _(self, event: SessionStep) -> None:
        self._step(f"{event.label.session}: {event.step}")

    def _step(self, text: str) -> None:
        if self._debug:
            self._line(f"  {text}")

    def _try(self, event: Retrying) -> str:
        error = event.error
        if not self._debug or not error.attempt:
            return ""
        return f", try {error.attempt + 1} of {error.series_instance_uid or type(error).__name__}"

    def _at(self) -> str:
        width = len(str(self._series_count))
        return f"[{len(self._done):>{width}}/{self._series_count}]"

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        if self._quiet:
            return
        indent = text[: len(text) - len(text.lstrip())]
        self._write(indent + one_line(text))


def _named(label: Label, series: Series) -> str:
    description = series.series_description or series.series_instance_uid
    return f"{label.session} {series.modality} {description}"
