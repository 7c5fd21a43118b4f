"""What identifiers and queries mean: a list of series, looked up in IDC's index."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tcia_xnat.clients import web
from tcia_xnat.clients.idc import index_path
from tcia_xnat.errors import ManifestError, UsageError
from tcia_xnat.manifest import Manifest, parse, write_tcia
from tcia_xnat.manifest.model import is_uid

Known = Callable[[Sequence[str]], AbstractSet[str]]
"""SeriesInstanceUIDs → those of them that another archive offers."""

_KINDS = {  # column of the index → what its values are called
    "collection_id": "collection",
    "PatientID": "patient",
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
    "crdc_series_uuid": "IDC's folder",
}
_COLUMN = "SeriesInstanceUID"
_ORDER = "collection_id, PatientID, StudyDate, StudyInstanceUID, SeriesInstanceUID"
_NEAR, _SHOWN = 0.8, 3  # similarity from which a name is near, and how many are shown
_NAME_LENGTH = 60
_EXAMPLE = "--query \"SELECT SeriesInstanceUID FROM index WHERE collection_id = 'cmb_aml' AND Modality = 'CT'\""


class Selector:
    """Looks words up in an index.

    Parameters
    ----------
    index
        Parquet of the index; None is the embedded one.
    elsewhere
        Asked for series that the index does not list.
    """

    def __init__(self, index: str | Path | None, elsewhere: Known = lambda _uids: frozenset()) -> None:
        self._path = index_path(index)
        self._elsewhere = elsewhere

    def knows(self, word: str) -> bool:
        """Whether the index lists something of this name."""
        with self._opened() as database:
            return bool(_found(database, word))

    def select(self, words: Sequence[str]) -> Manifest:
        """Return the series that identifiers stand for: of collections, patients, studies, series or IDC's folders.

        Raises
        ------
        ManifestError
            One is ambiguous, or nobody knows it; the hint has what comes near.
        """
        with self._opened() as database:
            found = [uid for word in words for uid in self._series(database, word)]
        return _manifest(_file_name(",".join(words)), ",".join(words), found)

    def ask(self, query: str) -> Manifest:
        """Return the series that a SELECT on the table `index` finds.

        Raises
        ------
        ManifestError
            It is no SELECT, cannot be answered, or finds nothing.
        """
        text = " ".join(query.split())
        with self._opened() as database:
            found = _answer(database, query)
        if not found:
            raise ManifestError("the query finds no series", f"a query that does: {_EXAMPLE}")
        return _manifest(f"query-{hashlib.sha256(text.encode()).hexdigest()[:8]}.tcia", text, found)

    def _series(self, database: duckdb.DuckDBPyConnection, word: str) -> list[str]:
        meanings = _found(database, word)
        if len(meanings) > 1:
            raise _ambiguous(word, meanings)
        if meanings:
            ((column, value, _),) = meanings
            query = f"SELECT {_COLUMN} FROM index WHERE {column} = ? ORDER BY {_ORDER}"  # noqa: S608  columns of ours
            return [uid for (uid,) in database.execute(query, [value]).fetchall()]
        if is_uid(word) and self._elsewhere([word]):
            return [word]
        raise _unknown(word, _nearest(database, word))

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the index as a table that can be read, and nothing else."""
        path = str(self._path).replace("'", "''")
        with duckdb.connect() as database:
            try:
                database.execute(f"CREATE VIEW index AS SELECT * FROM read_parquet('{path}')")  # noqa: S608  quoted
                database.execute(f"SET allowed_paths = ['{path}']")
                database.execute("SET enable_external_access = false")
                database.execute("SET lock_configuration = true")
            except duckdb.Error as error:
                raise UsageError(f"the index {self._path.name} cannot be read: {web.shown(str(error))}") from error
            yield database


def _found(database: duckdb.DuckDBPyConnection, word: str) -> list[tuple[str, str, str]]:
    """Return what a word may mean: column, value there, and the collection."""
    named = re.sub(r"[\s-]", "_", word.strip().lower())  # as TCIA spells collections: `4D-Lung` is `4d_lung` (§7.1)
    values = {column: named if column == "collection_id" else word.strip() for column in _KINDS}
    parts = [f"SELECT DISTINCT '{column}', {column}, collection_id FROM index WHERE {column} = ?" for column in _KINDS]  # noqa: S608  columns of ours
    rows: list[tuple[str, str, str]] = database.execute(" UNION ".join(parts), list(values.values())).fetchall()
    return sorted(rows)


def _nearest(database: duckdb.DuckDBPyConnection, word: str) -> list[str]:
    near = "jaro_winkler_similarity(lower(name), lower(?))"
    query = (
        "SELECT name FROM (SELECT collection_id AS name FROM index UNION SELECT PatientID FROM index)"  # noqa: S608  words of ours
        f" WHERE {near} >= ? ORDER BY {near} DESC, name LIMIT ?"
    )
    return [name for (name,) in database.execute(query, [word, _NEAR, word, _SHOWN]).fetchall()]


def _answer(database: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    try:
        statements = database.extract_statements(query)
        if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
            raise ManifestError("--query takes one SELECT and nothing else", f"for example {_EXAMPLE}")
        answer = database.execute(statements[0])
        columns = [str(column[0]).lower() for column in answer.description or ()]
        rows: list[tuple[Any, ...]] = answer.fetchall()
    except duckdb.Error as error:
        raise ManifestError(f"the query cannot be answered: {web.shown(str(error))}", f"write {_EXAMPLE}") from error
    if _COLUMN.lower() not in columns:
        raise ManifestError(f"the query gives no column {_COLUMN}", f"write {_EXAMPLE}")
    place = columns.index(_COLUMN.lower())
    return [str(row[place]) for row in rows if row[place]]


def _ambiguous(word: str, meanings: Sequence[tuple[str, str, str]]) -> ManifestError:
    candidates = ", ".join(f"{_KINDS[column]} {value} of {collection}" for column, value, collection in meanings)
    column, value, collection = meanings[0]
    one = f"SELECT {_COLUMN} FROM index WHERE {column} = '{value}' AND collection_id = '{collection}'"  # noqa: S608  shown, not run
    return ManifestError(f"{word} may be {candidates}", f'choose one: --query "{one}"')


def _unknown(word: str, near: Sequence[str]) -> ManifestError:
    hint = f"did you mean {', '.join(near)}?" if near else "name a collection, patient, study or series, or a file"
    return ManifestError(f"{word} is no file, and nothing of that name is listed", hint)


def _manifest(name: str, words: str, series_instance_uids: Sequence[str]) -> Manifest:
    """Return the list as if it had been given as a file, with the words it was asked for in its header."""
    return parse(write_tcia(dict.fromkeys(series_instance_uids), words).encode(), name)


def _file_name(words: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", words).strip("._") or "selection"
    if len(plain) > _NAME_LENGTH:
        plain = f"{plain[:_NAME_LENGTH]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return f"{plain}.tcia"
