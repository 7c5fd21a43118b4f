"""Which runs of one output folder are alive: each holds a lock on a file of its own as long as its process lives.

Some file systems know no locks (NFS without its lock service, some FUSE). There nobody can tell whether a run has
ended: it counts as alive and not as over, so what it left in XNAT is taken over when nothing changes there any more.
"""

import fcntl
from pathlib import Path
from typing import IO

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.storage import storage_errors

_NO_LOCK = b"this file system knows no locks\n"


class RunLock(Closing):
    """The lock of one run; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    folder
        Holds the locks; made when missing.
    name
        Name of the run, made of letters, digits and dashes.

    Raises
    ------
    SpaceError, FolderError
        The file of the lock cannot be made.
    """

    def __init__(self, folder: Path, name: str) -> None:
        path = folder / f"{name}.lock"
        with storage_errors(path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("wb", buffering=0)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._file.write(_NO_LOCK)  # for those who see this folder with locks

    def close(self) -> None:
        """Say that the run is over; its file stays, and tells later runs that it was one of this folder."""
        self._file.close()


def is_over(folder: Path, name: str) -> bool:
    """Whether a run of this folder is known to have ended, however it ended."""
    return (folder / f"{name}.lock").exists() and not is_alive(folder, name)


def is_alive(folder: Path, name: str) -> bool:
    """Whether a run of this folder holds its lock, or may hold one that cannot be seen.

    Runs of other folders are not known.
    """
    try:
        with (folder / f"{name}.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return bool(file.read(1))
    except FileNotFoundError:
        return False
    except OSError:  # it is locked, or nobody can tell
        return True
