"""SQLite files that keep what runs remember: one opener, one mapping of errors.

A state file is a memory, never the truth. One that is damaged, foreign, or of an older version is moved aside, with one
message, and begun again: what it knew is asked of XNAT or read from the disk once more.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tcia_xnat.core.errors import Error, FolderError, SpaceError, UsageError
from tcia_xnat.core.storage import FULL, storage_error

_WAIT_SECONDS = 30.0  # for another process that writes into the same file
_COMPANIONS = ("", "-journal", "-wal", "-shm")  # SQLite would play the journal of one file into its successor
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY = 0xFF  # the lower bits of an extended code

Say = Callable[[str], None]
"""Told what people must know of a state file."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a state file holds.

    Attributes
    ----------
    version
        Raised with every change of tables or of what values mean; kept in the file as `user_version`.
    statements
        Make what is not there yet.
    foreign
        Queries that find a row where something is no value of ours.
    without
        What happens without the file, for people.
    """

    version: int
    statements: str
    foreign: tuple[str, ...] = ()
    without: str = "nothing is lost"


class _Unusable(Exception):
    """A file that can be read and is no state file of this version."""


def open_database(
    path: Path, schema: Schema, *, writes: bool = True, say: Say = lambda _text: None
) -> sqlite3.Connection:
    """Open a state file that only its owner may read, made with its folder when missing.

    Every statement commits itself, and any thread may use the connection, one at a time.

    Parameters
    ----------
    writes
        False opens a file that is there, and never writes to it nor moves it.
    say
        Told when an unusable file was moved aside.

    Raises
    ------
    UsageError
        The folder is not writable, the file is of a newer version of the tool, or it is unusable and `writes` is
        False.
    SpaceError, FolderError
        The disk does not take it.
    """
    try:
        return _opened(path, schema, writes=writes)
    except (_Unusable, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.DatabaseError) and not _is_damage(error):
            raise _told(error, path) from error
        if not writes:
            raise UsageError(f"the state {path} cannot be opened: {error}", f"{schema.without} without it") from error
        aside = _move_aside(path)
        say(f"{path} cannot be used ({error}): moved aside to {aside.name}; {schema.without}")
    try:
        return _opened(path, schema, writes=True)
    except (_Unusable, sqlite3.Error) as error:
        raise _told(error, path) from error


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a file into errors of ours.

    Raises
    ------
    SpaceError
        No room, no inodes, read-only: SQLite cannot tell them apart.
    FolderError
        Anything else.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _told(error, path) from error


def _told(error: Exception, path: Path) -> Error:
    code = _code(error)
    if code in _NO_ROOM:
        return SpaceError(
            f"the state {path} cannot be written: {error}",
            f"free some space or inodes on the disk of {path.parent}, or make it writable; "
            "then run the same command again: it continues",
        )
    if code in _BUSY:
        return FolderError(f"the state {path} is in use by another run: {error}", "run again when that has ended")
    return FolderError(f"the state {path} is unusable: {error}", "run the same command again: it is moved aside then")


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


def _is_damage(error: sqlite3.Error) -> bool:
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ:
        return True  # the file was cut
    return _code(error) not in _NO_ROOM | _BUSY


def _opened(path: Path, schema: Schema, *, writes: bool) -> sqlite3.Connection:
    try:
        if writes:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)  # what waits where is nobody else's business
    except OSError as error:
        if error.errno in FULL:
            raise storage_error(error, path) from error
        raise UsageError(f"{path} cannot be opened: {error.strerror}", "choose a folder that is writable") from error
    name = path.absolute().as_uri() + ("" if writes else "?mode=ro")
    database = sqlite3.connect(name, _WAIT_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
    try:
        _check(database, path, schema)
        if writes:
            database.executescript(schema.statements)
            if _number(database, "PRAGMA user_version") != schema.version:
                database.execute(f"PRAGMA user_version = {schema.version}")
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Raise what is wrong with a file; an empty one is right.

    Raises
    ------
    _Unusable, sqlite3.DatabaseError, UsageError
    """
    version = _number(database, "PRAGMA user_version")
    if version > schema.version:
        raise UsageError(
            f"{path} was written by a newer version of this tool",
            "use that version, or name another folder",
        )
    found = _tables(database)
    if not found:
        return
    with closing(sqlite3.connect(":memory:")) as wanted:
        wanted.executescript(schema.statements)
        if found != _tables(wanted):
            raise _Unusable("it holds other tables" if version == schema.version else "it is of an older version")
    with closing(database.execute("PRAGMA quick_check(1)")) as rows:
        if (said := str(rows.fetchone()[0])) != "ok":
            raise _Unusable(said.splitlines()[-1])
    for query in schema.foreign:
        with closing(database.execute(query)) as rows:
            if rows.fetchone():
                raise _Unusable("it holds values that are not ours")


def _tables(database: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    with closing(database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")) as rows:
        names = [str(name) for (name,) in rows]
    found = {}
    for name in names:
        with closing(database.execute("SELECT name FROM pragma_table_info(?)", [name])) as rows:
            found[name] = [str(column) for (column,) in rows]
    return found


def _number(database: sqlite3.Connection, query: str) -> int:
    with closing(database.execute(query)) as rows:
        return int(rows.fetchone()[0])


def _move_aside(path: Path) -> Path:
    """Rename a file and what SQLite keeps beside it; return the new name."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    try:
        for suffix in _COMPANIONS:
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.replace(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise storage_error(error, path) from error
    return aside
