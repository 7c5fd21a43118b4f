"""What XNAT does beside answering: queued work, idle sessions, old tokens."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sandbox.xnat.accounts import Accounts, User
from sandbox.xnat.archiver import ArchiveFailed, Archiver, Wish
from sandbox.xnat.builder import BuildFailed
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import QUEUED_ARCHIVING, QUEUED_BUILDING, READY, RECEIVING, Row
from sandbox.xnat.receiver import Receiver
from sandbox.xnat.settings import Settings

_WORKERS = 4
_MINUTE = 60
Result = TypeVar("Result")
_SYSTEM = User("admin", is_admin=True)


class Background:
    """A pool of workers, and one thread that looks at the clock."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        prearchive: Prearchive,
        receiver: Receiver,
        archiver: Archiver,
    ) -> None:
        self._settings, self._accounts, self._prearchive = settings, accounts, prearchive
        self._receiver, self._archiver = receiver, archiver
        self._pool = ThreadPoolExecutor(_WORKERS, "xnat-job")
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="xnat-clock", daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._ticker.start()

    def stop(self) -> None:
        """Finish what is queued."""
        self._ended.set()
        if self._ticker.is_alive():
            self._ticker.join()
        self._pool.shutdown()

    def submit(self, work: Callable[[], Result]) -> "Future[Result]":
        """Queue work."""
        return self._pool.submit(work)

    def _tick(self) -> None:
        while not self._ended.wait(self._settings.session_xml_rebuilder_repeat):
            self.run_due()

    def run_due(self) -> None:
        """Build, and archive where that is set, what nobody has sent to for minutes (xnat-http.md §7.3, §8.6)."""
        self._accounts.sweep_tokens()
        for row in self._prearchive.list_all():
            if self._is_idle(row) and not row.prevent_auto_commit and row.source != "uploader":
                self._finish(row)
        for row in self._prearchive.list_all(direct=True):
            if self._is_idle(row):
                self.archive_direct(row)

    def archive_direct(self, row: Row) -> None:
        """Build a directly archived session where it is and enter it (§8.6)."""
        try:
            if self._prearchive.build(row):
                self._archiver.archive(row, Wish(), _SYSTEM)
        except (BuildFailed, ArchiveFailed):
            return  # the row shows it

    def _is_idle(self, row: Row) -> bool:
        minutes = (self._settings.clock.now() - row.lastmod) // _MINUTE
        is_quiet = minutes >= self._settings.session_xml_rebuilder_interval
        return row.status == RECEIVING and is_quiet and not self._receiver.is_receiving(row)

    def _finish(self, row: Row) -> None:
        try:
            self._wait_in_queue(row, QUEUED_BUILDING)
            if self._status(row) != QUEUED_BUILDING or not self._prearchive.build(row):
                return
            built = self._prearchive.get(row)
            if built and built.status == READY and self._prearchive.archives_by_itself(built):
                wish = Wish(merge=built.is_auto_archive, overwrite_files=built.overwrites)
                self._wait_in_queue(built, QUEUED_ARCHIVING)
                if self._status(built) == QUEUED_ARCHIVING:
                    self._archiver.archive(built, wish, _SYSTEM)
        except (BuildFailed, ArchiveFailed):
            return  # the row shows it

    def _wait_in_queue(self, row: Row, status: str) -> None:
        """Show that a session waits for its turn; what arrives meanwhile takes it out of the queue (§13.7)."""
        self._prearchive.set_status(row, status)
        self._settings.breakpoints.wait("queue")

    def _status(self, row: Row) -> str:
        now = self._prearchive.get(row)
        return now.status if now else ""
