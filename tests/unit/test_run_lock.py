"""A run is alive as long as its process."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tcia_xnat.core.errors import FolderError
from tcia_xnat.core.run_lock import RunLock, is_alive, is_over

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys, time
from pathlib import Path
from tcia_xnat.core.run_lock import RunLock
lock = RunLock(Path(sys.argv[1]), "run-1")
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert not is_alive(folder, "run-1")
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_alive(folder, "run-1")
        assert not is_alive(folder, "run-2")
        process.send_signal(signal.SIGKILL)
    assert not is_alive(folder, "run-1")


def test_a_run_that_ends_is_known_to_be_over(tmp_path: Path) -> None:
    with RunLock(tmp_path, "run-1"):
        assert is_alive(tmp_path, "run-1")
        assert not is_over(tmp_path, "run-1")
    assert is_over(tmp_path, "run-1")
    assert not is_over(tmp_path, "run-2")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_without_locks_nobody_says_that_a_run_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_file: object, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with RunLock(tmp_path, "run-1"):
            assert is_alive(tmp_path, "run-1")
        assert is_alive(tmp_path, "run-1")
        assert not is_over(tmp_path, "run-1")
        assert not is_alive(tmp_path, "run-2")
    assert is_alive(tmp_path, "run-1")  # seen from a machine that has locks
    assert not is_over(tmp_path, "run-1")


def test_a_lock_that_cannot_be_made_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(FolderError, match="runs"):
        RunLock(tmp_path / "runs", "run-1")
