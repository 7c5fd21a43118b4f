"""One process run to its end: wall time, CPU of it alone, peak memory, peak disk."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds of wall and CPU, bytes of memory and of nameless files at their peak."""

    wall: float
    cpu: float
    memory: int
    disk: int
    code: int


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Cost:
    """Run a command; its output goes to `log`."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        disk, ended = _Disk(process.pid), threading.Event()
        watcher = threading.Thread(target=disk.watch, args=(ended,))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        ended.set()
        watcher.join()
    return Cost(wall, _cpu(usage), usage.ru_maxrss * 1024, disk.most, process.returncode)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


class _Disk:
    """Looks at the deleted files that a process holds open: its spools."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}/fd")
        self.most = 0

    def watch(self, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_SECONDS):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        try:
            found = dict(filter(None, map(_deleted, self._folder.iterdir())))
        except OSError:  # the process has just ended
            return 0
        return sum(found.values())


def _deleted(path: Path) -> tuple[int, int] | None:
    """Return the number of a deleted file and its bytes: one that is held open twice counts once."""
    try:
        status = path.stat()
        return (status.st_ino, status.st_blocks * 512) if str(path.readlink()).endswith("(deleted)") else None
    except OSError:  # closed in between
        return None
