"""What survives a restart: rows in SQLite, files in XNAT's own folders."""

import shutil
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Value = str | int | float | None
Table = list[dict[str, Any]]

UNASSIGNED = "Unassigned"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects(
    id TEXT PRIMARY KEY, name TEXT, secondary_id TEXT, description TEXT, keywords TEXT, alias TEXT,
    pi_firstname TEXT, pi_lastname TEXT, note TEXT,
    accessibility TEXT, prearchive_code INTEGER, quarantine_code INTEGER DEFAULT 0, inserted REAL);
CREATE TABLE IF NOT EXISTS deleted_projects(id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS members(project TEXT, user TEXT, role TEXT, PRIMARY KEY(project, user));
CREATE TABLE IF NOT EXISTS subjects(id TEXT PRIMARY KEY, project TEXT, label TEXT COLLATE NOCASE, inserted REAL,
    UNIQUE(project, label));
CREATE TABLE IF NOT EXISTS experiments(
    id TEXT PRIMARY KEY, project TEXT, subject TEXT, label TEXT COLLATE NOCASE, xsi_type TEXT, uid TEXT,
    date TEXT, time TEXT, modality TEXT, patient_id TEXT, patient_name TEXT, accession_number TEXT,
    note TEXT DEFAULT '', user TEXT, inserted REAL, UNIQUE(project, label));
CREATE TABLE IF NOT EXISTS shares(experiment TEXT, project TEXT, label TEXT COLLATE NOCASE,
    PRIMARY KEY(experiment, project));
CREATE TABLE IF NOT EXISTS scans(
    key INTEGER PRIMARY KEY AUTOINCREMENT, experiment TEXT, id TEXT, uid TEXT, xsi_type TEXT, type TEXT,
    series_description TEXT, modality TEXT, frames TEXT, quality TEXT DEFAULT 'usable', note TEXT DEFAULT '',
    UNIQUE(experiment, id));
CREATE TABLE IF NOT EXISTS resources(
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, label TEXT, folder TEXT, catalog TEXT, format TEXT, content TEXT,
    tags TEXT, description TEXT, file_count INTEGER, file_size INTEGER, UNIQUE(owner, label));
CREATE TABLE IF NOT EXISTS prearchive(
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, timestamp TEXT, folder TEXT, name TEXT, tag TEXT, subject TEXT,
    status TEXT, lastmod REAL, uploaded REAL, scan_date TEXT, scan_time TEXT, autoarchive TEXT,
    prevent_anon INTEGER, prevent_auto_commit INTEGER, source TEXT, visit TEXT, direct INTEGER DEFAULT 0,
    UNIQUE(project, timestamp, folder));
CREATE TABLE IF NOT EXISTS logs(row INTEGER, date REAL, text TEXT);
CREATE TABLE IF NOT EXISTS tokens(alias TEXT PRIMARY KEY, secret TEXT, user TEXT, issued REAL, single_use INTEGER);
CREATE TABLE IF NOT EXISTS configs(project TEXT, tool TEXT, path TEXT, contents TEXT, status TEXT, user TEXT,
    create_date TEXT, PRIMARY KEY(project, tool, path));
CREATE TABLE IF NOT EXISTS numbers(name TEXT PRIMARY KEY, last INTEGER);
CREATE INDEX IF NOT EXISTS prearchive_by_tag ON prearchive(tag);
CREATE INDEX IF NOT EXISTS scans_by_experiment ON scans(experiment);
"""


class Store:
    """The database and the folders of one server.

    Parameters
    ----------
    directory
        Holds everything; made when it is not there.

    Attributes
    ----------
    lock
        Held by every statement; hold it yourself where several belong together.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prearchive, self.archive = directory / "prearchive", directory / "archive"
        self.cache = directory / "cache"
        for folder in (self.prearchive, self.archive, self.cache):
            folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._database = sqlite3.connect(directory / "xnat.sqlite", check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF"):
            self._database.execute(statement)
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self._database.close()

    def rows(self, statement: str, *values: Value) -> Table:
        """Return the rows that a SELECT finds."""
        with self.lock:
            return [dict(row) for row in self._database.execute(statement, values)]

    def row(self, statement: str, *values: Value) -> dict[str, Any] | None:
        """Return the first row that a SELECT finds."""
        found = self.rows(statement, *values)
        return found[0] if found else None

    def run(self, statement: str, *values: Value) -> int:
        """Run one statement; return the number of rows it touched."""
        with self.lock:
            return self._database.execute(statement, values).rowcount

    def insert(self, table: str, **values: Value) -> int:
        """Insert one row; return its number."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        statement = f"INSERT INTO {table}({names}) VALUES({marks})"
        with self.lock:
            return self._database.execute(statement, tuple(values.values())).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside, or none."""
        with self.lock:
            self._database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def next_number(self, name: str) -> int:
        """Return 1, 2, 3, … for a name."""
        with self.lock:
            self.run("INSERT INTO numbers VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET last = last + 1", name)
            found = self.row("SELECT last FROM numbers WHERE name = ?", name)
            return int(found["last"]) if found else 0

    def cache_path(self, suffix: str = "") -> Path:
        """Return a new path in the cache."""
        return self.cache / f"{uuid.uuid4().hex}{suffix}"

    def session_folder(self, project: str, label: str) -> Path:
        """Return the folder of an archived session."""
        return self.archive / project / "arc001" / label


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders that may be there."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
