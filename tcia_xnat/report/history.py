"""The report of a folder over all of its runs.

`report/runs/<UTC time>/` has what each run wrote. `report/` is the latest view of the whole: a series that several runs
have counts as the run says that ended last; rows of series that this run did not take stay, with their time. A run to
another project begins another view; the runs of the first one stay.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tcia_xnat.core.errors import Error, Stopped, UsageError
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.model import State
from tcia_xnat.report.asked import Request, joined
from tcia_xnat.report.document import Document, Row, is_short, outcome_of, requests, tallies
from tcia_xnat.report.read import read_document
from tcia_xnat.report.verdict import verdict
from tcia_xnat.transfer.scheduler import TransferResult

RUNS = "runs"
_SIGNAL = 128  # above it are the exit codes that signals give


def run_folder(report_dir: Path, name: str) -> Path:
    """Make the folder of a run, also for one of several that began in the same second."""
    number = 1
    while True:
        folder = report_dir / RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def whole(report_dir: Path, now: Document) -> Document:
    """Return the report of all runs to the place of this one, which is the last of them."""
    before = [one for one in _earlier(report_dir, set(now["runs"])) if _place(one) == _place(now)]
    return {**now, **_of_all(before, now)} if before else now


def later_rows(documents: Iterable[Document], *, keep_new: bool = False) -> list[Row]:
    """Return one row for each series: as the run says that ended last.

    Parameters
    ----------
    keep_new
        A series that one run brought and a later one found counts as brought: the runs count as one.
    """
    kept: dict[str, Row] = {}
    for document in documents:
        for row in document["series"]:
            uid = row["SeriesInstanceUID"]
            kept[uid] = _later(kept[uid], row, keep_new=keep_new) if uid in kept else row
    return list(kept.values())


def _later(before: Row, row: Row, *, keep_new: bool) -> Row:
    if row["recorded"] < before["recorded"]:
        before, row = row, before
    if row["state"] == State.FILTERED and before["state"] != State.FILTERED:
        return before  # it was not looked at
    if keep_new and row["state"] == State.PRESENT and State(before["state"]).is_new:
        return before
    if row["state"] == State.PRESENT and State(before["state"]).is_in:  # this run did not fetch it
        return {**row, "source": before["source"], "idc_version": before["idc_version"]}
    return row


def _earlier(report_dir: Path, known: set[str]) -> Iterator[Document]:
    """Yield the whole as it was, and the runs that are not in it yet."""
    found = _read(report_dir)
    if found:
        yield found
        known |= set(found["runs"])
    for folder in sorted((report_dir / RUNS).glob("*/")):
        if folder.name not in known and (document := _read(folder)):
            yield document


def _read(folder: Path) -> Document | None:
    try:
        return read_document(folder) if (folder / "report.json").exists() else None
    except UsageError:  # of another version, or damaged: it stays where it is
        return None


def _place(document: Document) -> tuple[str, ...]:
    return document["host"], document["project"], document["place"], "local" if document["source"] == "local" else ""


def _ended_by(document: Document) -> Error | None:
    """Return what ended a run early, None when nothing did."""
    if document["exit_code"] > _SIGNAL:
        return Stopped(document["exit_code"])
    return Error(document["ended_by"]) if document["ended_by"] else None


def _of_all(before: Sequence[Document], now: Document) -> Mapping[str, Any]:
    in_order = [*sorted(before, key=lambda document: str(document["ended"])), now]
    rows = later_rows(in_order)
    asked: list[Request] = joined(request for document in in_order for request in requests(document))
    result = TransferResult(tuple(map(outcome_of, rows)), _ended_by(now))
    is_missing = is_short(rows)
    command = next((document["next_command"] for document in reversed(in_order) if document["next_command"]), "")
    return {
        "verdict": verdict(result, archive=now["archive"], place=now["place"], asked=asked),
        "exit_code": now["exit_code"] or (ExitCode.MISSING if is_missing else ExitCode.DONE),
        "manifest": ", ".join(dict.fromkeys(one.manifest for one in asked)),
        "asked": [one.as_json() for one in asked],
        "runs": list(dict.fromkeys(name for document in in_order for name in document["runs"])),
        **tallies(rows),
        "next_command": command if is_missing else "",
        "series": rows,
    }
