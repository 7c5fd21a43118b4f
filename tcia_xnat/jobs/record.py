"""The record of a run: what is known of it at any moment, so that every ending has its report.

A run works in a thread of its own and writes down what it learns. Whatever ends it, an error of a server, a defect of
ours, or a wish to end that it cannot hear since it hangs, the thread that waits for it makes the report of the record.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error, Stopped, UsageError
from tcia_xnat.core.events import Event, SeriesSettled, Tell, both
from tcia_xnat.core.metrics import Timeline
from tcia_xnat.core.model import Outcome
from tcia_xnat.core.storage import storage_error
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.jobs.prepare import asked_part
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.plan import Plan
from tcia_xnat.planning.settings import Settings
from tcia_xnat.planning.settle import missing_outcome, unbegun_outcome
from tcia_xnat.transfer.scheduler import TransferResult
from tcia_xnat.transfer.work import Prepared, Run

_PLANNING_SECONDS = 1.0  # nothing has moved yet
_MOVING_SECONDS = 7.0  # what is in flight has four seconds, then the report is written
_KEEPING_SECONDS = 1.5  # the report is on disk, and goes to XNAT if that is quick

_LOGGER = logging.getLogger(__name__)


class RunRecord:
    """What is known of one run; its own thread writes, any thread may read.

    Parameters
    ----------
    job
        What the run is asked to do.
    host
        Address of XNAT; empty for a run to disk.

    Attributes
    ----------
    manifest, catalogue, prepared, result
        What is asked for, what is known of it, the plan, and how the transfer ended; None as long as it is not known.
    is_moving
        Whether the first byte may have moved.
    reported
        The run as its report tells it; None as long as there is no report.
    """

    def __init__(self, job: Settings, host: str = "") -> None:
        self.job, self.host = job, host
        self.manifest: Manifest | None = None
        self.catalogue: Catalogue | None = None
        self.prepared: Prepared | None = None
        self.result: TransferResult | None = None
        self.is_moving = False
        self.reported: Run | None = None
        self._files: list[Path] = []
        self._reporting = threading.Lock()
        self._started, self._timeline = datetime.now(UTC), Timeline()
        self._settled: dict[str, Outcome] = {}

    def tell(self, event: Event) -> None:
        """Take note of an event; any thread may call."""
        self._timeline(event)
        if isinstance(event, SeriesSettled):
            self._settled[event.outcome.series_instance_uid] = event.outcome

    def ending_seconds(self) -> float:
        """Return how long the run may take to end after it was asked to."""
        if self.reported:
            return _KEEPING_SECONDS
        return _MOVING_SECONDS if self.is_moving else _PLANNING_SECONDS

    def run(self, ended_by: Error | None = None) -> Run:
        """Return the run as far as it is known: every series that was asked for has an outcome.

        Parameters
        ----------
        ended_by
            What ended the run from outside of its transfer.
        """
        manifest = self.manifest or Manifest("", ())
        prepared = self.prepared or Prepared(manifest, self.catalogue or Catalogue({}, {}), {}, Plan((), ()))
        result = self.result or TransferResult(tuple(self._outcomes(ended_by or Stopped())), ended_by)
        if result.ended_by is None and ended_by is not None:
            result = replace(result, ended_by=ended_by)
        measured = self._timeline.measured()
        return Run(self.job, prepared, result, self._started, datetime.now(UTC), self.host, measured)

    def report(self, *reports: "Reports", ended_by: Error | None = None) -> tuple[Run, list[Path]]:
        """Write the report, once: the run itself may come to its end while it is left alone.

        Parameters
        ----------
        ended_by
            As `run` has it.

        Returns
        -------
        tuple
            The run as it is reported, with the error that kept the report from being written, and the files.
        """
        with self._reporting:
            if self.reported is None:
                self.reported, self._files = _written(self.run(ended_by), reports)
            return self.reported, self._files

    def _outcomes(self, error: Error) -> Iterator[Outcome]:
        """Yield an outcome for each series that was asked for; those that nothing is known of share the error."""
        settled = dict(self._settled)
        for outcome in self._planned(error):
            yield settled.pop(outcome.series_instance_uid, outcome)
        yield from settled.values()

    def _planned(self, error: Error) -> Iterator[Outcome]:
        if self.prepared:
            yield from self.prepared.plan.settled
            for study in self.prepared.plan.studies:
                for series in (*study.send, *(series for series, _ in study.imported)):
                    yield unbegun_outcome(series.series_instance_uid, error, study.label)
        elif self.catalogue:
            part = asked_part(self.job, self.catalogue)
            yield from (missing_outcome(uid, reason) for uid, reason in part.missing.items())
            yield from (unbegun_outcome(uid, error) for uid in part.series)
        elif self.manifest and not self.job.shard:  # whose part a series is, its patient tells, who is not known
            yield from (unbegun_outcome(uid, error) for uid in self.manifest.series_instance_uids[: self.job.limit])


Reports = Callable[[Run], Iterable[Path]]
"""Writes the report of a run; returns its files."""


def recorded(record: RunRecord, work: Callable[[Tell], Run], stop: Stop, tell: Tell, report: Reports) -> Run:
    """Carry out a run so that it ends with its report, whatever ends it.

    Parameters
    ----------
    work
        The run itself, up to its report; it keeps the record.
    report
        Writes the report of a run that does not come that far.

    Raises
    ------
    Error
        The request itself is wrong or was not understood: then there is nothing to report.
    """
    try:
        return stop.supervise(lambda: work(both(record.tell, tell)), record.ending_seconds)
    except Exception as error:
        ended_by = unexpected(error)
        if type(ended_by) is Error:
            _LOGGER.debug("a defect ended the run", exc_info=error)
    if record.manifest is None or (record.catalogue is None and isinstance(ended_by, UsageError)):
        raise ended_by
    if isinstance(ended_by, Stopped) or ended_by is stop.cause:  # where all is done, only the copy in XNAT is missing
        return record.report(report, ended_by=ended_by)[0]
    return _written(record.run(ended_by), [report])[0]


def _written(done: Run, reports: Iterable[Reports]) -> tuple[Run, list[Path]]:
    """Write the report of a run; return the run, with the error that kept the report from being written, and its files.

    A report that cannot be written costs neither the summary nor what the run came to.
    """
    files: list[Path] = []
    try:
        for report in reports:
            files.extend(report(done))
    except OSError as error:
        return replace(done, unwritten=storage_error(error, done.job.report_dir)), files
    except Exception as error:  # noqa: BLE001  as above
        return replace(done, unwritten=unexpected(error)), files
    return done, files
