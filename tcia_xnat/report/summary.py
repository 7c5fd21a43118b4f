"""The last screen of a run: short tables for a terminal or a log."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from tcia_xnat.console import terminal
from tcia_xnat.console.table import Column, FittingTable
from tcia_xnat.core.model import Outcome
from tcia_xnat.progress import size
from tcia_xnat.report.causes import causes, heading, is_file
from tcia_xnat.report.document import Row, series_rows
from tcia_xnat.report.verdict import verdict_of
from tcia_xnat.transfer.work import Run

_COLUMNS = (
    Column("subject", rank=2),
    Column("session"),
    Column("series", rank=1, is_number=True),
    Column("new", rank=4, is_number=True),
    Column("images", rank=1, is_number=True),
    Column("size", rank=3, is_number=True),
)
_EXAMPLES = 3  # series that are named for each cause
_SHOWN = 40  # rows of a table of sessions; all of them are in the files


def summary(run: Run) -> RenderableType:
    """Return the sessions that are in the archive, failures by cause, and the verdict."""
    parts: list[RenderableType] = []
    outcomes, more = run.result.outcomes, "more" if run.unwritten else "more in report.csv"
    if sessions := _sessions(outcomes):
        parts.append(_session_table(sessions, more))
    is_missing = any(outcome.state.is_missing for outcome in outcomes)
    if is_missing:
        parts.append(_causes(series_rows(run), more, in_sessions=bool(run.job.project)))
    parts.append(Text(verdict_of(run), style="bold"))
    if run.unwritten:
        parts.append(Text(f"The report could not be written to {run.job.report_dir}."))
    else:
        parts.append(Text(f"Report: {run.job.report_dir / 'report.html'}; report.json and report.csv beside it"))
    if is_missing and not run.unwritten:
        again = f"To ask for the rest again: {run.job.next_command}"
        parts.append(Text(again, no_wrap=True, overflow="ignore"))  # in one piece, to be copied
    return Group(*parts)


def as_text(shown: RenderableType) -> str:
    """Return what a console would show, as plain text."""
    made = terminal.console(io.StringIO(), width=terminal.WIDE, no_color=True)
    with made.capture() as captured:
        made.print(shown)
    return captured.get()


def _sessions(outcomes: Iterable[Outcome]) -> Mapping[tuple[str, str], list[Outcome]]:
    grouped: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.label and outcome.state.is_in:
            grouped[outcome.label.subject, outcome.label.session].append(outcome)
    return grouped


def _session_table(sessions: Mapping[tuple[str, str], list[Outcome]], more: str) -> RenderableType:
    rows = [
        (
            subject,
            session,
            str(len(outcomes)),
            str(sum(outcome.state.is_new for outcome in outcomes)),
            str(sum(outcome.image_count for outcome in outcomes)),
            size(_bytes(outcomes)),
        )
        for (subject, session), outcomes in sorted(sessions.items())[:_SHOWN]
    ]
    if len(sessions) > _SHOWN:
        rows.append(("", f"… {len(sessions) - _SHOWN} {more}", "", "", "", ""))
    return FittingTable(_COLUMNS, rows)


def _bytes(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.byte_count for outcome in outcomes)


def _causes(rows: Sequence[Row], more: str, *, in_sessions: bool) -> RenderableType:
    """Return what is not in, grouped by cause: the way out, and patients and UIDs that can be copied."""
    by_uid = {row["SeriesInstanceUID"]: row for row in rows}
    found = causes(rows)
    lines: list[str] = []
    for cause in found[:_SHOWN]:
        lines += [f"{heading(cause.series_instance_uids, cause.kind, cause.state)}: {cause.reason}"]
        lines += [f"  what to do: {cause.hint}"] if cause.hint else []
        lines += [_named(by_uid[uid], cause.reason, in_sessions) for uid in cause.series_instance_uids[:_EXAMPLES]]
        if cause.count > _EXAMPLES:
            lines.append(f"  and {cause.count - _EXAMPLES} {more}")
    if len(found) > _SHOWN:
        lines.append(f"causes: {len(found) - _SHOWN} {more}")
    return Text("\n".join([*lines, ""]))


def _named(row: Row, reason: str, in_sessions: bool) -> str:  # noqa: FBT001  as `_causes` has it
    """Return whose series it is; nobody knows that of one that no archive has told anything of."""
    session = row["session"] if in_sessions else ""
    what = "file" if is_file(row["SeriesInstanceUID"], row["kind"]) else "series"
    parts = {"patient": row["PatientID"], "session": session, what: row["SeriesInstanceUID"]}
    where = ", ".join(f"{what} {name}" for what, name in parts.items() if name)
    return f"  {where}" + (f": {row['reason']}" if row["reason"] != reason else "")
