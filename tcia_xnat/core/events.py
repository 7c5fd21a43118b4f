"""What happens while a run goes on, told to whoever shows it: values, no text for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tcia_xnat.core.errors import Error
from tcia_xnat.core.model import Label, ListRead, Outcome, Rejected, Series, SourceName


@dataclass(frozen=True, slots=True)
class PassedOver:
    """How each list was read, and its lines that name no series; none when all did."""

    lines: tuple[Rejected, ...]
    read: tuple[ListRead, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """The run knows what it has to move.

    By SeriesInstanceUID: `sizes` has the bytes of each series that is to be moved, and `studies` the StudyInstanceUID
    of every series asked for.
    """

    series_count: int
    byte_count: int
    sizes: Mapping[str, int] = field(default_factory=dict)
    studies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilesRead:
    """So many files of a tree on disk are known, of all that there are."""

    count: int
    total: int


@dataclass(frozen=True, slots=True)
class NonCommercial:
    """Series are about to be fetched whose licences forbid commercial use: licence → number of series."""

    licences: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SeriesStarted:
    """A lane began to fetch a series."""

    series: Series
    label: Label
    source: SourceName


@dataclass(frozen=True, slots=True)
class BytesArrived:
    """So many bytes of a series arrived from its source."""

    series: Series
    count: int


@dataclass(frozen=True, slots=True)
class SeriesProved:
    """All images of a series, or of a part of a very large one, arrived whole; now XNAT gets them."""

    series: Series
    label: Label
    source: SourceName
    image_count: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class SeriesLeft:
    """A lane is through with a series, whatever came of it: that is told when it is written down."""

    series: Series


@dataclass(frozen=True, slots=True)
class SeriesImported:
    """A proved series is in XNAT's prearchive."""

    series: Series
    label: Label
    source: SourceName
    image_count: int
    byte_count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """Something failed and is tried again after a wait in seconds."""

    error: Error
    delay: float


@dataclass(frozen=True, slots=True)
class SeriesSettled:
    """How a series ended."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SessionStep:
    """A session is at one of its steps: build, archive, confirm."""

    label: Label
    step: str


@dataclass(frozen=True, slots=True)
class SessionLeft:
    """A session ended its steps without being archived: refused, incomplete, or left in the prearchive as asked."""

    label: Label


@dataclass(frozen=True, slots=True)
class SessionArchived:
    """A study is in the archive and was found there whole."""

    label: Label
    uri: str
    series_count: int


class Step(StrEnum):
    """What a series and its session wait for."""

    FETCH = "fetch"  # from the first request to the last byte
    CHECK = "check"  # from the last byte to the proof; what is proved as it arrives is part of the fetch
    IMPORT = "import"  # XNAT takes the zip, or the disk the files
    SESSION = "session"  # build, compare, archive and confirm
    PAUSE = "pause"  # between two tries


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step of a series or session took so many seconds, whatever came of it."""

    step: Step
    seconds: float


@dataclass(frozen=True, slots=True)
class NotKept:
    """A file of the report could not be stored in the project; nothing else depends on it."""

    name: str
    error: Error


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that the user should know, told once, before the first byte moves."""

    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over; `error` is what ended it early, if anything did."""

    exit_code: int
    verdict: str = ""
    error: Error | None = None


Event = (
    PassedOver
    | Planned
    | FilesRead
    | NonCommercial
    | SeriesStarted
    | BytesArrived
    | SeriesProved
    | SeriesLeft
    | SeriesImported
    | Retrying
    | SeriesSettled
    | SessionStep
    | SessionLeft
    | SessionArchived
    | NotKept
    | Noted
    | Ended
    | StepDone
)
Tell = Callable[[Event], None]
"""Called from any thread; must not wait."""


def both(first: Tell, second: Tell) -> Tell:
    """Return a callback that forwards each event to both callbacks."""

    def tell_both(event: Event) -> None:
        first(event)
        second(event)

    return tell_both
