"""The workflow by which XNAT shows a running command (xnat-container-command.md §3.3): its percentage and its step."""

import logging
import threading

from tcia_xnat.core.errors import Error
from tcia_xnat.core.events import Event, Planned, SeriesImported, SeriesSettled, SessionArchived
from tcia_xnat.core.model import Outcome, State
from tcia_xnat.core.words import counted
from tcia_xnat.xnat.connection import XnatConnection

_LOST = {State.FAILED, State.UNAVAILABLE}
_MOST = 99  # per cent: the end is for the service to see
_PAUSE_SECONDS = 60.0
_ANSWER_SECONDS = 30.0
_FIELDS = ("wrk:workflowData/percentageComplete", "wrk:workflowData/step_description")

_LOGGER = logging.getLogger(__name__)


class WorkflowProgress:
    """Tells XNAT once a minute how far the run is; never its status, by which the service would end the container.

    Best effort: a failure is forgotten. It is told events from any thread, and asks from a thread of its own. A series
    counts once, and only if this run has planned to send it.

    Parameters
    ----------
    workflow_id
        XNAT_WORKFLOW_ID of the container.
    pause
        Seconds between two updates.
    """

    def __init__(self, workflow_id: str, pause: float = _PAUSE_SECONDS) -> None:
        self._path = f"/data/workflows/{workflow_id}"
        self._pause = pause
        self._planned, self._sessions = 0, 0
        self._sent: frozenset[str] = frozenset()
        self._done: set[str] = set()
        self._lost: set[str] = set()
        self._ended = threading.Event()

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Planned):
            self._planned, self._sent = event.series_count, frozenset(event.sizes)
        elif isinstance(event, SeriesImported):
            self._done.add(event.series.series_instance_uid)
        elif isinstance(event, SeriesSettled):
            self._settle(event.outcome)
        elif isinstance(event, SessionArchived):
            self._sessions += 1

    def _settle(self, outcome: Outcome) -> None:
        uid = outcome.series_instance_uid
        if uid in self._sent or uid in self._done:
            self._done.add(uid)
            if outcome.state in _LOST:
                self._lost.add(uid)

    def start(self, connection: XnatConnection) -> None:
        """Begin to tell XNAT."""
        threading.Thread(target=self._tell, args=[connection], name="workflow", daemon=True).start()

    def close(self) -> None:
        """Tell no more."""
        self._ended.set()

    def fields(self) -> dict[str, str]:
        """Return what XNAT is told now."""
        done, lost = len(self._done), len(self._lost)
        percentage = min(100 * done // self._planned, _MOST) if self._planned else 0
        failed = f"{lost} failed, " if lost else ""
        step = f"{done - lost} of {self._planned} series in, {failed}{counted(self._sessions, 'session')} archived"
        return dict(zip(_FIELDS, (str(percentage), step if self._planned else "planning"), strict=True))

    def _tell(self, connection: XnatConnection) -> None:
        told: dict[str, str] = {}
        while not self._ended.is_set():
            if (fields := self.fields()) != told:
                told = fields
                try:
                    connection.ask("PUT", self._path, fields, seconds=_ANSWER_SECONDS)
                except Error as error:
                    _LOGGER.info("the workflow was not told: %s", error)
            self._ended.wait(self._pause)
