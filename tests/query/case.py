"""query.py as a process, on a pipe and on a terminal."""

import os
import pty
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tcia_xnat.sources.idc.client import index_path

ROOT = Path(__file__).resolve().parents[2]
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str
    seconds: float  # of CPU: what it takes on an idle machine at the most

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()


def query(*arguments: object, stdin: str = "", script: str = "query.py", **variables: str) -> Done:
    """Run a script of the project on pipes; no variable of the caller points it elsewhere."""
    before = _cpu_seconds()
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        input=stdin,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def on_terminal(*arguments: object, columns: int = 160) -> str:
    """Run query.py with stdout on a terminal of so many columns, and return what it shows."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(ROOT / "query.py"), *map(str, arguments)],
        env=environment(COLUMNS=str(columns), TERM="xterm"),
        stdout=slave,
        stderr=slave,
        stdin=subprocess.DEVNULL,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, _CHUNK):
                shown += chunk
        except OSError:  # how Linux says that the other end has closed
            pass
        finally:
            os.close(master)
    assert process.returncode == 0, shown
    return shown.decode()


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a process that asks the embedded index."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TCIA_XNAT_", "XNAT_"))}
    return inherited | variables


def straight(text: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the parquet itself, under the name INDEX."""
    with duckdb.connect() as database:
        return database.execute(text.replace("INDEX", f"read_parquet('{index_path()}')"), list(values)).fetchall()
