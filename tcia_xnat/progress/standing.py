"""Where a run stands: counted from its events, by one thread."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatchmethod
from itertools import count

from tcia_xnat.core.events import (
    BytesArrived,
    Ended,
    Event,
    Planned,
    Retrying,
    SeriesImported,
    SeriesLeft,
    SeriesProved,
    SeriesSettled,
    SeriesStarted,
    SessionArchived,
    SessionLeft,
    SessionStep,
)
from tcia_xnat.core.model import Label, Series, SourceName, State

_LONG, _SHORT = 600.0, 20.0  # seconds that the time left, and the rate shown, look back
_SAMPLE = 1.0  # seconds between two samples
NOT_IN = {State.FAILED, State.UNAVAILABLE}


@dataclass(slots=True)
class LaneView:
    """What one lane is at: `arrived` counts bytes from the source, `since` is when its step began.

    `slot` is its place among the lanes, which stays while it lasts.
    """

    slot: int
    series: Series
    label: Label
    source: SourceName
    step: str
    since: float
    arrived: int = 0


@dataclass(slots=True)
class Standing:
    """The numbers of a run; times are seconds of one clock that never goes back.

    Only series that are moved by this run count, and those that nobody can move: what the archive has already is in
    none of the sums.

    Attributes
    ----------
    series_count, byte_count
        What is to be moved, or was asked for and cannot be; None until the run has planned.
    moved_bytes, lost_bytes
        Of the planned bytes, those that are on this side, and those that will not come.
    lanes, sessions
        What is on its way: series by SeriesInstanceUID until their outcome is told, and the step of each session.
    """

    started: float
    series_count: int | None = None
    byte_count: int = 0
    archived_count: int = 0
    failed_count: int = 0
    moved_bytes: int = 0
    lost_bytes: int = 0
    lanes: dict[str, LaneView] = field(default_factory=dict)
    sessions: dict[Label, str] = field(default_factory=dict)
    retry: tuple[float, Retrying] | None = None
    ended: Ended | None = None
    _planned: Mapping[str, int] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _sizes: dict[str, int] = field(default_factory=dict)  # of each series, the part of `moved_bytes` that is its own
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def done_count(self) -> int:
        """How many series are imported or given up."""
        return len(self._done)

    @property
    def busy(self) -> list[LaneView]:
        """The lanes that are at work, each in its place."""
        return sorted((lane for lane in self.lanes.values() if lane.step != "left"), key=lambda lane: lane.slot)

    def take(self, event: Event, now: float) -> None:
        """Count one event."""
        self._take(event, now)

    def sample(self, now: float) -> None:
        """Remember how far the bytes are; rate and time left come from that."""
        if self.series_count is None or (self._samples and now - self._samples[-1][0] < _SAMPLE):
            return
        self._samples.append((now, self.moved_bytes))
        while now - self._samples[0][0] > _LONG:
            self._samples.popleft()

    def rate(self, now: float, seconds: float = _SHORT) -> float:
        """Return bytes per second over the last `seconds`; at the end over all of them."""
        if self.ended:
            seconds = float("inf")
        since = next(((at, moved) for at, moved in self._samples if now - at <= seconds), None)
        if since is None or now <= since[0]:
            return 0.0
        return (self.moved_bytes - since[1]) / (now - since[0])

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest will take at the rate of the last minutes; None when nobody can tell."""
        left = self.byte_count - self.moved_bytes - self.lost_bytes
        rate = self.rate(now, _LONG)
        if left <= 0:
            return 0.0
        return left / rate if rate > 0 else None

    @singledispatchmethod
    def _take(self, event: Event, now: float) -> None:
        """Pass over what moves no number."""

    @_take.register
    def _(self, event: Planned, now: float) -> None:
        self.series_count, self.byte_count, self._planned = event.series_count, event.byte_count, event.sizes
        self.sample(now)

    @_take.register
    def _(self, event: SeriesStarted, now: float) -> None:
        self.lanes.pop(event.series.series_instance_uid, None)
        taken = {lane.slot for lane in self.busy}
        slot = next(number for number in count() if number not in taken)
        self.lanes[event.series.series_instance_uid] = LaneView(
            slot, event.series, event.label, event.source, "fetch", now
        )

    @_take.register
    def _(self, event: BytesArrived, now: float) -> None:
        lane = self.lanes.get(event.series.series_instance_uid)
        if lane is None:
            return
        if lane.step != "fetch":
            lane.step, lane.since = "fetch", now
        lane.arrived += event.count
        self._move(event.series, min(lane.arrived, event.series.byte_count))

    @_take.register
    def _(self, event: SeriesProved, now: float) -> None:
        if lane := self.lanes.get(event.series.series_instance_uid):
            lane.step, lane.since = "send", now

    @_take.register
    def _(self, event: SeriesLeft, now: float) -> None:
        if lane := self.lanes.get(event.series.series_instance_uid):
            lane.step, lane.since = "left", now

    @_take.register
    def _(self, event: SeriesImported, now: float) -> None:
        del now
        self._move(event.series, event.series.byte_count)
        self.lanes.pop(event.series.series_instance_uid, None)
        self._done.add(event.series.series_instance_uid)

    @_take.register
    def _(self, event: SeriesSettled, now: float) -> None:
        del now
        uid = event.outcome.series_instance_uid
        if event.outcome.state is State.NOT_STARTED:  # the run ends: where it stands stays
            self.lanes.pop(uid, None)
            return
        self.failed_count += event.outcome.state in NOT_IN
        self.lanes.pop(uid, None)
        if self.series_count is not None and uid not in self._planned and event.outcome.state in NOT_IN:
            self.series_count += 1
            self._done.add(uid)
        if uid in self._planned and uid not in self._done:  # given up, or found where it was to go
            self._done.add(uid)
            self.lost_bytes += self._planned[uid] - self._sizes.get(uid, 0)

    @_take.register
    def _(self, event: SessionStep, now: float) -> None:
        del now
        self.sessions[event.label] = event.step

    @_take.register
    def _(self, event: SessionLeft, now: float) -> None:
        del now
        self.sessions.pop(event.label, None)

    @_take.register
    def _(self, event: SessionArchived, now: float) -> None:
        del now
        self.sessions.pop(event.label, None)
        self.archived_count += 1

    @_take.register
    def _(self, event: Retrying, now: float) -> None:
        self.retry = (now, event)

    @_take.register
    def _(self, event: Ended, now: float) -> None:
        del now
        self.ended = event
        self.lanes.clear()
        self.sessions.clear()

    def _move(self, series: Series, size: int) -> None:
        before = self._sizes.get(series.series_instance_uid, 0)
        if size > before:
            self._sizes[series.series_instance_uid] = size
            self.moved_bytes += size - before
