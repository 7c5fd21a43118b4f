"""Whose turn it is to send into a session: runs that meet in one project wait for each other, study by study.

XNAT lets objects into a session of the prearchive in every status. What comes while the session is being archived may
be lost (xnat-http.md §7.1), and no status that is read before an import says what it is during the import. Sessions of
their own for each run would need labels of their own, which XNAT's default script writes into the images as PatientID.
So each session has one run that sends into it, and archives it:

- Every import says in SOURCE which run it is from. XNAT keeps the SOURCE of the import that makes the session, and
  making it or finding it is one step for XNAT: the run that it names has the turn.
- A run looks for the session first. Where it finds no session it takes the turn with one image in a session of another
  label, which is never archived: what a run that comes second sends for that never gets into the session of the first.
  Then it looks who has the turn, makes the session itself by the same image, and deletes the session of the turn.
- Two studies that are to have one label make two sessions for their turns: the one that XNAT made first has it.
- A run that has not the turn sends nothing of the study. It waits until the session is gone, asks the archive what it
  holds, also whether another study has taken the label, and then takes the turn for what is still missing.
- Where a script drops the first image nothing says whose turn it is: the series itself takes it, and if it comes second
  it is at least whole in the session of the other run.
- The session of a run that is over is taken over: at once when the lock in its output folder is free, else when
  nothing has changed in it for as long as the user would wait for XNAT itself.
- A session without our mark belongs to others. Nothing is sent into it.
- A run that was killed between its turn and the session leaves the session of its turn. The next run of its output
  folder deletes it, and any run does when it is older than two days: whose it was nobody can tell then.
"""

import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from tcia_xnat.core.errors import RightsRefused, XnatBusy, XnatError, XnatRefused, XnatUnreachable
from tcia_xnat.core.model import Label
from tcia_xnat.xnat.connection import Body
from tcia_xnat.xnat.prearchive import NothingStored, Prearchive, PrearchiveSession

_RESTING = {"RECEIVING", "RECEIVING_INTERRUPT", "READY", "CONFLICT", "ERROR"}


_OLD = timedelta(days=2)  # more than any difference between clocks and time zones, and than any turn takes


class AnotherRun(XnatBusy):
    """Another run has the turn at the session of a study."""

    retryable = False


