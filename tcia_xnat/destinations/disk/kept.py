"""What a download remembers of the files that it put on disk, so that unchanged ones are not read again."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.sqlite import Say, Schema, open_database, sqlite_errors

_SCHEMA = Schema(
    1,
    """
CREATE TABLE IF NOT EXISTS series (
    number INTEGER PRIMARY KEY,
    series_instance_uid TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    source TEXT NOT NULL,
    stored TEXT NOT NULL,
    listed INTEGER NOT NULL,
    crdc_series_uuid TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    image_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS folders ON series (folder);
CREATE TABLE IF NOT EXISTS files (
    series INTEGER NOT NULL REFERENCES series (number),
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    PRIMARY KEY (series, name)
) WITHOUT ROWID;
""",
    foreign=(
        """
SELECT 1 FROM series WHERE source NOT IN ('idc', 'nbia', 'local') OR typeof(folder) <> 'text'
    OR typeof(listed) <> 'integer' OR typeof(image_count) <> 'integer' OR typeof(byte_count) <> 'integer'
""",
        "SELECT 1 FROM files WHERE typeof(size) <> 'integer' OR typeof(mtime_ns) <> 'integer' OR typeof(md5) <> 'text'",
    ),
    without="what lies on disk is proved once more, nothing is lost",
)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of a series as it was written: name within the folder, bytes, time of change in ns, MD5."""

    name: str
    size: int
    mtime_ns: int
    md5: str


@dataclass(frozen=True, slots=True)
class KeptSeries:
    """A series that was proved and lies on disk.

    Attributes
    ----------
    folder
        Relative to the output folder; empty for that itself.
    source
        Where it came from.
    stored
        When, in ISO form.
    listed, crdc_series_uuid
        What the catalogue said of it then: number of images, and IDC's folder, which changes with every new version.
    manufacturer, sop_class_uid
        Of its first image, for metadata.csv.
    image_count, byte_count
        Of the DICOM files, also when they lie in a zip.
    """

    series_instance_uid: str
    folder: str
    source: str
    stored: str
    listed: int
    crdc_series_uuid: str
    manufacturer: str
    sop_class_uid: str
    image_count: int
    byte_count: int

    def path(self, file: KeptFile) -> str:
        """Return the path of one of its files below the output folder."""
        return os.path.join(self.folder, file.name)  # noqa: PTH118  texts are a tenth of the size of paths


_COLUMNS = ", ".join(field.name for field in fields(KeptSeries))


class Kept(Closing):
    """SQLite table of series and files in one output folder; every entry is on disk when the call returns.

    Several threads and several runs may use it at once.

    Parameters
    ----------
    path
        File of the table.
    writes
        False opens a table that is there, and never writes to it.

    say
        Told when an unusable table was moved aside.

    Raises
    ------
    UsageError
        The file cannot be opened, see `open_database`.
    SpaceError, FolderError
        The disk does not take it; raised by every method, too.
    """

    def __init__(self, path: Path, *, writes: bool = True, say: Say = lambda _text: None) -> None:
        self._lock, self._path = threading.Lock(), path
        self._database = open_database(path, _SCHEMA, writes=writes, say=say)

    def series(self, series_instance_uid: str) -> KeptSeries | None:
        """Return what is remembered of a series."""
        query = f"SELECT {_COLUMNS} FROM series WHERE series_instance_uid = ?"  # noqa: S608  columns of ours
        rows = self._rows(query, series_instance_uid)
        return KeptSeries(*rows[0]) if rows else None

    def all(self) -> Iterator[KeptSeries]:
        """Yield every series that is remembered."""
        for row in self._rows(f"SELECT {_COLUMNS} FROM series ORDER BY number"):  # noqa: S608  as above
            yield KeptSeries(*row)

    def files(self, series_instance_uid: str) -> list[KeptFile]:
        """Return the files of a series."""
        query = (
            "SELECT name, size, mtime_ns, md5 FROM files JOIN series ON number = series"
            " WHERE series_instance_uid = ? ORDER BY name"
        )
        return [KeptFile(*row) for row in self._rows(query, series_instance_uid)]

    def names_in(self, folder: str) -> set[str]:
        """Return the names of all files that lie in a folder as far as is remembered."""
        query = "SELECT name FROM files JOIN series ON number = series WHERE folder = ?"
        return {name for (name,) in self._rows(query, folder)}

    def keep(self, series: KeptSeries, files: Iterable[KeptFile]) -> None:
        """Remember a series, in the place of what was remembered of it before."""
        marks = ", ".join("?" * len(fields(KeptSeries)))
        with self._lock, sqlite_errors(self._path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._drop(series.series_instance_uid)
            added = self._database.execute(
                f"INSERT INTO series ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  as above
                astuple(series),
            )
            rows = ((added.lastrowid, *astuple(file)) for file in files)
            self._database.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", rows)

    def forget(self, series_instance_uid: str) -> None:
        """Drop a series that is about to change on disk."""
        with self._lock, sqlite_errors(self._path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._drop(series_instance_uid)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _drop(self, series_instance_uid: str) -> None:
        query = "DELETE FROM files WHERE series IN (SELECT number FROM series WHERE series_instance_uid = ?)"
        self._database.execute(query, [series_instance_uid])
        self._database.execute("DELETE FROM series WHERE series_instance_uid = ?", [series_instance_uid])

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, sqlite_errors(self._path), closing(self._database.execute(query, values)) as rows:
            return rows.fetchall()
