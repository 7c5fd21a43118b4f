"""Rounds of a fuzzer in a process of its own, which may write into one folder only, and may not grow without end.

`SECONDS_EACH` and `SEED` are variables, one second and a fixed seed in CI; a failure names the seed of its round.
"""

import gc
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tcia_xnat.core.errors import Error

SECONDS_EACH = float(os.environ.get("SECONDS_EACH", "0.5"))
SEED = os.environ.get("SEED", "1")
MOST_GROWTH = 1 << 30  # bytes of memory
_MOST_MEMORY = 6 << 30  # bytes of addresses: the machine outlives a fuzzer that finds something
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}

Round = Callable[[random.Random, Path], None]
"""Feeds one reader once, from a die; files may be written into the folder given. An error of ours is a good end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many rounds ran, by how many bytes the process grew, and the seed and traceback of a failure."""

    rounds: int
    growth: int
    seed: str = ""
    failure: str = ""


def run(name: str, one: Round, folder: Path) -> Ended:
    """Run rounds for `SECONDS_EACH` in a child; print what came of it."""
    folder.mkdir(exist_ok=True)
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _child(writable, name, one, folder)
    os.close(writable)
    with os.fdopen(readable) as told:
        said = told.read()
    _, status = os.waitpid(pid, 0)
    ended = Ended(**json.loads(said)) if said else Ended(0, 0, SEED, f"the process ended with {status}")
    print(f"{name}: seed {SEED}, {ended.rounds} rounds, grown by {ended.growth >> 20} MiB")  # noqa: T201  `make soak` shows it
    return ended


def _child(told: int, name: str, one: Round, folder: Path) -> None:
    """Be the child, and never return."""
    gc.freeze()  # what the parent's threads were using must not be collected here
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        warnings.simplefilter("ignore")
        os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
        os.chdir(folder)  # names are relative to it, or to a folder that is open
        sys.addaudithook(_within(folder, told))
        ended = _rounds(name, one, folder)
    except BaseException:  # noqa: BLE001  it is told
        ended = Ended(0, 0, SEED, traceback.format_exc())
    os.write(told, json.dumps(asdict(ended)).encode()[-60_000:])
    os._exit(0)


def _rounds(name: str, one: Round, folder: Path) -> Ended:
    before, count, ends = _memory(), 0, time.monotonic() + SECONDS_EACH
    while time.monotonic() < ends or not count:
        seed = f"{SEED} {name} {count}"
        try:
            one(random.Random(seed), folder)  # noqa: S311  a case that can be repeated
        except Error:
            pass
        except BaseException:  # noqa: BLE001  each is a finding
            return Ended(count, _memory() - before, seed, traceback.format_exc()[-8000:])
        count += 1
    return Ended(count, _memory() - before)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _within(folder: Path, told: int) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses whatever would change a file outside of a folder."""
    inside = str(folder.resolve())

    def check(path: object) -> None:
        place = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else inside
        if place != os.devnull and not place.startswith(inside):
            os.write(told, json.dumps(asdict(Ended(0, 0, SEED, f"{place} would be written"))).encode())
            os._exit(0)  # an exception could be caught by what is tried

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and given[2] & _WRITING:
            check(given[0])
        elif event in _CHANGES:
            for path in given[:2]:
                check(path)

    return hook