class Turns:
    """The turns of one run.

    Parameters
    ----------
    prearchive
        The prearchive of the project.
    left
        URLs of sessions that runs which are over have left, as the ledger tells.
    quiet_seconds
        How long nothing may change in the session of another run before that run counts as dead.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        prearchive: Prearchive,
        left: Collection[str] = (),
        quiet_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prearchive, self._left, self._quiet_seconds, self._clock = prearchive, left, quiet_seconds, clock
        self._lock = threading.Lock()
        self._studies: dict[str, threading.Lock] = {}
        self._mine: set[str] = set()
        self._met: set[str] = set()
        self._seen: dict[str, tuple[str, float]] = {}

    def check(self, label: Label) -> None:
        """Refuse to fetch what could not be sent now.

        Raises
        ------
        AnotherRun
            Another run has the turn.
        XnatRefused
            The session in the prearchive is not of this tool.
        """
        if label.session not in self._mine:
            self._refuse(label, self._prearchive.with_turns())

    def take(self, label: Label, first: Callable[[], Body]) -> None:
        """Take the turn at the session of a label, or keep it.

        Parameters
        ----------
        first
            Makes the zip of one image of the study.

        Raises
        ------
        AnotherRun, XnatRefused
            As `check`.
        """
        with self._lock:
            study = self._studies.setdefault(label.session, threading.Lock())
        with study:
            if label.session in self._mine:
                return
            rows = self._prearchive.with_turns()
            self._refuse(label, rows)
            if not _named(label, rows):
                try:
                    self._begin(label, first)
                except NothingStored:
                    return  # a script drops this image: the series itself takes the turn, and `check` tells whose it is
            self._mine.add(label.session)

    def _begin(self, label: Label, first: Callable[[], Body]) -> None:
        """Take the turn and make the session; from then on the session itself says whose it is."""
        turn, mine = _turn_of(label), ""
        rows: list[PrearchiveSession] = []
        try:
            try:
                mine = self._prearchive.import_series(first(), turn, is_turn=True)
            finally:
                rows = self._prearchive.with_turns()
                self._refuse(label, rows, mine)
            self._prearchive.import_series(first(), label)
        finally:
            for row in rows:
                if row.is_turn and row.label.session == turn.session and self._may_end(row, mine):
                    with suppress(XnatBusy, XnatRefused, XnatUnreachable, RightsRefused):  # it ends when it is quiet
                        self._prearchive.delete(row.url)

    def _may_end(self, row: PrearchiveSession, mine: str) -> bool:
        return row.mark == self._prearchive.mark or (row.url == mine and not self._is_taken(row))

    def go_on(self, label: Label) -> None:
        """Let a study be sent that has met another run: the archive was asked since what it holds now."""
        self._met.discard(label.session)

    def leave(self, label: Label) -> None:
        """Give the turn back: what is sent from now on would go into another session."""
        self._mine.discard(label.session)

    def free(self, labels: Iterable[Label]) -> list[Label]:
        """Return the labels at whose sessions no other run has the turn."""
        rows = self._prearchive.with_turns()
        return [
            label
            for label in labels
            if not any(self._is_taken(row) for row in (*_named(label, rows), *_turns(label, rows)))
        ]

    def _refuse(self, label: Label, rows: Collection[PrearchiveSession], mine: str = "") -> None:
        """Refuse to send where others are; `mine` is the URL of the session that an import for the turn went to."""
        for row in _named(label, rows):
            if not row.mark and row.url not in self._left:
                raise XnatRefused(
                    f"session {label.session} waits in the prearchive ({row.url}), and it is not of this tool",
                    "archive it or delete it in XNAT, then run the same command again",
                )
        before = [row for row in _turns(label, rows) if not mine or row.url <= mine]  # they begin with the time
        if label.session in self._met or any(self._is_taken(row) for row in (*_named(label, rows), *before)):
            self._met.add(label.session)
            raise AnotherRun(f"another run is at session {label.session}")

    def _is_taken(self, row: PrearchiveSession) -> bool:
        if row.mark == self._prearchive.mark:
            return False
        is_resting = row.status in _RESTING
        if is_resting and row.url in self._left:
            return False
        state = f"{row.status} {row.changed}"
        with self._lock:
            before, since = self._seen.get(row.url, ("", 0.0))
            if before != state:
                since = self._clock()
                self._seen[row.url] = state, since
        return not is_resting or self._clock() - since < self._quiet_seconds


def _named(label: Label, rows: Iterable[PrearchiveSession]) -> list[PrearchiveSession]:
    """Return the sessions that an import under a label could go to; labels are compared as XNAT does, without case."""
    return [row for row in rows if not row.is_turn and row.label.session.lower() == label.session.lower()]


def _turns(label: Label, rows: Iterable[PrearchiveSession]) -> list[PrearchiveSession]:
    """Return the sessions that say whose turn it is at a label."""
    named = _turn_of(label).session
    return [row for row in rows if row.is_turn and row.label.session == named]


def _turn_of(label: Label) -> Label:
    """Return the label of the session that says whose turn it is."""
    session = label.session.lower()
    return Label(label.subject, f"{session[:40]}-turn-{zlib.crc32(session.encode()):08x}")


def tidy(prearchive: Prearchive, is_over: Callable[[str], bool], now: datetime) -> None:
    """Delete the sessions of turns that runs which are over have left; what cannot be deleted does no harm.

    Parameters
    ----------
    is_over
        Whether a run, named by its mark, was one of this output folder and has ended.
    """
    with suppress(XnatError):
        for row in prearchive.with_turns():
            if row.is_turn and (is_over(row.mark) or _age(row, now) > _OLD):
                prearchive.delete(row.url)


def _age(row: PrearchiveSession, now: datetime) -> timedelta:
    """Return how long ago XNAT made a session, by the time in its address; 0 when that is not to be read."""
    try:
        made = datetime.strptime(row.url.split("/")[-2], "%Y%m%d_%H%M%S%f")  # noqa: DTZ007  XNAT's own clock and zone
    except (ValueError, IndexError):
        return timedelta()
    return now.replace(tzinfo=None) - made
