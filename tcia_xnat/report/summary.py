"""The last screen of a run: short tables for a terminal or a log."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tcia_xnat import terminal
from tcia_xnat.model import Outcome
from tcia_xnat.progress import size
from tcia_xnat.report.causes import causes
from tcia_xnat.report.document import Row, next_command, series_rows
from tcia_xnat.report.verdict import verdict
from tcia_xnat.run import Run

_WIDE = 4096  # columns where nobody looks: a log breaks its lines itself
_EXAMPLES = 3  # series that are named for each cause
_SHOWN = 40  # rows of a table of sessions; all of them are in the files


def summary(run: Run) -> RenderableType:
    """Return the sessions that are in the archive, failures by cause, and the verdict."""
    parts: list[RenderableType] = []
    outcomes = run.result.outcomes
    if sessions := _sessions(outcomes):
        parts.append(_session_table(sessions))
    is_missing = any(outcome.state.is_missing for outcome in outcomes)
    if is_missing:
        parts.append(_causes(series_rows(run)))
    parts.append(Text(verdict(run.result, archive=run.job.archive, place=run.job.place), style="bold"))
    parts.append(Text(f"Report: {run.job.report_dir / 'report.html'}; report.json and report.csv beside it"))
    if is_missing:
        again = next_command(run.job.report_dir, run.job.output_dir, run.job.project)
        parts.append(Text(f"To ask for the rest again: {again}"))
    return Group(*parts)


def as_text(shown: RenderableType) -> str:
    """Return what a console would show, as plain text."""
    made = terminal.console(io.StringIO(), width=_WIDE, no_color=True)
    with made.capture() as captured:
        made.print(shown)
    return captured.get()


def console(stream: TextIO) -> Console:
    """Return the console for results, wide enough for its tables when it is no terminal."""
    return terminal.console(stream) if stream.isatty() else terminal.console(stream, width=_WIDE)


def made_table(*columns: str) -> Table:
    """Return an empty table, columns of numbers to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = column in {"series", "images", "size", "new", "patients", "studies", "files"}
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def _sessions(outcomes: Iterable[Outcome]) -> Mapping[tuple[str, str], list[Outcome]]:
    grouped: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.label and outcome.state.is_in:
            grouped[outcome.label.subject, outcome.label.session].append(outcome)
    return grouped


def _session_table(sessions: Mapping[tuple[str, str], list[Outcome]]) -> RenderableType:
    table = made_table("subject", "session", "series", "new", "images", "size")
    for (subject, session), outcomes in sorted(sessions.items())[:_SHOWN]:
        new = sum(outcome.state.is_new for outcome in outcomes)
        images = sum(outcome.image_count for outcome in outcomes)
        table.add_row(subject, session, str(len(outcomes)), str(new), str(images), size(_bytes(outcomes)))
    if len(sessions) > _SHOWN:
        table.add_row("…", f"{len(sessions) - _SHOWN} more in report.csv")
    return table


def _bytes(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.byte_count for outcome in outcomes)


def _causes(rows: Sequence[Row]) -> RenderableType:
    """Return what is not in, grouped by cause: the way out, and patients and UIDs that can be copied."""
    by_uid = {row["SeriesInstanceUID"]: row for row in rows}
    found = causes(rows)
    lines: list[str] = []
    for cause in found[:_SHOWN]:
        lines += [f"{cause.count} series {cause.state}: {cause.reason}"]
        lines += [f"  what to do: {cause.hint}"] if cause.hint else []
        lines += [_named(by_uid[uid], cause.reason) for uid in cause.series_instance_uids[:_EXAMPLES]]
        if cause.count > _EXAMPLES:
            lines.append(f"  and {cause.count - _EXAMPLES} more in report.csv")
    if len(found) > _SHOWN:
        lines.append(f"{len(found) - _SHOWN} more causes in report.csv")
    return Text("\n".join([*lines, ""]))


def _named(row: Row, reason: str) -> str:
    where = f" {row['session']}" if row["session"] else ""
    return f"  {row['SeriesInstanceUID']}{where}" + (f": {row['reason']}" if row["reason"] != reason else "")
