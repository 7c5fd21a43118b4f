"""report.json: all that is to be said of a run, in values from which every other file of the report is made."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.core.markup import doi_url
from tcia_xnat.core.metrics import Measured
from tcia_xnat.core.model import Label, ListRead, Outcome, Series, SourceName, State
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.report.asked import Request, request_of
from tcia_xnat.report.causes import Cause, causes
from tcia_xnat.report.verdict import exit_code, verdict_of
from tcia_xnat.transfer.work import Run

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
    "idc_version",
    "recorded",
)
LICENCE_COLUMNS = ("collection_id", "licence", "source_DOI", "citation", "series")

Row = Mapping[str, Any]
Document = Mapping[str, Any]


def document(run: Run) -> dict[str, Any]:
    """Return what report.json holds of a run."""
    job, result = run.job, run.result
    rows, asked = series_rows(run), request_of(run)
    return {
        "verdict": verdict_of(run),
        "exit_code": exit_code(result),
        "ended_by": str(result.ended_by or ""),
        "tool": f"xnat-tcia-download {__version__}",
        "started": run.started.isoformat(timespec="seconds"),
        "ended": run.ended.isoformat(timespec="seconds"),
        "manifest": run.prepared.manifest.name,
        "asked": [asked.as_json()],
        "runs": [run_name(run)],
        "host": run.host,
        "project": job.project,
        "given_project": job.given_project,
        "place": job.place,
        "archive": job.archive,
        "source": job.source,
        "idc_version": run.prepared.catalogue.idc_version,
        **tallies(rows),
        "output_dir": str(job.output_dir),
        "next_command": job.next_command if is_short(rows) else "",
        "notes": [*run.prepared.notes, *run.prepared.catalogue.notes],
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
    recorded = run.ended.isoformat(timespec="seconds")
    return list(rows_of(run.result.outcomes, run.prepared.catalogue, recorded))


def run_name(run: Run) -> str:
    """Return the name of a run: its time, and its part of the list."""
    part = "-part-{}-of-{}".format(*run.job.shard) if run.job.shard else ""  # parts may start in the same second
    return f"{run.started:%Y%m%dT%H%M%SZ}{part}"


def requests(document: Document) -> Iterator[Request]:
    """Yield the lists that a report is about."""
    for one in document["asked"]:
        shards = tuple((int(number), int(of)) for number, _, of in (text.partition("/") for text in one["shards"]))
        names, uids = tuple(one["licence_filter"]), tuple(one["not_taken"])
        read = tuple(ListRead(**told) for told in one["read"])
        yield Request(**{**one, "shards": shards, "licence_filter": names, "not_taken": uids, "read": read})


def rows_of(outcomes: Iterable[Outcome], catalogue: Catalogue, recorded: str) -> Iterator[Row]:
    """Yield the row of each outcome; `recorded` is the time of the run that says so."""
    for outcome in outcomes:
        series = catalogue.series.get(outcome.series_instance_uid)
        values = _values(outcome, series or Series(outcome.series_instance_uid, "", ""))
        version = catalogue.idc_version if outcome.source is SourceName.IDC else ""
        yield dict(zip(COLUMNS, (*values, version, recorded), strict=True))


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
