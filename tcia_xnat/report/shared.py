"""What of a report leaves for XNAT: labels and UIDs. Names of folders and files are patient data, and stay on disk."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tcia_xnat.core.errors import FolderError, SeriesDamaged, SeriesIncomplete
from tcia_xnat.core.model import Outcome
from tcia_xnat.core.uids import is_uid
from tcia_xnat.transfer.work import Run

_NAMES_FILES = {SeriesDamaged.__name__, SeriesIncomplete.__name__, FolderError.__name__}
_REASON = "a file of it is damaged, lacking or unclear: the report beside the upload's state names it"
_REASONS = re.compile(r" \(.*\)(?=[,:])", re.DOTALL)


def without_paths(run: Run, output_dir: Path) -> Run:
    """Return a run whose report, in `output_dir`, names no folder and no file of its tree."""
    found = run.prepared.catalogue
    files = dict.fromkeys(uid for uid in (*found.missing, *_listed(run)) if not is_uid(uid))
    names = {uid: f"file {number}" for number, uid in enumerate(files, 1)}
    outcomes = tuple(_outcome(one, names) for one in run.result.outcomes)
    missing = {names.get(uid, uid): error for uid, error in found.missing.items()}
    catalogue = replace(found, missing=missing, left_out=_REASONS.sub("", found.left_out))
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


def _listed(run: Run) -> Iterable[str]:
    return (outcome.series_instance_uid for outcome in run.result.outcomes)


def _outcome(outcome: Outcome, names: Mapping[str, str]) -> Outcome:
    uid = names.get(outcome.series_instance_uid, outcome.series_instance_uid)
    hides = outcome.kind in _NAMES_FILES
    return replace(outcome, series_instance_uid=uid, reason=_REASON if hides else outcome.reason)
