"""What of a report leaves for XNAT: labels and UIDs. Names of folders and files are patient data, and stay on disk."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tcia_xnat.core.uids import is_uid
from tcia_xnat.errors import FolderError, SeriesDamaged, SeriesIncomplete
from tcia_xnat.model import Outcome
from tcia_xnat.run import Run

_NAMES_FILES = {SeriesDamaged.__name__, SeriesIncomplete.__name__, FolderError.__name__}
_REASON = "a file of it is damaged, lacking or unclear: the report beside the upload's state names it"
_REASONS = re.compile(r" \(.*\)(?=[,:])", re.DOTALL)


def without_paths(run: Run, output_dir: Path) -> Run:
    """Return a run whose report, in `output_dir`, names no folder and no file of its tree."""
    outcomes = tuple(_outcome(one, number) for number, one in enumerate(run.result.outcomes, 1))
    catalogue = replace(run.prepared.catalogue, left_out=_REASONS.sub("", run.prepared.catalogue.left_out))
    return replace(
        run,
        job=replace(run.job, output_dir=output_dir, typed=("ROOT", run.job.project)),
        result=replace(run.result, outcomes=outcomes),
        prepared=replace(run.prepared, catalogue=catalogue),
    )


def shared(report: Callable[[Run], Iterable[Path]], folder: Path) -> Callable[[Run], Iterable[Path]]:
    """Return a report that writes all of a run, and returns the files that may leave, which lie in `folder`."""

    def write(run: Run) -> Iterable[Path]:
        list(report(run))
        return report(without_paths(run, folder))

    return write


def _outcome(outcome: Outcome, number: int) -> Outcome:
    uid = outcome.series_instance_uid if is_uid(outcome.series_instance_uid) else f"file {number}"
    hides = outcome.kind in _NAMES_FILES
    return replace(outcome, series_instance_uid=uid, reason=_REASON if hides else outcome.reason)
