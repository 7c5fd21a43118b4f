"""The last screen of a run, and the plan before it: short tables for a terminal or a log."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tcia_xnat.manifest import passed_over
from tcia_xnat.model import Outcome, Series, State
from tcia_xnat.progress import size
from tcia_xnat.report.causes import causes
from tcia_xnat.report.document import Row, next_command, rows_of, series_rows
from tcia_xnat.report.verdict import verdict
from tcia_xnat.run import Prepared, Run

_WIDE = 4096  # columns where nobody looks: a log breaks its lines itself
_EXAMPLES = 3  # series that are named for each cause
_SHOWN = 40  # rows of a table of sessions; all of them are in the files


def summary(run: Run) -> RenderableType:
    """Return the sessions that are in the archive, failures by cause, and the verdict."""
    parts: list[RenderableType] = []
    outcomes = run.result.outcomes
    if sessions := _sessions(outcomes):
        parts.append(_session_table(sessions))
    is_missing = any(not outcome.state.is_in for outcome in outcomes)
    if is_missing:
        parts.append(_causes(series_rows(run)))
    parts.append(Text(verdict(run.result, archive=run.job.archive, place=run.job.place), style="bold"))
    parts.append(Text(f"Report: {run.job.report_dir / 'report.html'}; report.json and report.csv beside it"))
    if is_missing:
        again = next_command(run.job.report_dir, run.job.output_dir, run.job.project)
        parts.append(Text(f"To ask for the rest again: {again}"))
    return Group(*parts)


def plan_summary(prepared: Prepared, where: str) -> RenderableType:
    """Return what a run would do, by collection and session, and what nobody offers; `where` names the goal."""
    plan = prepared.plan
    send = plan.send
    unavailable = [outcome for outcome in plan.settled if not outcome.state.is_in]
    parts: list[RenderableType] = [_collection_table(prepared)]
    parts += [Text(line) for line in passed_over(prepared.manifest.rejected)]
    labelled = {study.label.session: (study.label.subject, len(study.send)) for study in plan.studies}
    if 0 < len(labelled) <= _SHOWN:
        parts.append(_label_table(labelled))
    if unavailable:
        parts.append(_causes(list(rows_of(unavailable, prepared.catalogue))))
    images, total = sum(series.image_count for series in send), sum(series.byte_count for series in send)
    there = sum(outcome.state is State.PRESENT for outcome in plan.settled)
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
    made = Console(highlight=False, width=_WIDE, file=io.StringIO(), no_color=True)
    with made.capture() as captured:
        made.print(shown)
    return captured.get()


def console() -> Console:
    """Return the console for results: stdout, wide enough for its tables when it is no terminal."""
    made = Console(highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDE)


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
