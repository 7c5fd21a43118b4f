"""SQLite files that keep what runs remember."""

import sqlite3
from pathlib import Path

from tcia_xnat.errors import UsageError

_WAIT_SECONDS = 30.0  # for another process that writes into the same file


def open_database(path: Path, schema: str, hint: str) -> sqlite3.Connection:
    """Open a file that only its owner may read, made with its folder when missing; every statement commits itself.

    Parameters
    ----------
    schema
        Statements that make what is not there yet.
    hint
        What to do about a file that cannot be used.

    Raises
    ------
    UsageError
        The file cannot be opened, or is none of ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # what waits where is nobody else's business
        database = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        database.executescript(schema)
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {error.strerror}", "choose a folder that is writable") from error
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be opened: {error}", hint) from error
    return database
