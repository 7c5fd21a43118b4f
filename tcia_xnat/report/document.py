"""report.json: all that is to be said of a run, in values from which every other file of the report is made."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.catalogue import Catalogue
from tcia_xnat.core.markup import doi_url
from tcia_xnat.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.report.causes import Cause, causes
from tcia_xnat.report.verdict import exit_code, verdict
from tcia_xnat.run import Run
from tcia_xnat.timeline import Measured

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
    "kind",
    "StudyDescription",
    "crdc_series_uuid",
)
LICENCE_COLUMNS = ("collection_id", "licence", "source_DOI", "citation", "series")

Row = Mapping[str, Any]
Document = Mapping[str, Any]


def document(run: Run) -> dict[str, Any]:
    """Return what report.json holds of a run."""
    job, result = run.job, run.result
    rows = series_rows(run)
    return {
        "verdict": verdict(result, archive=job.archive, place=job.place),
        "exit_code": exit_code(result),
        "ended_by": str(result.ended_by or ""),
        "tool": f"xnat-tcia-download {__version__}",
        "started": run.started.isoformat(timespec="seconds"),
        "ended": run.ended.isoformat(timespec="seconds"),
        "manifest": run.prepared.manifest.name,
        "host": run.host,
        "project": job.project,
        "given_project": job.given_project,
        "place": job.place,
        "source": job.source,
        "idc_version": run.prepared.catalogue.idc_version,
        **tallies(rows),
        "output_dir": str(job.output_dir),
        "next_command": job.next_command if is_short(rows) else "",
        "rejected_lines": [asdict(line) for line in run.prepared.manifest.rejected],
        "timeline": timeline(run.measured),
        "series": rows,
    }


def tallies(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the rows come to: states, sessions that are in, causes."""
    is_in = [row for row in rows if State(row["state"]).is_in]
    return {
        "states": dict(Counter(State(row["state"]).value for row in rows)),
        "sessions": [
            {"subject": subject, "session": session}
            for subject, session in sorted({(row["subject"], row["session"]) for row in is_in})
        ],
        "causes": [_cause(cause) for cause in causes(rows)],
    }


def series_rows(run: Run) -> list[Row]:
    """Return one row for each series of the manifest, with the columns of report.csv."""
    return list(rows_of(run.result.outcomes, run.prepared.catalogue))


def rows_of(outcomes: Iterable[Outcome], catalogue: Catalogue) -> Iterator[Row]:
    """Yield the row of each outcome."""
    for outcome in outcomes:
        series = catalogue.series.get(outcome.series_instance_uid)
        yield dict(zip(COLUMNS, _values(outcome, series or Series(outcome.series_instance_uid, "", "")), strict=True))


def _values(outcome: Outcome, series: Series) -> tuple[Any, ...]:
    return (
        series.series_instance_uid,
        series.study_instance_uid,
        series.patient_id,
        outcome.label.subject if outcome.label else "",
        outcome.label.session if outcome.label else "",
        outcome.state.value,
        outcome.source.value if outcome.source else "",
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
        outcome.kind,
        series.study_description,
        series.crdc_series_uuid,
    )


def outcome_of(row: Row) -> Outcome:
    """Return the outcome that a row was made of."""
    return Outcome(
        row["SeriesInstanceUID"],
        State(row["state"]),
        Label(row["subject"], row["session"]) if row["session"] else None,
        SourceName(row["source"]) if row["source"] else None,
        row["images"],
        row["bytes"],
        row["seconds"],
        row["reason"],
        row["hint"],
        row["kind"],
        tuple(filter(None, row["notes"].split("; "))),
    )


def licences(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return what is to be heeded and cited: one row for each collection, licence and DOI, with its series."""
    counted = Counter((row["collection_id"], row["licence"], row["source_DOI"]) for row in rows if row["collection_id"])
    return [
        dict(zip(LICENCE_COLUMNS, (*key, doi_url(key[2]), count), strict=True))
        for key, count in sorted(counted.items())
    ]


def is_short(rows: Iterable[Row]) -> bool:
    """Whether a series that was asked for is not in the archive."""
    return any(State(row["state"]).is_missing for row in rows)


def timeline(measured: Measured) -> dict[str, Any]:
    """Return what was measured, as report.json has it."""
    return {
        "bin_seconds": measured.bin_seconds,
        "bytes": {source.value: list(counts) for source, counts in measured.arrived.items()},
        "steps": {step.value: asdict(spent) for step, spent in measured.steps.items()},
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "state": cause.state.value,
        "kind": cause.kind,
        "reason": cause.reason,
        "hint": cause.hint,
        "count": cause.count,
        "series": list(cause.series_instance_uids),
    }
