"""Which runs of one output folder are alive: each holds a lock on a file of its own as long as its process lives."""

import fcntl
from pathlib import Path
from typing import IO

from tcia_xnat.closing import Closing


class RunLock(Closing):
    """The lock of one run; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    folder
        Holds the locks; made when missing.
    name
        Name of the run, made of letters, digits and dashes.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}.lock"
        self._file: IO[bytes] = self._path.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Say that the run is over; its file stays, and tells later runs that it was one of this folder."""
        self._file.close()


def is_over(folder: Path, name: str) -> bool:
    """Whether a run of this folder has ended, however it ended."""
    return (folder / f"{name}.lock").exists() and not is_alive(folder, name)


def is_alive(folder: Path, name: str) -> bool:
    """Whether a run holds its lock in this folder; runs of other folders are not known."""
    try:
        with (folder / f"{name}.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
