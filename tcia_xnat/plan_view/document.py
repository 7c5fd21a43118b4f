"""The plan as JSON. Names of fields stay; those of series and sessions are the columns of report.csv."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.core.model import Outcome
from tcia_xnat.plan_view.estimate import Estimate
from tcia_xnat.plan_view.rows import CollectionRow, Counts, PlanRows, SessionRow
from tcia_xnat.planning.settings import Settings
from tcia_xnat.transfer.work import Prepared


def document(prepared: Prepared, rows: PlanRows, time: Estimate, job: Settings, *, asked_xnat: bool) -> dict[str, Any]:
    """Return the plan as a value for JSON.

    `read` says how each list was read. `totals`, `collections` and `sessions` count series as `series`, of which `new`
    are sent, `waiting` lie in the prearchive and `there` in the archive; `images` and `bytes` are those of the new
    ones. `unavailable` has those that cannot be had, `filtered` those that are left out on request, each with the
    reason. `action` of a session is `make`, `complete`, `archive` or `leave`. `notes` says what XNAT does with images,
    and what the user may not do.

    Parameters
    ----------
    asked_xnat
        Whether XNAT was asked what it holds; else the plan is that for an empty project, or for a folder.
    """
    return {
        "tool": f"xnat-tcia-download {__version__}",
        "manifest": prepared.manifest.name,
        "read": [asdict(one) for one in prepared.manifest.read],
        "project": job.project,
        "output_dir": str(job.output_dir),
        "asked_xnat": asked_xnat,
        "notes": list(prepared.notes),
        "totals": {
            "patients": len({row.patient_id for row in rows.sessions}),
            "sessions": len(rows.sessions),
            **_counted(rows.counts),
            "unavailable": len(rows.unavailable),
            "filtered": len(rows.filtered),
        },
        "estimate": {
            "seconds": round(time.seconds),
            "bytes_per_second": round(time.bytes_per_second),
            "based_on": time.based_on,
        },
        "collections": [_collection(row) for row in rows.collections],
        "sessions": [_session(row) for row in rows.sessions],
        "series": _series(prepared, rows),
        "unavailable": _reasons(rows.unavailable),
        "filtered": _reasons(rows.filtered),
    }


def _collection(row: CollectionRow) -> dict[str, Any]:
    return {
        "collection_id": row.collection_id,
        "licence": row.licence,
        "source_DOIs": list(row.source_dois),
        "patients": row.patients,
        "sessions": row.sessions,
        **_counted(row.counts),
    }


def _session(row: SessionRow) -> dict[str, Any]:
    return {
        "PatientID": row.patient_id,
        "StudyInstanceUID": row.study_instance_uid,
        "StudyDate": row.study_date,
        "subject": row.label.subject,
        "session": row.label.session,
        "action": row.action,
        **_counted(row.counts),
    }


def _reasons(outcomes: Iterable[Outcome]) -> list[dict[str, str]]:
    return [
        {"SeriesInstanceUID": outcome.series_instance_uid, "reason": outcome.reason, "hint": outcome.hint}
        for outcome in outcomes
    ]


def _counted(counts: Counts) -> dict[str, int]:
    return {
        "series": counts.series,
        "new": counts.new,
        "waiting": counts.waiting,
        "there": counts.there,
        "images": counts.images,
        "bytes": counts.byte_count,
    }


def _series(prepared: Prepared, rows: PlanRows) -> list[dict[str, Any]]:
    return [
        {
            "SeriesInstanceUID": uid,
            "session": prepared.labels[uid].session,
            "Modality": series.modality,
            "SeriesDescription": series.series_description,
            "state": rows.states[uid].value,
            "images": series.image_count,
            "bytes": series.byte_count,
        }
        for uid, series in prepared.catalogue.series.items()
        if uid in rows.states
    ]
