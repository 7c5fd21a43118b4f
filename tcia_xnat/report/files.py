"""The files of a report: report.json for programs, report.csv for tables, report.html for people, failed.tcia."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core.model import SourceName, State
from tcia_xnat.core.storage import replacing
from tcia_xnat.core.tables import table_of
from tcia_xnat.manifest import write_tcia
from tcia_xnat.planning.settings import FAILED
from tcia_xnat.report import licences
from tcia_xnat.report.asked import left_comment
from tcia_xnat.report.citation import datasets
from tcia_xnat.report.document import COLUMNS, Document, document, requests, run_name
from tcia_xnat.report.history import run_folder, whole
from tcia_xnat.sources.idc.index import Dataset
from tcia_xnat.thumbnails import read_pictures
from tcia_xnat.transfer.work import Run

_PICTURE_BYTES = 8_500_000  # of all pictures together; a third more as text in the page


def write(run: Run) -> list[Path]:
    """Write all files of a run, and those of the whole folder; return those of the run.

    report.json comes first and report.html last.

    failed.tcia is there only when series are to be asked for again. An upload has no licences and no manifest: the
    tree is asked for again.
    """
    content, folder, pictures = document(run), run.job.report_dir, [run.job.pictures_dir]
    if run.job.run_name:  # each run has a folder of its own
        return write_files(content, folder, pictures)
    of_run = run_folder(folder, run_name(run))
    content["runs"] = [of_run.name]
    files = write_files(content, of_run, pictures)
    write_files(whole(folder, content), folder, pictures)
    return files


def write_files(content: Document, folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """Write all files of a report; a file is replaced only when its successor is complete.

    Parameters
    ----------
    content
        What report.json holds.
    pictures
        Folders in which pictures of the series may be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = content["series"]
    shown = read_pictures(pictures, (row["SeriesInstanceUID"] for row in rows), _PICTURE_BYTES)
    from tcia_xnat.report.page import page  # noqa: PLC0415  its libraries are loaded when a run is over

    known = datasets({row["source_DOI"] for row in rows if row["source_DOI"]})
    return [
        _replace(folder / "report.json", _json(content)),
        _replace(folder / "report.csv", [table_of(COLUMNS, rows)]),
        *([] if content["source"] == SourceName.LOCAL else _write_for_manifest(folder, content, known)),
        _replace(folder / "report.html", page(content, shown, known)),
    ]


def _json(content: Document) -> Iterator[str]:
    yield from json.JSONEncoder(indent=1, ensure_ascii=False).iterencode(content)
    yield "\n"


def _write_for_manifest(folder: Path, content: Document, known: Mapping[str, Dataset]) -> list[Path]:
    return [*_write_licences(folder, content, known), *_write_failed(folder / FAILED, content)]


def _write_licences(folder: Path, content: Document, known: Mapping[str, Dataset]) -> list[Path]:
    rows = licences.licences(content["series"])
    return [
        _replace(folder / "licences.csv", [table_of(licences.COLUMNS, rows)]),
        _replace(folder / "LICENSES.md", [licences.as_markdown(rows, known)]),
        _replace(folder / "CITATION.bib", [licences.as_bibtex(rows, known)]),
    ]


def _write_failed(path: Path, content: Document) -> list[Path]:
    if by_cause := [uid for cause in content["causes"] for uid in cause["series"]]:
        return [_replace(path, [*_comments(content), write_tcia(by_cause, path.name)])]
    path.unlink(missing_ok=True)
    return []


def _comments(content: Document) -> Iterator[str]:
    """Yield what failed.tcia is the rest of, and why each series is on it."""
    for request in requests(content):
        yield f"{left_comment(request, content['started'])}\n"
    start = 1
    for cause in content["causes"]:
        end = start + cause["count"] - 1
        which = f"Series {start}" if end == start else f"Series {start} to {end}"
        told, reason = State(cause["state"]).told, f": {cause['reason']}" if cause["reason"] else ""
        yield f"# {one_line(f'{which} of this list: {told}{reason}')}\n"
        start = end + 1


def _replace(path: Path, pieces: Iterable[str]) -> Path:
    """Write pieces of text one after the other: the whole of a long report takes memory."""
    with replacing(path) as file:
        file.writelines(pieces)
    return path
