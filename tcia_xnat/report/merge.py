"""The reports of several runs as one: of shards side by side, or of one manifest run again and again."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from tcia_xnat.errors import UsageError
from tcia_xnat.model import SourceName, State
from tcia_xnat.report.document import COLUMNS, Document, Row, is_short, outcome_of, tallies
from tcia_xnat.report.verdict import exit_code, verdict
from tcia_xnat.settings import ask_again
from tcia_xnat.timeline import Spent
from tcia_xnat.transfer import TransferResult

_SOME_MISSING = 3
_BINS = 240  # of the merged timeline, at the most


def merge(documents: Sequence[Document], folder: Path) -> dict[str, Any]:
    """Return one report of several of the same project.

    A series that more than one has counts once: as in the archive if one run found or put it there, else as the run
    says that ended last.

    Parameters
    ----------
    documents
        What the report.json of each holds; at least one.
    folder
        Where the merged report will be.

    Raises
    ------
    UsageError
        They are of different projects.
    """
    in_order = sorted(documents, key=lambda document: _when(document, "ended"))
    last = in_order[-1]
    rows = _rows(in_order)
    result = TransferResult(tuple(map(outcome_of, rows)))
    return {
        **last,
        "verdict": verdict(result, place=last["place"]),
        "exit_code": _exit_code(result, in_order),
        "ended_by": "; ".join(dict.fromkeys(filter(None, (document["ended_by"] for document in in_order)))),
        "started": min(in_order, key=lambda document: _when(document, "started"))["started"],
        "manifest": _only(in_order, "manifest"),
        "host": _only(in_order, "host"),
        "project": _one(in_order, "project"),
        "source": _only(in_order, "source"),
        **tallies(rows),
        "next_command": _next_command(last, folder) if is_short(rows) else "",
        "rejected_lines": _distinct(line for document in in_order for line in document["rejected_lines"]),
        "timeline": _timeline(in_order),
        "series": rows,
    }


def _next_command(last: Document, folder: Path) -> str:
    """Return what asks again for what none of the runs brought; an upload has no manifest and asks for its tree."""
    if last["source"] == SourceName.LOCAL:
        return str(last["next_command"])
    return ask_again(folder, last["output_dir"], last["project"])


def _rows(in_order: Iterable[Document]) -> list[Row]:
    kept: dict[str, Row] = {}
    for document in in_order:
        for row in document["series"]:
            before = kept.get(row["SeriesInstanceUID"])
            if before is None or _replaces(row, before):
                kept[row["SeriesInstanceUID"]] = row
    return list(kept.values())


def _replaces(later: Row, earlier: Row) -> bool:
    """Whether a later row takes the place of an earlier one: not of one that says that the series is in."""
    return not State(earlier["state"]).is_in or State(later["state"]).is_new


def _exit_code(result: TransferResult, documents: Iterable[Document]) -> int:
    """Return 0 when all is in, else the code that all runs which failed have, or 3."""
    if not exit_code(result):
        return 0
    codes = {document["exit_code"] for document in documents if document["exit_code"]}
    return codes.pop() if len(codes) == 1 else _SOME_MISSING


def _when(document: Document, key: str) -> datetime:
    return datetime.fromisoformat(document[key])


def _only(documents: Iterable[Document], key: str) -> str:
    return ", ".join(dict.fromkeys(document[key] for document in documents))


def _one(documents: Iterable[Document], key: str) -> str:
    values = sorted({document[key] for document in documents})
    if len(values) > 1:
        raise UsageError(f"these reports are of different projects: {', '.join(values)}", "merge those of one project")
    return str(values[0])


def _distinct(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({tuple(line.items()): line for line in lines}.values())


def _timeline(documents: Sequence[Document]) -> dict[str, Any]:
    """Lay the runs over each other by the clock: bytes that arrived at one time add up."""
    started = min(_when(document, "started") for document in documents)
    seconds = (max(_when(document, "ended") for document in documents) - started).total_seconds()
    bin_seconds = max(document["timeline"]["bin_seconds"] for document in documents)
    while seconds / bin_seconds >= _BINS:
        bin_seconds *= 2
    arrived: dict[str, list[int]] = defaultdict(list)
    for document in documents:
        offset, own = (_when(document, "started") - started).total_seconds(), document["timeline"]["bin_seconds"]
        for source, counts in document["timeline"]["bytes"].items():
            for index, count in enumerate(counts):
                _add(arrived[source], int((offset + index * own) // bin_seconds), count)
    return {"bin_seconds": bin_seconds, "bytes": dict(arrived), "steps": _steps(documents)}


def _add(counts: list[int], index: int, count: int) -> None:
    counts.extend([0] * (index + 1 - len(counts)))
    counts[index] += count


def _steps(documents: Iterable[Document]) -> dict[str, Any]:
    merged: dict[str, Spent] = defaultdict(Spent)
    for document in documents:
        for step, spent in document["timeline"]["steps"].items():
            merged[step] = merged[step].and_others(Spent(**spent))
    return {step: asdict(spent) for step, spent in merged.items()}


def read_document(path: Path) -> Document:
    """Read a report.json, given itself or its folder.

    Raises
    ------
    UsageError
        It is missing, or not a report of this version.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        complete = set(COLUMNS) <= set(document["series"][0] if document["series"] else COLUMNS)
        whole = complete and document["timeline"]["bin_seconds"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(
            f"{file} is no report: {error}", "name folders that hold a report.json, or these files"
        ) from error
    if not whole:
        raise UsageError(f"{file} is a report of another version", "run the same command again to have a new one")
    return cast("Document", document)


def pictures_beside(report: Path) -> list[Path]:
    """Return where the run of a report kept its pictures: OUTPUT_DIR/state/pictures."""
    return [folder for parent in report.resolve().parents if (folder := parent / "state" / "pictures").is_dir()][:1]
