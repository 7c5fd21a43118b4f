"""The last screen of a run, and the plan before it: short tables for a terminal or a log."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tcia_xnat import terminal
from tcia_xnat.job import Prepared, Run
from tcia_xnat.model import Outcome, Series, State
from tcia_xnat.progress import size
from tcia_xnat.report.verdict import verdict

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
    parts.append(Text(verdict(run.result, archive=run.job.archive), style="bold"))
    parts.append(Text(f"Report: {run.job.report_dir / 'report.json'}, report.csv beside it"))
    return Group(*parts)


def plan_summary(prepared: Prepared, project: str, *, asked_xnat: bool) -> RenderableType:
    """Return what a run would do: by collection, by session, and what nobody offers."""
    plan = prepared.plan
    send = plan.send
    unavailable = [outcome for outcome in plan.settled if not outcome.state.is_in]
    parts: list[RenderableType] = [_collection_table(prepared)]
    labelled = {study.label.session: (study.label.subject, len(study.send)) for study in plan.studies}
    if 0 < len(labelled) <= _SHOWN:
        parts.append(_label_table(labelled))
    if unavailable:
        parts.append(_causes(unavailable))
    images, total = sum(series.image_count for series in send), sum(series.byte_count for series in send)
    there = sum(outcome.state is State.PRESENT for outcome in plan.settled)
    where = f"project {project}" if asked_xnat else "a project that holds nothing yet (no XNAT was asked)"
    parts.append(
        Text(
            f"To send: {len(send)} series, {images} images, {size(total)} in {len(plan.studies)} sessions to {where}.\n"
            f"There already: {there} series. Not available: {len(unavailable)} series.",
            style="bold",
        )
    )
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


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = column in {"series", "images", "size", "new", "patients", "studies"}
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def _sessions(outcomes: Iterable[Outcome]) -> Mapping[tuple[str, str], list[Outcome]]:
    grouped: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.label and outcome.state.is_in:
            grouped[outcome.label.subject, outcome.label.session].append(outcome)
    return grouped


def _session_table(sessions: Mapping[tuple[str, str], list[Outcome]]) -> RenderableType:
    table = _table("subject", "session", "series", "new", "images", "size")
    for (subject, session), outcomes in sorted(sessions.items())[:_SHOWN]:
        new = sum(outcome.state is State.ARCHIVED for outcome in outcomes)
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


def _collection_table(prepared: Prepared) -> RenderableType:
    grouped: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in prepared.catalogue.series.values():
        grouped[series.collection_id, series.licence].append(series)
    table = _table("collection", "patients", "studies", "series", "images", "size", "licence")
    for (collection, licence), members in sorted(grouped.items()):
        table.add_row(
            collection,
            str(len({series.patient_id for series in members})),
            str(len({series.study_instance_uid for series in members})),
            str(len(members)),
            str(sum(series.image_count for series in members)),
            size(sum(series.byte_count for series in members)),
            licence,
        )
    return table


def _label_table(labelled: Mapping[str, tuple[str, int]]) -> RenderableType:
    table = _table("subject", "session", "series")
    for session, (subject, count) in sorted(labelled.items()):
        table.add_row(subject, session, str(count))
    return table
