"""report.json for programs, report.csv for tables, failed.tcia as the next manifest."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.manifest import write_tcia
from tcia_xnat.model import Outcome, Series, State
from tcia_xnat.report.verdict import exit_code, state_counts, verdict
from tcia_xnat.run import Run

COLUMNS = (
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "subject",
    "session",
    "state",
    "source",
    "collection_id",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "StudyDate",
    "images",
    "bytes",
    "seconds",
    "licence",
    "source_DOI",
    "reason",
    "hint",
    "notes",
)

_LICENCE_COLUMNS = ("collection_id", "licence", "source_DOI", "citation", "series")


def write(run: Run) -> list[Path]:
    """Write all files into the job's report folder; return them, report.json first.

    A file is replaced only when its successor is complete. failed.tcia is there only when series are to be asked
    for again.
    """
    folder = run.job.report_dir
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(series_rows(run))
    document = json.dumps(_document(run, rows), indent=1, ensure_ascii=False) + "\n"
    return [
        _replace(folder / "report.json", document),
        _replace(folder / "report.csv", _table(COLUMNS, rows)),
        _replace(folder / "licences.csv", _table(_LICENCE_COLUMNS, _licences(rows))),
        *_write_failed(folder / "failed.tcia", run),
    ]


def series_rows(run: Run) -> Iterator[dict[str, Any]]:
    """Yield one row for each series of the manifest, with the columns of report.csv."""
    for outcome in run.result.outcomes:
        series = run.prepared.catalogue.series.get(outcome.series_instance_uid)
        yield dict(zip(COLUMNS, _values(outcome, series or Series(outcome.series_instance_uid, "", "")), strict=True))


def _values(outcome: Outcome, series: Series) -> tuple[Any, ...]:
    return (
        series.series_instance_uid,
        series.study_instance_uid,
        series.patient_id,
        outcome.label.subject if outcome.label else "",
        outcome.label.session if outcome.label else "",
        outcome.state,
        outcome.source or "",
        series.collection_id,
        series.modality,
        series.series_number,
        series.series_description,
        series.study_date,
        outcome.image_count,
        outcome.byte_count,
        round(outcome.seconds, 3),
        series.licence,
        series.source_doi,
        outcome.reason,
        outcome.hint,
        "; ".join(outcome.notes),
    )


def _document(run: Run, rows: list[dict[str, Any]]) -> dict[str, Any]:
    job, result = run.job, run.result
    sessions = {(row["subject"], row["session"]) for row in rows if State(row["state"]).is_in}
    return {
        "verdict": verdict(result, archive=job.archive, place=job.place),
        "exit_code": exit_code(result),
        "ended_by": str(result.ended_by or ""),
        "tool": f"xnat-tcia-download {__version__}",
        "started": run.started.isoformat(timespec="seconds"),
        "ended": run.ended.isoformat(timespec="seconds"),
        "manifest": run.prepared.manifest.name,
        "project": job.project,
        "source": job.source,
        "states": {state.value: count for state, count in state_counts(result.outcomes).items()},
        "sessions": [{"subject": subject, "session": session} for subject, session in sorted(sessions)],
        "rejected_lines": [asdict(line) for line in run.prepared.manifest.rejected],
        "series": rows,
    }


def _licences(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is to be heeded and cited: one row for each collection, licence and DOI, with its series."""
    counted = Counter((row["collection_id"], row["licence"], row["source_DOI"]) for row in rows if row["collection_id"])
    return [
        dict(zip(_LICENCE_COLUMNS, (*key, f"https://doi.org/{key[2]}" if key[2] else "", count), strict=True))
        for key, count in sorted(counted.items())
    ]


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_failed(path: Path, run: Run) -> list[Path]:
    again = [outcome.series_instance_uid for outcome in run.result.outcomes if not outcome.state.is_in]
    path.unlink(missing_ok=True)
    return [_replace(path, write_tcia(again, path.name))] if again else []


def _replace(path: Path, text: str) -> Path:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # two runs may report into one folder
    part.write_text(text, encoding="utf-8", newline="")
    return part.replace(path)
