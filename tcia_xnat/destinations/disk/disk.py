"""Writing so that nothing half is ever taken for whole: under a temporary name, to the disk, then in one move."""

import errno
import fcntl
import filecmp
import hashlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.errors import FolderError, UsageError
from tcia_xnat.core.storage import FULL, replacing, storage_error, storage_errors
from tcia_xnat.destinations.disk.kept import KeptFile

_TAKEN = {errno.ENOTEMPTY, errno.EEXIST}


class Incoming(Closing):
    """Where series are put together, on the disk of the output folder: `state/incoming`.

    What a killed run has left there is removed by the next one; that of a run which lives is locked, and stays.

    Parameters
    ----------
    root
        The output folder; made when missing.

    Raises
    ------
    UsageError
        Nothing can be written there.
    """

    def __init__(self, root: Path) -> None:
        base = root / "state" / "incoming"
        try:
            base.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # it tells whose images are fetched
            base.mkdir(exist_ok=True)
            _remove_dead(base)
            self._folder, self._lock = _claimed(base)
            self._folder.mkdir()
        except OSError as error:
            if error.errno in FULL:
                raise storage_error(error, root) from error
            raise UsageError(
                f"nothing can be written to {root}: {error.strerror}", "choose another OUTPUT_DIR, or make it writable"
            ) from error

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Return an empty folder, gone afterwards unless it was moved away."""
        made = self._folder / uuid.uuid4().hex
        with disk_errors():
            made.mkdir()
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def _lock_path(self) -> Path:
        return self._folder.with_suffix(".lock")


def write_file(path: Path, chunks: Iterable[bytes]) -> KeptFile:
    """Write a file and wait until the disk has it.

    Raises
    ------
    SpaceError, FolderError
    """
    digest = hashlib.md5(usedforsecurity=False)
    with disk_errors(), path.open("xb", buffering=0) as file:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
            digest.update(chunk)
        os.fsync(file.fileno())
        stat = os.fstat(file.fileno())
        return KeptFile(path.name, stat.st_size, stat.st_mtime_ns, digest.hexdigest())


def move_in(made: Path, target: Path, names: Collection[str], leave: Collection[str]) -> None:
    """Move a folder to where it belongs: in one step where nothing lies there that stays, else file by file.

    In no instant a reader finds an image twice, or a file half.

    Parameters
    ----------
    names
        The files in `made`.
    leave
        Files of `target` that have no successor and are removed. Other people's files stay.

    Raises
    ------
    SpaceError, FolderError
    """
    with disk_errors():
        sync_folder(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _moved(made, target) and not _exchanged(made, target, {*names, *leave}):
            for name in leave:
                (target / name).unlink(missing_ok=True)
            for name in names:
                (made / name).replace(target / name)
            sync_folder(target)
        sync_folder(target.parent)


def add_to(
    made: Path, target: Path, names: Collection[str], *, remove: Collection[str], replace: Collection[str]
) -> None:
    """Move the files of a series into a folder that other series have files in, never in the place of theirs.

    Parameters
    ----------
    names
        The files in `made`.
    remove, replace
        Files of the series in `target` that go, and those that have a successor.

    Raises
    ------
    SpaceError, FolderError
        One of them is that another series took a name meanwhile: then nothing is left of this one.
    """
    added: list[str] = []
    with disk_errors():
        sync_folder(made)
        try:
            for name in sorted(set(names) - set(replace)):
                added += [name] if _is_added(made / name, target / name) else []
        except BaseException:
            for name in added:
                (target / name).unlink()
            raise
        for name in remove:
            (target / name).unlink(missing_ok=True)
        for name in replace:
            (made / name).replace(target / name)
        sync_folder(target)


def _is_added(file: Path, target: Path) -> bool:
    """Move a file to a name that nothing has; return False where the very same lies there.

    Raises
    ------
    FolderError
        Something else has the name.
    """
    try:
        _claim(file, target)
    except FileExistsError as error:
        if filecmp.cmp(file, target, shallow=False):  # another run was faster
            return False
        raise FolderError(
            f"{target.name} is the name of another series' image, too", "choose folders with %SeriesInstanceUID in them"
        ) from error
    return True


def _claim(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with target.open("xb"):
            file.replace(target)


def set_aside(root: Path, path: str) -> str:
    """Move a file below the output folder to where no reader looks for images; return its new path.

    Raises
    ------
    SpaceError, FolderError
    """
    place = root / "state" / "aside" / path
    with disk_errors():
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            place = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):  # another run may have done it
            (root / path).rename(place)
    return str(place.relative_to(root))


def replace_text(path: Path, text: str) -> None:
    """Replace a text file by its successor when that is complete.

    Raises
    ------
    SpaceError, FolderError
    """
    with replacing(path) as file:
        file.write(text)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Let one run at a time, and one thread of it, change what all runs into a folder share."""
    with disk_errors(), (root / "state" / "lock").open("a") as file:
        with suppress(OSError):  # a file system without locks: two runs may lose a line of each other
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def disk_errors() -> AbstractContextManager[None]:
    """Turn what the system says of the disk of the output folder into errors of ours, see `storage_errors`."""
    return storage_errors("the output folder")


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _moved(made: Path, target: Path) -> bool:
    """Move a folder where nothing lies."""
    try:
        made.rename(target)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True


def _exchanged(made: Path, target: Path, gone: Collection[str]) -> bool:
    """Put a folder in the place of another one that holds nothing but files which go; the old one is removed."""
    old = made.with_name(f"{made.name}.old")
    try:
        if target.is_symlink() or not {entry.name for entry in os.scandir(target)} <= set(gone):
            return False
        target.rename(old)
    except OSError:  # another run has just done this, or only the folder itself may be written
        return False
    try:
        return _moved(made, target)
    except OSError:
        old.rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _claimed(base: Path) -> tuple[Path, int]:
    """Return a new name below `base` and the descriptor that holds its lock."""
    while True:
        folder = base / uuid.uuid4().hex
        path = folder.with_suffix(".lock")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        with suppress(OSError):  # as above: then nobody can tell whether we live, and nobody cleans up
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():  # another run may have taken it for a dead one's before it was locked
            return folder, descriptor
        os.close(descriptor)


def _remove_dead(base: Path) -> None:
    """Remove what runs have left that no longer live."""
    for path in base.glob("*.lock"):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)
