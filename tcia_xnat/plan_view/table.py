"""The plan as tables: by collection, by patient and session, what cannot be had, and what it comes to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.console.table import Column, FittingTable
from tcia_xnat.core.model import Outcome
from tcia_xnat.plan_view.estimate import Estimate
from tcia_xnat.plan_view.rows import CollectionRow, Counts, PlanRows, SessionRow
from tcia_xnat.progress import counted, rough_duration, size

_PATIENTS = 20  # that are shown of many
_EXAMPLES = 3  # series that are named for each reason
_ACTIONS = {"make": "new", "complete": "completed", "archive": "to archive", "leave": "there"}
_BASES = {
    "given": "as given by --rate",
    "last_run": "as the last run into this folder had",
    "assumed": "assumed; --rate gives another",
}
_COLLECTION_COLUMNS = (
    Column("collection"),
    Column("patients", 2, is_number=True),
    Column("sessions", 3, is_number=True),
    Column("series", 4, is_number=True),
    Column("new", 1, is_number=True),
    Column("there", 1, is_number=True),
    Column("images", 5, is_number=True),
    Column("size", 0, is_number=True),
    Column("licence", 0),
    Column("DOI", 6),
)
_SESSION_COLUMNS = (
    Column("patient", 1),
    Column("subject", 7),
    Column("session"),
    Column("date", 6),
    Column("session is", 3),
    Column("new", 2, is_number=True),
    Column("waiting", 5, is_number=True),
    Column("there", 2, is_number=True),
    Column("images", 4, is_number=True),
    Column("size", 1, is_number=True),
)


def plan_table(rows: PlanRows, time: Estimate, where: str, *, whole: bool = False) -> RenderableType:
    """Return a plan for people.

    Parameters
    ----------
    where
        Names the goal.
    whole
        Show all patients, however many there are.
    """
    parts: list[RenderableType] = []
    if rows.collections:
        idle = set() if rows.counts.there else {"there"}
        parts.append(_table(_COLLECTION_COLUMNS, map(_collection, rows.collections), idle))
        parts.append(_sessions(rows.sessions, whole=whole))
    parts += _named(rows.unavailable, "not available")
    parts += _named(rows.filtered, "left out")
    parts.append(Text(_verdict(rows, where), "bold"))
    if rows.counts.new:
        parts.append(Text(_time(time)))
    return Group(*parts)


def _collection(row: CollectionRow) -> list[str]:
    counts = row.counts
    numbers = (row.patients, row.sessions, counts.series, counts.new, counts.there, counts.images)
    name, licence = one_line(row.collection_id) or "(unnamed)", one_line(row.licence) or "not told"
    return [name, *map(_number, numbers), size(counts.byte_count), licence, one_line(" ".join(row.source_dois))]


def _number(count: int) -> str:
    return f"{count:,}"


def _sessions(sessions: tuple[SessionRow, ...], *, whole: bool) -> RenderableType:
    patients = list(dict.fromkeys(row.patient_id for row in sessions))
    shown = set(patients if whole else patients[:_PATIENTS])
    table = _session_table([row for row in sessions if row.patient_id in shown])
    hidden = [row for row in sessions if row.patient_id not in shown]
    if not hidden:
        return table
    more = f"{counted(len(patients) - len(shown), 'more patient')} with {counted(len(hidden), 'session')}"
    return Group(table, Text(f"… and {more}; --all shows them\n"))


def _session_table(sessions: list[SessionRow]) -> FittingTable:
    """Return the table without the columns that would say nothing."""
    idle = set[str]()
    if all(row.label.subject == row.patient_id for row in sessions):
        idle.add("subject")
    if not any(row.counts.waiting for row in sessions):
        idle.add("waiting")
    if not any(row.counts.there for row in sessions):
        idle.add("there")
    return _table(_SESSION_COLUMNS, map(_session, sessions), idle)


def _table(columns: Sequence[Column], rows: Iterable[list[str]], idle: Collection[str]) -> FittingTable:
    kept = [number for number, column in enumerate(columns) if column.name not in idle]
    return FittingTable([columns[number] for number in kept], [[cells[number] for number in kept] for cells in rows])


def _session(row: SessionRow) -> list[str]:
    counts = row.counts
    numbers = (counts.new, counts.waiting, counts.there, counts.images)
    words = (row.patient_id, row.label.subject, row.label.session, row.study_date, _ACTIONS[row.action])
    return [*map(one_line, words), *map(_number, numbers), size(counts.byte_count)]


def _named(outcomes: Iterable[Outcome], what: str) -> list[RenderableType]:
    """Return what is not sent, by reason, with UIDs that can be copied."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for outcome in outcomes:
        grouped[outcome.reason, outcome.hint].append(outcome.series_instance_uid)
    lines: list[str] = []
    for (reason, hint), uids in grouped.items():
        lines += [f"{len(uids):,} series {what}: {one_line(reason)}", *([f"  {one_line(hint)}"] if hint else [])]
        lines += [f"  {one_line(uid)}" for uid in uids[:_EXAMPLES]]
        lines += [f"  and {len(uids) - _EXAMPLES:,} more"] if len(uids) > _EXAMPLES else []
    return [Text("\n".join([*lines, ""]))] if lines else []


def _verdict(rows: PlanRows, where: str) -> str:
    counts = rows.counts
    sessions = sum(row.counts.new > 0 for row in rows.sessions)
    return (
        f"To send: {counts.new:,} series, {counted(counts.images, 'image')}, {size(counts.byte_count)}"
        f" in {counted(sessions, 'session')} to {where}.\n"
        f"{_rest(counts)} Not available: {len(rows.unavailable):,} series."
        + (f" Left out because of their licence: {len(rows.filtered):,} series." if rows.filtered else "")
    )


def _rest(counts: Counts) -> str:
    waiting = f" Sent before, to be archived: {counts.waiting:,} series." if counts.waiting else ""
    return f"There already: {counts.there:,} series.{waiting}"


def _time(time: Estimate) -> str:
    rate = f"{size(time.bytes_per_second)}/s ({_BASES[time.based_on]})"
    each = f" and {time.series_seconds:.0f} s of a lane for each series" if time.series_seconds else ""
    return f"Takes {rough_duration(time.seconds)} at {rate}{each}."
