"""One process run to its end: wall time, CPU of it alone, peak memory, peak disk."""

import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.05
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


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
        peaks, ended = _Peaks(process.pid), threading.Event()
        watcher = threading.Thread(target=peaks.watch, args=(ended,))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        ended.set()
        watcher.join()
    return Cost(wall, _cpu(usage), peaks.memory, peaks.disk, process.returncode)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


class _Peaks:
    """Looks at the memory of a process, and at the deleted files that it holds open: its spools.

    `ru_maxrss` is no measure: it begins with what the process had that started this one.
    """

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        self.memory = self.disk = 0

    def watch(self, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_SECONDS):
            with suppress(OSError):  # the process has just ended
                self.disk = max(self.disk, self._disk())
                self.memory = max(self.memory, self._memory())

    def _disk(self) -> int:
        return sum(dict(filter(None, map(_deleted, (self._process / "fd").iterdir()))).values())

    def _memory(self) -> int:
        """Return the most that was ever resident, as the kernel counts it."""
        found = _PEAK.search((self._process / "status").read_text())
        return int(found[1]) * 1024 if found else 0


def _deleted(path: Path) -> tuple[int, int] | None:
    """Return the number of a deleted file and its bytes: one that is held open twice counts once."""
    try:
        status = path.stat()
        return (status.st_ino, status.st_blocks * 512) if str(path.readlink()).endswith("(deleted)") else None
    except OSError:  # closed in between
        return None
