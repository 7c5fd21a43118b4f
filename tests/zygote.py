"""Processes of the tool that start at once: forked from one that has imported everything already.

Importing takes longer than most runs of the tests. A run is a process all the same: its own environment, folder,
streams, signals and exit code. Where the interpreter itself is what is tested (its variables, its start), `subprocess`
is right.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tcia_xnat.report import page

ROOT = Path(__file__).resolve().parents[1]

_IMPORTED = (
    "download",
    "upload",
    "tcia_xnat.jobs.tcia_to_xnat",
    "tcia_xnat.jobs.tcia_to_disk",
    "tcia_xnat.jobs.disk_to_xnat",
    "tcia_xnat.plan_view",
    "tcia_xnat.progress.lines",
    "tcia_xnat.progress.live",
    "tcia_xnat.report",
    "tcia_xnat.verify.job",
    "xnat.session",
    "xnat.exceptions",
    "jinja2",
    "pandas",
    "pygal",
)
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "OPENBLAS", "OMP_")  # variables that count at its start only
_LONGEST = 1 << 20  # bytes of a request
_LOCK = threading.Lock()
_started: list[socket.socket] = []  # none before the first run


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a Python script of the project as `subprocess.run` does, its output captured as text.

    Parameters
    ----------
    arguments
        Interpreter, script, and what the script takes.
    timeout
        Seconds after which it is killed.

    Raises
    ------
    subprocess.TimeoutExpired
    """
    if _needs_an_interpreter(env):
        return subprocess.run(
            arguments, env=env, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        told, tell = os.pipe()
        with os.fdopen(told, encoding="ascii") as told_by:
            _ask(arguments, env, cwd, (out.fileno(), err.fileno(), tell))
            os.close(tell)
            pid = int(told_by.readline())
            watch = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            started = time.monotonic()
            watch.start()
            code = int(told_by.readline())
            watch.cancel()
        if code == -signal.SIGKILL and time.monotonic() - started >= timeout:
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess(list(arguments), code, *texts)


def _text(file: "tempfile._TemporaryFileWrapper[bytes] | io.BufferedRandom") -> str:
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read()), encoding="utf-8").read()


def _needs_an_interpreter(env: Mapping[str, str]) -> bool:
    return any(
        env.get(name) != os.environ.get(name)
        for name in {*env, *os.environ}
        if name.startswith(_OF_THE_INTERPRETER) and name != "PYTHONPATH"
    )


def _ask(arguments: Sequence[str], env: Mapping[str, str], cwd: Path, descriptors: Sequence[int]) -> None:
    request = json.dumps({"arguments": list(arguments[1:]), "env": dict(env), "cwd": str(cwd)}).encode()
    with _LOCK:
        if not _started:
            _started.append(_start())
        socket.send_fds(_started[0], [request], list(descriptors))


def _start() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "tests.zygote", str(theirs.fileno())]
    process = subprocess.Popen(line, pass_fds=[theirs.fileno()], cwd=ROOT, env=environment)
    theirs.close()
    atexit.register(_end, ours, process)
    return ours


def _end(ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
    ours.close()
    process.wait()


# ---- in the process that has imported everything


def _serve(server: socket.socket) -> dict[str, object] | None:
    """Fork for each request; return it in the child, None at the end of the requests."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(server, _LONGEST, 3)
        if not request:
            return None
        if os.fork() == 0:
            return _watched(server, json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watched(server: socket.socket, request: dict[str, object], descriptors: Sequence[int]) -> dict[str, object]:
    """Fork once more: the one that stays tells the number of the other process, and how it ended."""
    out, err, tell = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    server.close()
    if pid := os.fork():
        os.write(tell, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(tell)
    for descriptor, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return request


def _become(request: dict[str, object]) -> None:
    """Be the process that was asked for."""
    arguments, env, cwd = request["arguments"], request["env"], request["cwd"]
    assert isinstance(arguments, list)
    assert isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(str(cwd))
    random.seed()
    tempfile.tempdir = None
    sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).parent)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", errors="backslashreplace")
    runpy.run_path(arguments[0], run_name="__main__")


def main() -> None:
    """Import, and fork for each request until the other end is closed."""
    for name in _IMPORTED:
        importlib.import_module(name)
    page.template(page.REPORT)  # compiling it takes as long as many a run
    gc.freeze()  # what is imported is never collected, so that its memory stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that tell
    with contextlib.suppress(KeyboardInterrupt):
        server = socket.socket(fileno=int(sys.argv[1]))
        if request := _serve(server):
            _become(request)


if __name__ == "__main__":
    main()
