"""Events as JSON lines for programs: one object a line, the same names in all.

Every line has `event` and `ts` (ISO, UTC). Where they apply: `series` and `study` (UIDs), `session` (label), `state`,
`source`, `images`, `bytes`, `seconds`, `attempt`, and `error` with `kind`, `message` and `hint`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

from tcia_xnat.core.errors import Error
from tcia_xnat.core.events import (
    Ended,
    Event,
    NonCommercial,
    Noted,
    NotKept,
    PassedOver,
    Planned,
    Retrying,
    SeriesImported,
    SeriesProved,
    SeriesSettled,
    SeriesStarted,
    SessionArchived,
    SessionStep,
)
from tcia_xnat.manifest import passed_over

Fields = dict[str, Any]


class JsonLines:
    """Writes one line for each event that is worth one.

    A series costs two short lines, so that a log of 10,000 stays below 5 MB; `debug` adds when each started, was
    proved, and came to a step of its session.

    Parameters
    ----------
    write
        Writes one line.
    """

    def __init__(self, write: Callable[[str], None], *, debug: bool = False) -> None:
        self._write, self._debug = write, debug
        self._studies: Mapping[str, str] = {}

    def show(self, event: Event, at: float) -> None:
        """Write an event that was told `at` seconds since the epoch."""
        if isinstance(event, Planned):
            self._studies = event.studies
        fields = _fields(event)
        if not fields or (isinstance(event, SeriesStarted | SeriesProved | SessionStep) and not self._debug):
            return
        if isinstance(event, SeriesSettled):
            fields["study"] = self._studies.get(event.outcome.series_instance_uid, "")
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._write(json.dumps({"event": fields["event"], "ts": stamp} | _some(fields), separators=(",", ":")))

    def tick(self) -> None:
        """Have nothing to do between events."""

    def close(self) -> None:
        """Have nothing left to write."""


@singledispatch
def _fields(event: Event) -> Fields:
    """Return what a line says of an event; nothing for one that has no line."""
    del event
    return {}


@_fields.register
def _(event: PassedOver) -> Fields:
    lists = [_some(asdict(one)) for one in event.read]
    return {"event": "lists_read", "lists": lists, "passed_over": passed_over(event.lines) or None}


@_fields.register
def _(event: Planned) -> Fields:
    return {"event": "planned", "series_count": event.series_count, "bytes": event.byte_count}


@_fields.register
def _(event: NonCommercial) -> Fields:
    return {"event": "non_commercial", "licences": dict(event.licences)}


@_fields.register
def _(event: SeriesStarted) -> Fields:
    return {"event": "series_started", **_series(event), "source": event.source}


@_fields.register
def _(event: SeriesProved) -> Fields:
    return {"event": "series_proved", **_series(event), "images": event.image_count, "bytes": event.byte_count}


@_fields.register
def _(event: SeriesImported) -> Fields:
    return {
        "event": "series_imported",
        "series": event.series.series_instance_uid,
        "source": event.source,
        "bytes": event.byte_count,
        "seconds": round(event.seconds, 1),
    }


@_fields.register
def _(event: Retrying) -> Fields:
    error = event.error
    return {
        "event": "retrying",
        "series": error.series_instance_uid,
        "attempt": error.attempt or None,
        "seconds": round(event.delay, 3),
        "error": _error(error),
    }


@_fields.register
def _(event: SeriesSettled) -> Fields:
    outcome = event.outcome
    error = {"kind": outcome.kind, "message": outcome.reason, "hint": outcome.hint}
    return {
        "event": "series_settled",
        "series": outcome.series_instance_uid,
        "session": outcome.label.session if outcome.label else "",
        "state": outcome.state,
        "bytes": outcome.byte_count,
        "error": error if outcome.reason else None,
    }


@_fields.register
def _(event: SessionStep) -> Fields:
    return {"event": "session_step", "session": event.label.session, "state": event.step}


@_fields.register
def _(event: SessionArchived) -> Fields:
    return {
        "event": "session_archived",
        "session": event.label.session,
        "series_count": event.series_count,
    }


@_fields.register
def _(event: NotKept) -> Fields:
    return {"event": "not_kept", "file": event.name, "error": _error(event.error)}


@_fields.register
def _(event: Noted) -> Fields:
    return {"event": "noted", "message": event.message}


@_fields.register
def _(event: Ended) -> Fields:
    return {
        "event": "ended",
        "exit_code": event.exit_code,
        "verdict": event.verdict,
        "error": _error(event.error) if event.error else None,
    }


def _some(fields: Fields) -> Fields:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value not in ("", None)}


def _series(event: SeriesStarted | SeriesProved) -> Fields:
    return {
        "series": event.series.series_instance_uid,
        "study": event.series.study_instance_uid,
        "session": event.label.session,
    }


def _error(error: Error) -> dict[str, str]:
    return {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
