"""How long a run may take: bytes at a rate that was given, that the last run had, or that is assumed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tcia_xnat.core.model import State

ASSUMED_RATE = 20e6  # bytes per second through all lanes
SERIES_SECONDS = 1.0  # of a lane for each series, whatever its size: questions, proof, XNAT's own work
_ENOUGH = 100e6  # bytes that a run must have moved to measure anything


@dataclass(frozen=True, slots=True)
class Estimate:
    """A time in seconds, and what it is made of; `based_on` is `given`, `last_run` or `assumed`.

    `series_seconds` of a lane are added for each series; what the last run measured holds them already.
    """

    seconds: float
    bytes_per_second: float
    based_on: str
    series_seconds: float


def estimate(byte_count: int, series_count: int, transfers: int, rate: float | None, report_dir: Path) -> Estimate:
    """Estimate the time of a run.

    Parameters
    ----------
    rate
        Bytes per second as the user says, else None.
    report_dir
        Where the last run left its report, if there was one.
    """
    measured = None if rate else _last_rate(report_dir / "report.json")
    chosen = rate or measured or ASSUMED_RATE
    based_on = "given" if rate else "last_run" if measured else "assumed"
    each = 0.0 if measured else SERIES_SECONDS
    return Estimate(byte_count / chosen + series_count * each / transfers, chosen, based_on, each)


def _was_moved(row: Mapping[str, Any], ended: str) -> bool:
    """Whether the last run moved a series, and no earlier one."""
    return row["state"] in {State.ARCHIVED, State.HELD} and row.get("recorded", ended) == ended


def _last_rate(report: Path) -> float | None:
    """Return the bytes per second of the last run; None when it moved too little, or there was none."""
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        seconds = (datetime.fromisoformat(found["ended"]) - datetime.fromisoformat(found["started"])).total_seconds()
        moved = sum(row["bytes"] for row in found["series"] if _was_moved(row, found["ended"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return moved / seconds if moved > _ENOUGH and seconds > 1 else None
