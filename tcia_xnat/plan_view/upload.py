"""What an upload would do: which folder becomes which subject, session and scan, and what is left out and why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.console.table import Column, FittingTable
from tcia_xnat.core.errors import Error
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.model import Outcome, Series, State
from tcia_xnat.core.uids import is_uid
from tcia_xnat.progress import counted, size
from tcia_xnat.report.verdict import plan_exit_code
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.model import PassedOver, Weight
from tcia_xnat.sources.local.tree import Tree
from tcia_xnat.transfer.work import Prepared

_HOW = {
    Layout.FOLDERS: "subject and session are the names of folders",
    Layout.ZIPS: "subject and session are those of the headers, zips as downloaders leave them",
    Layout.HEADERS: "subject and session are those of the headers",
    Layout.MAPPING: "subject and session are those of the mapping",
}
_HELD, _REFUSED = "cannot be sent: ", "cannot be sent, see below"
_SHOWN = 3  # series that are named for a reason
_SERIES_COLUMNS = (
    Column("folder"),
    Column("subject", rank=3),
    Column("session"),
    Column("scan", rank=2),
    Column("modality", rank=4),
    Column("description", rank=5),
    Column("images", rank=1, is_number=True),
    Column(""),
)
_PASSED_COLUMNS = (
    Column("not sent", rank=1),
    Column("where", rank=3),
    Column("files", rank=2, is_number=True),
    Column("first"),
    Column("why"),
)


def plan_summary(
    prepared: Prepared, tree: Tree, passed_over: Iterable[PassedOver], project: str, *, asked_xnat: bool
) -> RenderableType:
    """Return what an upload would do, series by series, and everything that is left out."""
    listed = list(passed_over)
    parts: list[RenderableType] = [
        Text(f"Layout: {tree.layout} ({_HOW[tree.layout]}: {one_line(tree.why)}); zips: {tree.zip_mode}.")
    ]
    parts += [Text(one_line(f"note: {note}")) for note in (*prepared.notes, *tree.catalogue.notes)]
    if tree.catalogue.series:
        parts.append(_series_table(prepared, tree))
    if numbered := _numbered(prepared, tree):
        parts.append(Text(f"Sessions with a number, because their name is taken: {', '.join(numbered)}.\n"))
    if listed:
        parts.append(_passed_table(listed))
    parts += [Text(f"Cannot be sent: series {uid}: {one_line(str(why))}.") for uid, why in _missing(tree)]
    parts += [Text(one_line(f"Cannot be sent: {said}.")) for said in _refusals(prepared, tree)]
    if tree.catalogue.left_out:
        parts.append(Text(one_line(tree.catalogue.left_out)))
    parts.append(Text(_to_send(prepared, tree, listed, project, asked_xnat=asked_xnat), style="bold"))
    return Group(*parts)


def _missing(tree: Tree) -> list[tuple[str, Error]]:
    """Return the series that have no names; files that are missing stand in their own table."""
    return [(uid, why) for uid, why in tree.catalogue.missing.items() if is_uid(uid)]


def _refused(prepared: Prepared, tree: Tree) -> list[Outcome]:
    """Return the series that could be sent, and may not go where they would."""
    known = tree.catalogue.series.keys() - tree.problems.keys()
    return [one for one in prepared.plan.settled if one.state.is_missing and one.series_instance_uid in known]


def _refusals(prepared: Prepared, tree: Tree) -> Iterator[str]:
    """Yield each reason with the series that it keeps out, and what to do."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in _refused(prepared, tree):
        grouped[one.reason, one.hint].append(one.series_instance_uid)
    for (reason, hint), uids in grouped.items():
        more = f" and {len(uids) - _SHOWN:,} more" if len(uids) > _SHOWN else ""
        yield f"series {', '.join(uids[:_SHOWN])}{more}: {reason}" + (f" ({hint})" if hint else "")


def exit_code(prepared: Prepared, tree: Tree) -> int:
    """Return 0 when everything that is wanted is there or can be sent, else 3."""
    return max(plan_exit_code(prepared.plan), ExitCode.MISSING if tree.problems else ExitCode.DONE)


def _series_table(prepared: Prepared, tree: Tree) -> RenderableType:
    present = {outcome.series_instance_uid for outcome in prepared.plan.settled if outcome.state is State.PRESENT}
    refused = {outcome.series_instance_uid for outcome in _refused(prepared, tree)}
    rows = []
    for uid, series in tree.catalogue.series.items():
        label = prepared.labels[uid]
        rows.append(
            (
                tree.folders[uid],
                label.subject,
                label.session,
                series.series_number,
                series.modality,
                series.series_description,
                str(series.image_count),
                _REFUSED if uid in refused else _remark(series, tree, is_present=uid in present),
            )
        )
    return FittingTable(_SERIES_COLUMNS, rows)


def _remark(series: Series, tree: Tree, *, is_present: bool) -> str:
    uid = series.series_instance_uid
    if uid in tree.problems:
        return f"{_HELD}{tree.problems[uid]}"
    return "is there" if is_present else "; ".join(tree.notes.get(uid, ()))


def _numbered(prepared: Prepared, tree: Tree) -> list[str]:
    """Return the sessions that do not bear the plain name of their folder."""
    asked = {
        prepared.labels[series.series_instance_uid].session: series.folder.session
        for series in tree.catalogue.series.values()
        if series.folder
    }
    return sorted(session for session, name in asked.items() if len(session) > len(name))


def _passed_table(listed: Iterable[PassedOver]) -> RenderableType:
    rows = [
        (
            one.weight if one.weight is Weight.LEFT_OUT else Weight.LOST,
            one.holder,
            str(one.count),
            one.first,
            one.reason,
        )
        for one in listed
    ]
    return FittingTable(_PASSED_COLUMNS, rows)


def _to_send(prepared: Prepared, tree: Tree, listed: Iterable[PassedOver], project: str, *, asked_xnat: bool) -> str:
    plan = prepared.plan
    send = [series for series in plan.send if series.series_instance_uid not in tree.problems]
    images, total = sum(series.image_count for series in send), sum(series.byte_count for series in send)
    there = sum(outcome.state is State.PRESENT for outcome in plan.settled)
    where = f"project {project}" if asked_xnat else "a project that holds nothing yet (no XNAT was asked)"
    left = sum(one.count for one in listed if one.weight is Weight.LEFT_OUT)
    lost = sum(one.count for one in listed if one.weight is not Weight.LEFT_OUT)
    return (
        f"To send: {len(send):,} series, {counted(images, 'image')}, {size(total)}"
        f" in {counted(len(plan.studies), 'session')} to {where}.\n"
        f"There already: {there:,} series. Left out: {counted(left, 'file')}. "
        f"Cannot be sent: {len(tree.problems) + len(_refused(prepared, tree)):,} series, {counted(lost, 'file')}."
    )
