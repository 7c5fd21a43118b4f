"""The reports of several runs as one: of shards side by side, or of one manifest run again and again."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.metrics import Spent
from tcia_xnat.core.model import Outcome, SourceName, State
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.settings import ask_again
from tcia_xnat.report.asked import Request, joined, named
from tcia_xnat.report.document import Document, Row, is_short, outcome_of, requests, rows_of, tallies
from tcia_xnat.report.history import later_rows
from tcia_xnat.report.verdict import exit_code, verdict
from tcia_xnat.transfer.scheduler import TransferResult

_BEFORE_ALL = "1970-01-01T00:00:00+00:00"
_BINS = 240  # of the merged timeline, at the most


def merge(documents: Sequence[Document], folder: Path) -> dict[str, Any]:
    """Return one report of several of the same project.

    A series that more than one has counts once, as the run says that ended last. A part of a list that is in none of
    them is missing, and so are its series.

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
    asked = joined(request for document in in_order for request in requests(document))
    parts = list(_parts(asked))
    rows = later_rows(in_order, keep_new=True)
    result = TransferResult(tuple(map(outcome_of, rows)))
    rows += _missing_rows(parts, {row["SeriesInstanceUID"] for row in rows})
    return {
        **last,
        "verdict": " ".join([verdict(result, place=last["place"], asked=asked), *(f"{said}." for _, said, _ in parts)]),
        "exit_code": _exit_code(result, in_order) or (ExitCode.MISSING if parts else ExitCode.DONE),
        "ended_by": "; ".join(dict.fromkeys(filter(None, (document["ended_by"] for document in in_order)))),
        "started": min(in_order, key=lambda document: _when(document, "started"))["started"],
        "manifest": _only(in_order, "manifest"),
        "asked": [one.as_json() for one in asked],
        "runs": list(dict.fromkeys(name for document in in_order for name in document["runs"])),
        "host": _only(in_order, "host"),
        "project": _one(in_order, "project"),
        "source": _only(in_order, "source"),
        **tallies(rows),
        "next_command": _next_command(last, folder) if is_short(rows) else "",
        "notes": list(dict.fromkeys(note for document in in_order for note in document["notes"])),
        "rejected_lines": _distinct(line for document in in_order for line in document["rejected_lines"]),
        "timeline": _timeline(in_order),
        "series": rows,
    }


def _next_command(last: Document, folder: Path) -> str:
    """Return what asks again for what none of the runs brought; an upload has no manifest and asks for its tree."""
    if last["source"] == SourceName.LOCAL:
        return str(last["next_command"])
    return ask_again(folder, last["output_dir"], last["project"])


def _parts(asked: Sequence[Request]) -> Iterator[tuple[Request, str, str]]:
    """Yield each list of which parts are in no report, with a sentence and what to do."""
    for one in asked:
        for of, numbers in one.missing_shards.items():
            if numbers:
                parts, verb = ("Part", "is") if len(numbers) == 1 else ("Parts", "are")
                which = f"{parts} {', '.join(map(str, numbers))} of {of} of {one.manifest}"
                again = ", ".join(f"--shard {number}/{of}" for number in numbers)
                yield one, f"{which} {verb} in none of these reports", f"run {again}, and merge again"


def _missing_rows(parts: Iterable[tuple[Request, str, str]], there: Collection[str]) -> Iterator[Row]:
    """Yield a row for each series of a part that is in no report; every run knows better."""
    for request, reason, hint in parts:
        lacking = [uid for uid in request.not_taken if uid not in there]
        outcomes = (Outcome(uid, State.NOT_STARTED, reason=reason, hint=hint) for uid in lacking)
        yield from rows_of(outcomes, Catalogue({}, {}), _BEFORE_ALL)


def notes(documents: Sequence[Document]) -> list[str]:
    """Return what people should know of the reports: parts that come twice, and lists that are not one."""
    every = [request for document in documents for request in requests(document)]
    lists, said = joined(every), []
    if any(one.shards for one in lists) and len(lists) > 1:
        said.append(f"these are reports of different lists: {', '.join(map(named, lists))}")
    counted = Counter((one.manifest, one.digest, part) for one in every for part in one.shards)
    said += [
        f"part {number} of {of} of {manifest} is in {count} reports: its last run counts"
        for (manifest, _, (number, of)), count in counted.items()
        if count > 1
    ]
    return said


def _exit_code(result: TransferResult, documents: Iterable[Document]) -> int:
    """Return 0 when all is in, else the code that all runs which failed have, or 3."""
    if not exit_code(result):
        return 0
    codes = {document["exit_code"] for document in documents if document["exit_code"]}
    return codes.pop() if len(codes) == 1 else ExitCode.MISSING


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


def pictures_beside(report: Path) -> list[Path]:
    """Return where the run of a report kept its pictures: OUTPUT_DIR/state/pictures."""
    return [folder for parent in report.resolve().parents if (folder := parent / "state" / "pictures").is_dir()][:1]
