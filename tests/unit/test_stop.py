"""The wish to end: heard wherever the process waits, without a lock in a signal handler."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Stopped

ROOT = Path(__file__).resolve().parents[2]
HELD_LOCK = """
import os, signal, time
from tcia_xnat.core.cancellation import Stop
stop = Stop()
stop.on_signals()
with stop._wished._cond:  # as deep inside of Event.wait as a signal can come
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
try:
    stop.wait(20)
except Exception as error:
    print(error.exit_code)
"""
HUNG = """
import os, signal, sys, time
from tcia_xnat.core.cancellation import Stop
stop = Stop()
stop.ending_seconds = 0.1
stop.on_signals()
def hang():
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    time.sleep(60)
try:
    stop.supervise(hang)
except Exception as error:
    print(error.exit_code, flush=True)
    os._exit(0)
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["env", "--default-signal=HUP", sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)


def test_a_signal_while_the_lock_of_the_wish_is_held_is_no_deadlock() -> None:
    assert python(HELD_LOCK).stdout == "130\n"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_action_that_hangs_is_left_alone(name: str, code: int) -> None:
    began = time.monotonic()
    assert python(HUNG, name).stdout == f"{code}\n"
    assert time.monotonic() - began < 20


def test_a_second_signal_ends_at_once() -> None:
    code = HUNG.replace("stop.ending_seconds = 0.1", "stop.ending_seconds = 60").replace(
        "    time.sleep(60)", "    time.sleep(0.5)\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)"
    )
    assert python(code, "SIGINT").returncode == 143


def test_nohup_keeps_its_meaning() -> None:
    code = "import signal; from tcia_xnat.core.cancellation import Stop; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "Stop().on_signals(); print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    assert python(code).stdout == "True\n"


def test_an_action_returns_or_raises_to_its_supervisor() -> None:
    assert Stop().supervise(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        Stop().supervise(lambda: 1 // 0)


def test_an_action_that_ends_in_time_has_its_result() -> None:
    stop, asked = Stop(), threading.Event()
    stop.call(asked.set)

    def work() -> str:
        stop.request()
        return "in order" if asked.wait(5) else "not asked"

    assert stop.supervise(work) == "in order"


def test_a_wish_of_the_past_is_heard() -> None:
    stop, heard = Stop(), threading.Event()
    stop.request()
    stop.call(heard.set)
    assert heard.is_set()
    with pytest.raises(Stopped):
        stop.wait(0)


def test_signals_have_their_own_exit_codes() -> None:
    stop = Stop()
    stop._take(signal.SIGHUP)
    assert stop.error().exit_code == 129
