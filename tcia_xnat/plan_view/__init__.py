"""The plan as people read it before they press go, and the same as JSON."""

import json

from rich.console import Group, RenderableType
from rich.text import Text

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.manifest import passed_over
from tcia_xnat.plan_view.document import document
from tcia_xnat.plan_view.estimate import Estimate, estimate
from tcia_xnat.plan_view.rows import PlanRows, plan_rows
from tcia_xnat.plan_view.table import plan_table
from tcia_xnat.planning.settings import Settings
from tcia_xnat.transfer.work import Prepared


def as_tables(
    prepared: Prepared, job: Settings, where: str, *, rate: float | None = None, whole: bool = False
) -> RenderableType:
    """Return the plan for people; see `plan_table` and, for `rate` in bytes per second, `estimate`."""
    rows, time = _counted(prepared, job, rate)
    passed = (*(one.text for one in prepared.manifest.read), *passed_over(prepared.manifest.rejected))
    noted = (f"note: {note}" for note in (*prepared.notes, *prepared.catalogue.notes))
    return Group(*(Text(one_line(line)) for line in (*passed, *noted)), plan_table(rows, time, where, whole=whole))


def as_json(prepared: Prepared, job: Settings, *, asked_xnat: bool, rate: float | None = None) -> str:
    """Return the plan for programs; see `document`."""
    rows, time = _counted(prepared, job, rate)
    return json.dumps(document(prepared, rows, time, job, asked_xnat=asked_xnat), indent=1)


def _counted(prepared: Prepared, job: Settings, rate: float | None) -> tuple[PlanRows, Estimate]:
    rows = plan_rows(prepared)
    return rows, estimate(rows.counts.byte_count, rows.counts.new, job.transfers, rate, job.report_dir)
