"""Events as lines for people: one for each finished series and session, retries and failures as they come."""

import threading
import time
from collections.abc import Callable
from functools import singledispatchmethod

from tcia_xnat.events import (
    BytesArrived,
    Event,
    NotKept,
    PassedOver,
    Planned,
    Retrying,
    SeriesImported,
    SeriesSettled,
    SeriesStarted,
    SessionArchived,
)
from tcia_xnat.manifest import passed_over
from tcia_xnat.model import Label, Series, State

_QUIET_SECONDS = 30.0  # without a line in between, one says that the run is alive


class Lines:
    """Writes one readable line at a time; no cursor movement, so that logs and XNAT's console stay readable.

    Parameters
    ----------
    write
        Writes one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._series_count = self._byte_count = 0
        self._lock = threading.Lock()
        self._done, self._arrived = 0, 0
        self._started = self._last_line = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event; any thread may call."""
        with self._lock:
            self._show(event)

    @singledispatchmethod
    def _show(self, event: Event) -> None:
        """Say nothing of an event that has no line."""

    @_show.register
    def _(self, event: PassedOver) -> None:
        for line in passed_over(event.lines):
            self._line(line)

    @_show.register
    def _(self, event: Planned) -> None:
        self._series_count, self._byte_count = event.series_count, event.byte_count

    @_show.register
    def _(self, event: BytesArrived) -> None:
        self._arrived += event.count
        if time.monotonic() - self._last_line > _QUIET_SECONDS:
            rate = self._arrived / (time.monotonic() - self._started)
            self._line(f"… {size(self._arrived)} of {size(self._byte_count)} arrived, {size(round(rate))}/s")

    @_show.register
    def _(self, event: SeriesImported) -> None:
        self._done += 1
        moved = f"{event.image_count} images, {size(event.byte_count)} from {event.source.upper()}"
        self._line(f"{self._at()} {_named(event.label, event.series)}: {moved} in {event.seconds:.1f} s")

    @_show.register
    def _(self, event: SeriesSettled) -> None:
        outcome = event.outcome
        if outcome.state in {State.FAILED, State.UNAVAILABLE}:
            self._done += outcome.label is not None  # those without a label never were on their way
            where = f"{outcome.label.session} " if outcome.label else ""
            self._line(f"{self._at()} {where}{outcome.series_instance_uid} {outcome.state}: {outcome.reason}")

    @_show.register
    def _(self, event: SessionArchived) -> None:
        self._line(f"archived {event.label.session} of subject {event.label.subject}, {event.series_count} series")

    @_show.register
    def _(self, event: Retrying) -> None:
        self._line(f"again in {event.delay:.0f} s: {event.error}")

    @_show.register
    def _(self, event: NotKept) -> None:
        self._line(f"{event.name} is not in XNAT: {event.error}")

    @_show.register
    def _(self, event: SeriesStarted) -> None:
        """Say nothing: a line for each start would double the log."""

    def _at(self) -> str:
        width = len(str(self._series_count))
        return f"[{self._done:>{width}}/{self._series_count}]"

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self._write(text)


def size(count: float) -> str:
    """Return a number of bytes for people, in decimal units as IDC and TCIA give sizes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004  the step of decimal units
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def _named(label: Label, series: Series) -> str:
    description = series.series_description or series.series_instance_uid
    return f"{label.session} {series.modality} {description}"
