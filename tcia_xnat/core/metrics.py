"""Where the time of a run went: bytes over time by source, and seconds by step; a few hundred numbers at the most."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tcia_xnat.core.events import BytesArrived, Event, Retrying, SeriesStarted, Step, StepDone
from tcia_xnat.core.model import SourceName

_BINS = 240  # at the most: then two become one


@dataclass(frozen=True, slots=True)
class Spent:
    """How often a step was taken, and how long that took, in seconds."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def and_another(self, seconds: float) -> "Spent":
        """Return it with one more."""
        return self.and_others(Spent(1, seconds, seconds))

    def and_others(self, others: "Spent") -> "Spent":
        """Return it with others of the same step."""
        return Spent(self.count + others.count, self.seconds + others.seconds, max(self.longest, others.longest))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a run.

    Attributes
    ----------
    bin_seconds
        Length of each interval, a power of two; the first begins with the run.
    arrived
        By source the bytes of each interval, up to the last in which any arrived.
    steps
        By step what it took, over all lanes.
    """

    bin_seconds: int = 1
    arrived: Mapping[SourceName, tuple[int, ...]] = field(default_factory=dict)
    steps: Mapping[Step, Spent] = field(default_factory=dict)


class Timeline:
    """Listens to a run; any thread may call.

    Parameters
    ----------
    clock
        Tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._started = clock, clock()
        self._lock = threading.Lock()
        self._bin_seconds = 1
        self._sources: dict[str, SourceName] = {}
        self._arrived: dict[SourceName, list[int]] = defaultdict(lambda: [0] * _BINS)
        self._steps: dict[Step, Spent] = defaultdict(Spent)

    def __call__(self, event: Event) -> None:
        """Note an event, if it is one of those that count."""
        with self._lock:
            if isinstance(event, BytesArrived):
                self._add(self._sources[event.series.series_instance_uid], event.count)
            elif isinstance(event, SeriesStarted):
                self._sources[event.series.series_instance_uid] = event.source
            elif isinstance(event, StepDone):
                self._steps[event.step] = self._steps[event.step].and_another(event.seconds)
            elif isinstance(event, Retrying):
                self._steps[Step.PAUSE] = self._steps[Step.PAUSE].and_another(event.delay)

    def measured(self) -> Measured:
        """Return what was measured so far."""
        with self._lock:
            used = max((_used(counts) for counts in self._arrived.values()), default=0)
            arrived = {source: tuple(counts[:used]) for source, counts in sorted(self._arrived.items())}
            return Measured(
                self._bin_seconds, arrived, {step: self._steps[step] for step in Step if step in self._steps}
            )

    def _add(self, source: SourceName, count: int) -> None:
        while (index := int((self._clock() - self._started) / self._bin_seconds)) >= _BINS:
            self._bin_seconds *= 2
            for counts in self._arrived.values():
                counts[:] = [*map(sum, zip(counts[::2], counts[1::2], strict=True)), *[0] * (_BINS // 2)]
        self._arrived[source][index] += count


def _used(counts: list[int]) -> int:
    return max((number for number, count in enumerate(counts, 1) if count), default=0)
