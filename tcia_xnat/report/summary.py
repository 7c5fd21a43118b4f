"""The last screen of a run: short tables for a terminal or a log."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tcia_xnat import terminal
from tcia_xnat.model import Outcome
from tcia_xnat.progress import size
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
    if left := [outcome for outcome in outcomes if not outcome.state.is_in]:
        parts.append(_causes(left))
    parts.append(Text(verdict(run.result, archive=run.job.archive, place=run.job.place), style="bold"))
    parts.append(Text(f"Report: {run.job.report_dir / 'report.json'}, report.csv beside it"))
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


def _causes(outcomes: Iterable[Outcome]) -> RenderableType:
    """Return what is not in, grouped by state and reason: the way out, and UIDs that can be copied."""
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for outcome in outcomes:
        grouped[outcome.state, outcome.reason, outcome.hint].append(outcome.series_instance_uid)
    lines: list[str] = []
    for (state, reason, hint), uids in list(grouped.items())[:_SHOWN]:
        lines += [f"{len(uids)} series {state}: {reason}", *([f"  what to do: {hint}"] if hint else [])]
        lines += [f"  {uid}" for uid in uids[:_EXAMPLES]]
        if len(uids) > _EXAMPLES:
            lines.append(f"  and {len(uids) - _EXAMPLES} more in report.csv")
    if len(grouped) > _SHOWN:
        lines.append(f"{len(grouped) - _SHOWN} more causes in report.csv")
    return Text("\n".join([*lines, ""]))
