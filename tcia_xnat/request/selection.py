"""What identifiers and queries mean: a list of series, looked up in IDC's index."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any

from tcia_xnat.core.doi import bare_doi
from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import ListRead
from tcia_xnat.core.uids import is_uid
from tcia_xnat.manifest import Manifest, parse, write_tcia
from tcia_xnat.sources.idc.index import IdcIndex
from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.idc.selection import collection_id
from tcia_xnat.sources.lookup import as_earlier

Known = Callable[[Sequence[str]], AbstractSet[str]]
"""SeriesInstanceUIDs → those of them that another archive offers."""

_KINDS = {  # column of the index → what its values are called
    "collection_id": "collection",
    "analysis_result_id": "analysis result",
    "source_DOI": "DOI",
    "PatientID": "patient",
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
    "crdc_series_uuid": "IDC's folder",
}
_SPELLED: Mapping[str, Callable[[str], str]] = {
    "collection_id": collection_id,
    "analysis_result_id": collection_id,
    "source_DOI": bare_doi,
}
_OF = {"analysis_result_id": "''", "source_DOI": "''"}  # these go over several collections
_COLUMN = "SeriesInstanceUID"
_ORDER = "collection_id, PatientID, StudyDate, StudyInstanceUID, SeriesInstanceUID"
_NEAR, _SHOWN = 0.8, 3  # similarity from which a name is near, and how many are shown
_NAME_LENGTH = 64  # a UID is not cut
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
        self.index = IdcIndex(index)
        self._elsewhere = elsewhere

    def knows(self, word: str) -> bool:
        """Whether the index lists something of this name."""
        return bool(self._found(word))

    def select(self, words: Sequence[str]) -> Manifest:
        """Return the series that identifiers stand for: of collections, patients, studies, series or IDC's folders.

        Raises
        ------
        ManifestError
            One is ambiguous, or nobody knows it; the hint has what comes near.
        """
        found = {word: self._series(word) for word in words}
        read = tuple(
            ListRead(f"{word}: {kind}, {len(uids):,} series", word, kind, len(uids))
            for word, (kind, uids) in found.items()
        )
        uids = [uid for _, series in found.values() for uid in series]
        return _manifest(_file_name(",".join(words)), ",".join(words), uids, read)

    def ask(self, query: str) -> Manifest:
        """Return the series that a SELECT on the table `index` finds.

        Raises
        ------
        UsageError
            It is no SELECT, cannot be answered, or finds nothing.
        """
        answer = self.index.ask(self.index.database.asked_by_user(query))
        columns = [column.lower() for column in answer.columns]
        if _COLUMN.lower() not in columns:
            raise ManifestError(f"the query gives no column {_COLUMN}", f"write {_EXAMPLE}")
        place = columns.index(_COLUMN.lower())
        found = [str(row[place]) for row in answer.rows if row[place]]
        if not found:
            raise ManifestError("the query finds no series", f"a query that does: {_EXAMPLE}")
        text = " ".join(query.split())
        name = f"query-{hashlib.sha256(text.encode()).hexdigest()[:8]}.tcia"
        count = len(set(found))
        return _manifest(name, text, found, (ListRead(f"query: {count:,} series", "query", "query", count),))

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    def _series(self, word: str) -> tuple[str, list[str]]:
        """Return what a word names, in words, and its series."""
        meanings = self._found(word)
        if len(meanings) > 1:
            raise _ambiguous(word, meanings)
        if meanings:
            ((column, value, _),) = meanings
            text = f"SELECT {_COLUMN} FROM index WHERE {column} = ? ORDER BY {_ORDER}"  # noqa: S608  columns of ours
            return _KINDS[column], [uid for (uid,) in self.index.ask(Query(text, (value,))).rows]
        if is_uid(word) and self._elsewhere([word]):
            return "series of NBIA", [word]
        if earlier := self.index.find_earlier([word.strip()]):
            ((name, one),) = earlier.items()
            error = as_earlier(one, "ask for these")
            raise ManifestError(f"{name} is not offered: {error}", error.hint)
        raise _unknown(word, self._nearest(word))

    def _found(self, word: str) -> list[tuple[Any, ...]]:
        """Return what a word may mean: column, value there, and the collection."""
        values = tuple(_SPELLED.get(column, str.strip)(word) for column in _KINDS)
        parts = (
            f"SELECT '{name}', {name}, {_OF.get(name, 'collection_id')} FROM index WHERE {name} = ?"  # noqa: S608  columns of ours
            for name in _KINDS
        )
        return sorted(self.index.ask(Query(" UNION ".join(parts), values)).rows)

    def _nearest(self, word: str) -> list[str]:
        near = "jaro_winkler_similarity(lower(name), lower(?))"
        text = (
            "SELECT name FROM (SELECT collection_id AS name FROM index UNION SELECT PatientID FROM index)"  # noqa: S608  words of ours
            f" WHERE {near} >= ? ORDER BY {near} DESC, name LIMIT ?"
        )
        return [name for (name,) in self.index.ask(Query(text, (word, _NEAR, word, _SHOWN))).rows]


def _ambiguous(word: str, meanings: Sequence[tuple[Any, ...]]) -> ManifestError:
    of = [f"{_KINDS[column]} {value}{collection and f' of {collection}'}" for column, value, collection in meanings]
    column, value, collection = meanings[0]
    of_one = f" AND collection_id = '{collection}'" if collection else ""
    one = f"SELECT {_COLUMN} FROM index WHERE {column} = '{value}'{of_one}"  # noqa: S608  shown, not run
    return ManifestError(f"{word} may be {', '.join(of)}", f'choose one: --query "{one}"')


def _unknown(word: str, near: Sequence[str]) -> ManifestError:
    hint = f"did you mean {', '.join(near)}?" if near else "name a collection, patient, study or series, or a file"
    return ManifestError(f"{word} is no file, and nothing of that name is listed", hint)


def _manifest(name: str, words: str, series_instance_uids: Sequence[str], read: tuple[ListRead, ...]) -> Manifest:
    """Return the list as if it had been given as a file, with the words it was asked for in its header."""
    written = parse(write_tcia(dict.fromkeys(series_instance_uids), words).encode(), name)
    return replace(written, readings=(), read=read)


def _file_name(words: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", words).strip("._") or "selection"
    if len(plain) > _NAME_LENGTH:
        plain = f"{plain[:_NAME_LENGTH]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return f"{plain}.tcia"
