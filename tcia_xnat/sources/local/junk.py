"""Files that systems and tools leave in any tree, and that are never images; told by their names and sizes alone."""

from pathlib import PurePosixPath

JUNK = "a file that systems leave in any folder"
_NAMES = {".ds_store", "thumbs.db", "desktop.ini"}
_FORKS = "__macosx"  # as macOS packs resource forks
_FORK_SIZE = 4096  # bytes; a scanner's series may be called `._3mm`, and its images are larger
_STORES = {".git", ".hg", ".svn", ".datalad", ".snapshot", ".trashes"}  # what else lies there is a version of the tree


def is_junk(name: str, size: int) -> bool:
    """Whether a file of that name, or path with either slash, is junk of `size` bytes."""
    parts = PurePosixPath(name.replace("\\", "/").lower()).parts
    if not parts:
        return False
    is_fork = parts[-1].startswith("._") and size <= _FORK_SIZE
    return is_fork or parts[-1] in _NAMES or _FORKS in parts[:-1]


def is_junk_folder(name: str) -> bool:
    """Whether a folder of that name holds resource forks, or versions of the tree that a tool keeps."""
    return name.lower() in _STORES | {_FORKS}
