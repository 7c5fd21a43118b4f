"""The steps of a run that wait for XNAT, as they are done in a pool: each is the boundary of what one study causes."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from tcia_xnat.confirm import Finished, confirm
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.errors import FATAL, Error, XnatError, XnatUnreachable
from tcia_xnat.events import Step, StepDone, Tell
from tcia_xnat.lane import Lane
from tcia_xnat.model import Series
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.session import SessionSteps
from tcia_xnat.transfer_state import Study

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
) -> list[tuple[Study, Finished, Mapping[str, Series]]]:
    """Return the studies whose sessions other runs have left, with what the archive now has of their series."""
    lane.project.patience.wait(MEET_SECONDS)
    labels = ask(lane.project, lambda: lane.turns.free(study.plan.label for study, _ in met)) or ()
    freed = []
    for study, waiting in met:
        if (label := study.plan.label) in labels:
            wanted = {uid: Wanted(series.image_count) for uid, series in waiting.items()}
            if finished := ask(lane.project, partial(confirm, lane.project, label, wanted)):
                freed.append((study, finished, waiting))
    return freed


def try_to_tidy(steps: SessionSteps) -> None:
    """Drop leftovers of a session from the prearchive, as far as that works."""
    try:
        steps.tidy()
    except FATAL:
        raise
    except Exception:  # noqa: BLE001  a copy that stays does no harm
        return
