"""What is not in, grouped by cause: the one list that terminal, report.json and report.html show."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.core.model import State
from tcia_xnat.core.uids import is_uid
from tcia_xnat.progress import counted
from tcia_xnat.sources.lookup import NOT_PUBLIC

_VARIES = re.compile(
    r"\d+(?:\.\d+){4,}"  # UIDs
    r"|\b[0-9a-f]{32,64}\b"  # hashes
    r"|\b\d+ of \d+\b"
    r"|\b\d+(?= (?:more )?(?:bytes|images|series|seconds)\b)"
)
_ELLIPSIS = "…"
_ORDER = (State.FAILED, State.UNAVAILABLE, State.NOT_STARTED, State.HELD)  # what waits only waits for the others
_AGAIN = "run the same command again"
_HINTS = {
    "SourceUnreachable": f"{_AGAIN} when the archive answers; nothing that is in is fetched twice",
    "SeriesIncomplete": f"{_AGAIN}; if it stays so, tell the archive which series it does not give out whole",
    "SeriesDamaged": f"{_AGAIN}; if it stays so, tell the archive which series it gives out damaged",
    "SeriesUnavailable": NOT_PUBLIC,
    "SourceError": f"{_AGAIN}; without --source both archives are asked",
    "XnatUnreachable": f"{_AGAIN} when XNAT answers",
    "XnatGarbled": f"look at its session in XNAT, then {_AGAIN}",
    "XnatBusy": f"{_AGAIN} when XNAT is through with the session",
    "AnotherRun": f"{_AGAIN} when the other run has ended",
    "NothingStored": f"look at XNAT's scripts and import filters, as download.py --check does, then {_AGAIN}",
    "XnatRefused": f"settle in XNAT what it says, then {_AGAIN}",
    "ArchiveConflict": f"settle in XNAT what is in the way, then {_AGAIN}",
    "FolderError": f"settle on disk what is in the way, then {_AGAIN}",
    "Stopped": f"{_AGAIN}: it continues where this run ended",
    "": f"{_AGAIN}: it completes the session and archives it",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Series that ended in one way for one reason, and what to do about it; there is always something.

    `reason` has … where the series differ, in numbers and UIDs; each row of the report has its own in full.
    """

    state: State
    kind: str
    reason: str
    hint: str
    series_instance_uids: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many series."""
        return len(self.series_instance_uids)


def causes(rows: Iterable[Mapping[str, Any]]) -> tuple[Cause, ...]:
    """Group those rows of the report that are not in the archive; what failed first, the most frequent cause first.

    Parameters
    ----------
    rows
        As `document.series_rows` makes them: SeriesInstanceUID, state, kind, reason and hint are read.
    """
    grouped: dict[tuple[State, str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if (state := State(row["state"])).is_missing:
            grouped[state, row["kind"], _VARIES.sub(_ELLIPSIS, row["reason"]), row["hint"]].append(row)
    made = (_cause(*key, members) for key, members in grouped.items())
    return tuple(sorted(made, key=lambda cause: (_ORDER.index(cause.state), -cause.count)))


def is_file(name: str, kind: str) -> bool:
    """Whether an outcome is that of files which are, or may be, images, and belong to no series that is known."""
    return kind == SeriesDamaged.__name__ and not is_uid(name)


def heading(names: Collection[str], kind: str, state: State) -> str:
    """Return how a cause begins: how many series, and how they ended; files are told by their reason."""
    if all(is_file(name, kind) for name in names):
        return "not sent"
    return f"{counted(len(names), 'series', 'series')} {state.told}"


def way_out(kind: str) -> str:
    """Return what to do about an error that has no hint of its own; empty where nothing is known to help."""
    return _HINTS.get(kind, "")


def _cause(state: State, kind: str, general: str, hint: str, rows: list[Mapping[str, Any]]) -> Cause:
    reasons = {row["reason"] for row in rows}
    reason = reasons.pop() if len(reasons) == 1 else general
    return Cause(state, kind, reason, hint or way_out(kind) or _AGAIN, tuple(row["SeriesInstanceUID"] for row in rows))
