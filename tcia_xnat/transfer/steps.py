"""The steps of a run that wait for XNAT, as they are done in a pool: each is the boundary of what one study causes."""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from tcia_xnat.core.errors import FATAL, ArchiveConflict, Error, XnatError, XnatUnreachable
from tcia_xnat.core.events import Step, StepDone, Tell
from tcia_xnat.core.model import Series
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.destinations.xnat import provenance, rejected
from tcia_xnat.destinations.xnat.archive import SessionSteps
from tcia_xnat.destinations.xnat.confirm import Finished, confirm
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.transfer.study import Study
from tcia_xnat.transfer.worker import Lane
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

MEET_SECONDS = 1.0  # between two looks at sessions that other runs are at


def timed(steps: SessionSteps, archive: bool, tell: Tell) -> Finished | Error:  # noqa: FBT001  as below
    """Take the steps of a session, and tell how long they took."""
    started = time.monotonic()
    try:
        return _try_steps(steps, archive)
    finally:
        tell(StepDone(Step.SESSION, time.monotonic() - started))


def _try_steps(steps: SessionSteps, archive: bool) -> Finished | Error:  # noqa: FBT001  a part of `transfer`
    try:
        return steps.run(archive=archive)
    except FATAL:
        raise
    except XnatError as error:
        if isinstance(error, XnatUnreachable) and steps.project.is_away():
            raise
        return error
    except Exception as error:  # noqa: BLE001  whatever one study causes is its own outcome
        return unexpected(error)


def after_others(
    lane: Lane, met: Sequence[tuple[Study, Mapping[str, Series]]]
) -> list[tuple[Study, Finished | Error, Mapping[str, Series]]]:
    """Return the studies whose sessions other runs have left, with what the archive now has of their series.

    Where it has another study under the label of a study, this is the error that says so.
    """
    project = lane.project
    project.patience.wait(MEET_SECONDS)
    labels = ask(project, lambda: lane.turns.free(study.plan.label for study, _ in met)) or ()
    free = [(study, waiting) for study, waiting in met if study.plan.label in labels]
    archived = ask(project, project.archived_sessions) if free else ()
    freed: list[tuple[Study, Finished | Error, Mapping[str, Series]]] = []
    for study, waiting in free if archived is not None else ():
        wanted = {uid: lane.wanted(series) for uid, series in waiting.items()}
        finished: Finished | Error | None = _taken(project, study, archived or ())
        finished = finished or ask(project, partial(confirm, project, study.plan.label, wanted))
        if isinstance(finished, Finished):
            lane.turns.go_on(study.plan.label)
        if finished:
            freed.append((study, finished, waiting))
    return freed


def _taken(project: XnatProject, study: Study, archived: Iterable[ArchivedSession]) -> ArchiveConflict | None:
    """Return the error that says that the archive now has another study under the label of a study."""
    label, uid = study.plan.label, study.plan.study_instance_uid
    for session in archived:
        if session.label.session.lower() == label.session.lower() and session.study_instance_uid != uid:
            record = provenance.read(project, session.experiment_id) or provenance.noted(session)
            if record is None or record.study_instance_uid != uid:
                return ArchiveConflict(
                    f"another run has archived another study as session {label.session} meanwhile",
                    "run the same command again: the study gets a label of its own",
                )
    return None


def try_to_record(lane: Lane, study: tuple[str, str], steps: SessionSteps, series: Mapping[str, Shipment]) -> None:
    """Record series of which XNAT keeps nothing, as far as that works: else another machine sends them once more.

    Then `steps` drop copies in the prearchive of which the record says that nothing more comes of them.
    """
    try:
        rejected.keep(lane.project, study, steps.label, series, lane.keep)
        steps.tidy()
    except FATAL:
        raise
    except Exception:  # noqa: BLE001  a record that is lacking costs time
        return


def try_to_tidy(steps: SessionSteps) -> None:
    """Drop leftovers of a session from the prearchive, as far as that works."""
    try:
        steps.tidy()
    except FATAL:
        raise
    except Exception:  # noqa: BLE001  a copy that stays does no harm
        return
