"""The memory of a run: which proved series wait in the prearchive. XNAT is the truth; this saves work after a kill."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tcia_xnat.closing import Closing
from tcia_xnat.database import open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS imported (
    host TEXT NOT NULL,
    project TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    prearchive TEXT NOT NULL,
    source TEXT NOT NULL,
    image_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    PRIMARY KEY (host, project, series_instance_uid)
) WITHOUT ROWID
"""
_HINT = "move it away: without it series that wait in the prearchive are fetched again, nothing is lost"


@dataclass(frozen=True, slots=True)
class Imported:
    """One proved series that XNAT took; `prearchive` is the URL of its session, from /prearchive on."""

    series_instance_uid: str
    study_instance_uid: str
    prearchive: str
    source: str
    image_count: int
    byte_count: int


class Ledger(Closing):
    """SQLite journal of one project on one XNAT; every entry is on disk when the call returns.

    Parameters
    ----------
    path
        File of the journal; its folder is made when missing.
    host, project
        Whose entries are meant: one folder may serve several projects.

    Raises
    ------
    UsageError
        The file cannot be opened, or is none of ours.
    """

    def __init__(self, path: Path, host: str, project: str) -> None:
        self._whose = (host.rstrip("/"), project)
        self._database = open_database(path, _SCHEMA, _HINT)

    def imported(self) -> list[Imported]:
        """Return every series that was proved and sent and whose session is not archived yet."""
        columns = "series_instance_uid, study_instance_uid, prearchive, source, image_count, byte_count"
        query = f"SELECT {columns} FROM imported WHERE host = ? AND project = ?"  # noqa: S608  columns of ours
        with closing(self._database.execute(query, self._whose)) as rows:
            return [Imported(*row) for row in rows]

    def add(self, entry: Imported) -> None:
        """Note that XNAT took a series."""
        self._database.execute(
            "INSERT OR REPLACE INTO imported VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *self._whose,
                entry.series_instance_uid,
                entry.study_instance_uid,
                entry.prearchive,
                entry.source,
                entry.image_count,
                entry.byte_count,
            ),
        )

    def forget(self, series_instance_uids: Iterable[str]) -> None:
        """Drop series that are archived, or that turned out not to be in the prearchive after all."""
        query = "DELETE FROM imported WHERE host = ? AND project = ? AND series_instance_uid = ?"
        self._database.execute("BEGIN IMMEDIATE")  # one commit for a session of a hundred series
        self._database.executemany(query, [(*self._whose, uid) for uid in series_instance_uids])
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._database.close()
