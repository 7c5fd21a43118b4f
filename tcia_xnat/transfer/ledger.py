"""The memory of a run: which proved series wait in the prearchive. XNAT is the truth; this saves work after a kill."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.errors import Error
from tcia_xnat.core.model import Label
from tcia_xnat.core.sqlite import Say, Schema, open_database, sqlite_errors
from tcia_xnat.planning.held import Imported

_SCHEMA = Schema(
    2,
    """
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
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent_images (
    host TEXT NOT NULL,
    project TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    images BLOB NOT NULL,
    kept INTEGER,
    PRIMARY KEY (host, project, series_instance_uid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    host TEXT NOT NULL,
    project TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    session TEXT NOT NULL,  -- before subject: SQLite's quick_check wants the columns of the key first
    subject TEXT NOT NULL,
    PRIMARY KEY (host, project, study_instance_uid, session)
) WITHOUT ROWID
""",
    foreign=(
        """
SELECT 1 FROM imported WHERE source NOT IN ('idc', 'nbia', 'local') OR typeof(image_count) <> 'integer'
    OR typeof(byte_count) <> 'integer' OR typeof(series_instance_uid) <> 'text' OR typeof(prearchive) <> 'text'
""",
        """
SELECT 1 FROM sent_images WHERE typeof(images) <> 'blob' OR typeof(kept) NOT IN ('integer', 'null')
""",
    ),
    without="series that wait in the prearchive are fetched again, nothing is lost",
)


class Ledger(Closing):
    """SQLite journal of one project on one XNAT; every entry is on disk when the call returns.

    A disk that fills up during a run costs this memory, not the run: what is not noted is fetched again after a kill,
    and changes nothing for a run that comes to its end.

    Parameters
    ----------
    path
        File of the journal; its folder is made when missing.
    host, project
        Whose entries are meant: one folder may serve several projects.
    say
        Told once when the journal cannot be kept, and when an unusable one was moved aside.

    Raises
    ------
    UsageError
        The folder is not writable, or the file is of a newer version of the tool.
    SpaceError, FolderError
        The disk does not take it.
    """

    def __init__(self, path: Path, host: str, project: str, say: Say = lambda _text: None) -> None:
        self._whose = (host.rstrip("/"), project)
        self._path, self._say, self._is_lost = path, say, False
        self._database = open_database(path, _SCHEMA, say=say)

    def imported(self) -> list[Imported]:
        """Return every series that was proved and sent and whose session is not archived yet."""
        query = """
            SELECT series_instance_uid, study_instance_uid, prearchive, source, image_count, byte_count,
                coalesce(images, x''), kept
            FROM imported LEFT JOIN sent_images USING (host, project, series_instance_uid)
            WHERE host = ? AND project = ?"""
        entries: list[Imported] = []
        with self._noticed(), closing(self._database.execute(query, self._whose)) as rows:
            entries += [Imported(*row) for row in rows]
        return entries

    def add(self, entry: Imported) -> None:
        """Note that XNAT took a series."""
        uid = entry.series_instance_uid
        self._write(
            (
                "INSERT OR REPLACE INTO imported VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *self._whose,
                        uid,
                        entry.study_instance_uid,
                        entry.prearchive,
                        entry.source,
                        entry.image_count,
                        entry.byte_count,
                    )
                ],
            ),
            (
                "INSERT OR REPLACE INTO sent_images VALUES (?, ?, ?, ?, ?)",
                [(*self._whose, uid, entry.images, entry.kept)],
            ),
        )

    def forget(self, series_instance_uids: Iterable[str]) -> None:
        """Drop series that are archived, or that turned out not to be in the prearchive after all."""
        rows = [(*self._whose, uid) for uid in series_instance_uids]
        where = "WHERE host = ? AND project = ? AND series_instance_uid = ?"
        self._write((f"DELETE FROM imported {where}", rows), (f"DELETE FROM sent_images {where}", rows))  # noqa: S608  a text of ours

    def sessions(self) -> dict[str, list[Label]]:
        """Return under which labels this folder's runs have archived each study, by StudyInstanceUID as published."""
        query = "SELECT study_instance_uid, subject, session FROM sessions WHERE host = ? AND project = ?"
        found: dict[str, list[Label]] = {}
        with self._noticed(), closing(self._database.execute(query, self._whose)) as rows:
            for study, subject, session in rows:
                found.setdefault(study, []).append(Label(subject, session))
        return found

    def remember(self, study_instance_uid: str, label: Label) -> None:
        """Note under which label a study goes into the archive: XNAT may change its UIDs there."""
        row = (*self._whose, study_instance_uid, label.session, label.subject)
        self._write(("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", [row]))

    def _write(self, *statements: tuple[str, Sequence[tuple[object, ...]]]) -> None:
        """Carry out statements as one commit: a session may have a hundred series."""
        with self._noticed(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for statement, rows in statements:
                self._database.executemany(statement, rows)

    def close(self) -> None:
        """Close the file."""
        with self._noticed():
            self._database.close()

    @contextmanager
    def _noticed(self) -> Iterator[None]:
        """Say once that the journal cannot be kept, and go on."""
        try:
            with sqlite_errors(self._path):
                yield
        except Error as error:
            if not self._is_lost:
                self._say(f"{error}; the run goes on without its memory")
            self._is_lost = True
