"""The index of the Imaging Data Commons: parquet files of the package idc-index-data (tcia-nbia-and-idc.md §7.1)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tcia_xnat.core import licenses
from tcia_xnat.core.errors import ManifestError, UsageError
from tcia_xnat.core.model import Person, Series, StudyFacts
from tcia_xnat.core.people import person
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.questions import Answer, Query
from tcia_xnat.sources.idc.selection import (
    BYTES,
    CHECKED,
    CONTAINED,
    Selection,
    check_values,
    checked_collections,
    containing,
    modality,
)

BESIDES = ("prior_versions_index", "collections_index", "analysis_results_index", "version_metadata_index")
"""The tables that come with `index`; prior_versions_index holds what later versions of IDC replaced or withdrew."""

_EMBEDDED = "idc_index"
_LISTS = {"patients": "patients", "studies": "studies"}  # the commands that show values
_BATCH = 50_000  # series per question
_COLUMNS = f"""
    SeriesInstanceUID, StudyInstanceUID, PatientID, coalesce(collection_id, ''), coalesce(Modality, ''),
    coalesce(SeriesNumber, ''), coalesce(SeriesDescription, ''), coalesce(StudyDate, ''),
    coalesce(StudyDescription, ''), instanceCount, {BYTES},
    coalesce(license_short_name, ''), coalesce(source_DOI, ''), aws_bucket, coalesce(PatientSex, ''), crdc_series_uuid
"""
_SOURCES = """
    SELECT lower(source.source_doi) AS doi, source.source_title, source.citation, source.license.license_short_name,
        source.license.license_long_name, source.license.license_url
    FROM (SELECT unnest(sources) AS source FROM collections_index)
    UNION ALL SELECT lower(source_DOI), analysis_result_title, citation, license_short_name, license_long_name,
        license_url FROM analysis_results_index"""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a DOI stands for: title, citation and licence as IDC publishes them."""

    doi: str
    title: str
    citation: str
    licence: str
    licence_name: str
    licence_url: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """A series, or a version of one, that IDC had; `is_listed` when a later version of the series is there."""

    series_instance_uid: str
    first: int
    last: int
    collection: str
    patient: str
    is_listed: bool


def index_path(named: str | Path | None = None) -> Path:
    """Return the parquet of the index: the one that is named, else the one the package idc-index-data ships.

    Raises
    ------
    UsageError
        There is no such file.
    """
    if named is None:
        return _shipped(_EMBEDDED)
    if not Path(named).is_file():
        raise UsageError(
            f"no such index: {named}", "TCIA_XNAT_IDC_INDEX names a parquet file with the columns of IDC's index"
        )
    return Path(named)


def prior_versions_path() -> Path:
    """Return the parquet of the versions that series had before."""
    return _shipped("prior_versions_index")


def described_tables() -> Mapping[str, Mapping[str, Any]]:
    """Return what IDC says of each table that can be asked: `table_description`, and `columns` with their meaning."""
    from idc_index_data import INDEX_METADATA  # noqa: PLC0415  it reads all of its files

    schemas = {name: INDEX_METADATA[_EMBEDDED if name == "index" else name]["schema"] for name in ("index", *BESIDES)}
    return {name: schema for name, schema in schemas.items() if isinstance(schema, dict)}


class IdcIndex:
    """What IDC lists, without asking a server.

    Parameters
    ----------
    index
        Parquet with the columns of IDC's index; None is the embedded one. The other tables are always embedded.
    writable
        The one file that `database` may write.
    """

    def __init__(self, index: str | Path | None = None, writable: Path | None = None) -> None:
        self._path, self._is_embedded = index_path(index), index is None
        self._writable = writable

    @cached_property
    def database(self) -> Database:
        """The tables, opened when they are first asked."""
        tables = {"index": self._path, _EMBEDDED: self._path} | {name: _shipped(name) for name in BESIDES}
        opened = Database(tables, self._writable)
        try:
            opened.ask(Query(f"SELECT {_COLUMNS} FROM index LIMIT 0"))  # noqa: S608  columns of ours
        except UsageError as error:
            raise UsageError(f"the index {self._path.name} cannot be read: {error}", error.hint) from error
        return opened

    def ask(self, query: Query) -> Answer:
        """Return the answer to a question; see `Database.ask`."""
        return self.database.ask(query)

    def find_series(self, series_instance_uids: Sequence[str]) -> list[Series]:
        """Return what the index knows of these series; those it does not list are left out."""
        return self._series("SeriesInstanceUID", series_instance_uids)

    def find_folders(self, crdc_series_uuids: Sequence[str]) -> dict[str, str]:
        """Return the SeriesInstanceUID of each folder of the buckets that holds the present version of a series."""
        return dict(self._pairs("index", "crdc_series_uuid", crdc_series_uuids))

    def find_patients(self, patient_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the SeriesInstanceUIDs of each patient; patients that the index does not list are left out.

        Raises
        ------
        ManifestError
            Two collections have a patient of that name.
        """
        found: dict[str, list[str]] = {}
        collections: dict[str, str] = {}
        columns = "PatientID, collection_id, SeriesInstanceUID"
        for patient, collection, series in sorted(self._rows("index", columns, "PatientID", patient_ids)):
            if collections.setdefault(patient, collection) != collection:
                raise ManifestError(
                    f"patient {patient} is in {collections[patient]} and in {collection}",
                    "list the series of the one that is meant: query.py search --collection NAME --patient NAME",
                )
            found.setdefault(patient, []).append(series)
        return found

    def find_earlier(self, names: Sequence[str]) -> dict[str, Earlier]:
        """Return what earlier versions of IDC had under SeriesInstanceUIDs and crdc_series_uuids, by these.

        A series or folder of the present version is not among them.
        """
        found: dict[str, Earlier] = {}
        versions = "min(min_idc_version), max(max_idc_version)"
        for column in ("SeriesInstanceUID", "crdc_series_uuid"):
            text = f"""
                SELECT prior.{column}, any_value(prior.SeriesInstanceUID), {versions},
                    any_value(prior.collection_id), any_value(prior.PatientID), bool_or(index.PatientID IS NOT NULL)
                FROM prior_versions_index AS prior LEFT JOIN index USING (SeriesInstanceUID)
                WHERE prior.{column} IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1"""  # noqa: S608  columns of ours
            for name, *values in self.ask(Query(text, (list(names),))).rows:
                one = Earlier(*values)
                if column == "crdc_series_uuid" or not one.is_listed:
                    found[name] = one
        return found

    def find_studies(self, study_instance_uids: Sequence[str]) -> dict[str, list[str]]:
        """Return the SeriesInstanceUIDs of each study; studies that the index does not list are left out."""
        found: dict[str, list[str]] = {}
        for study, series in self._pairs("index", "StudyInstanceUID", study_instance_uids):
            found.setdefault(study, []).append(series)
        return found

    def study_facts(self, study_instance_uids: Collection[str]) -> dict[str, StudyFacts]:
        """Return what the index says of whole studies, whichever of their series are asked for."""
        columns = "StudyInstanceUID, min(StudyDate), list(DISTINCT Modality), list(DISTINCT PatientID)"
        rows = self._rows("index", columns, "StudyInstanceUID", sorted(study_instance_uids), " GROUP BY ALL")
        return {
            study: StudyFacts(date or "", frozenset(modalities) - {None, ""}, frozenset(patients) - {None})
            for study, date, modalities, patients in rows
        }

    def select_series(self, selection: Selection) -> list[Series]:
        """Return the series that are meant, a patient's and a study's together."""
        meant = selection.where()
        text = f"SELECT {_COLUMNS} FROM index WHERE {meant.text} ORDER BY collection_id, PatientID, StudyInstanceUID"  # noqa: S608  conditions of ours
        return _as_series(self.database.stream(Query(text, meant.values)))

    def resolved(self, selection: Selection) -> Selection:
        """Return a selection whose values are spelled as in the index.

        Raises
        ------
        UsageError
            No series has one of the values.
        """
        licenses.check(selection.licences)
        meant = replace(
            selection,
            collections=checked_collections(selection.collections, self._values("collection_id"))
            if selection.collections
            else (),
            modalities=tuple(map(modality, selection.modalities)),
            licences=self._licences(selection.licences),
        )
        for name, (column, kind) in CHECKED.items():
            if values := getattr(meant, name):
                known = self._found(column, values) if name in {"studies", "series"} else self._values(column)
                check_values(kind, values, known, f"query.py {_LISTS.get(name, 'search')} shows what there is")
        for name, kind in CONTAINED.items():
            self._check_texts(name, kind, getattr(meant, name))
        return meant

    def _check_texts(self, name: str, kind: str, texts: Sequence[str]) -> None:
        """Refuse texts that no series has anywhere: among several they would be dropped without a word."""
        for text in texts:
            condition = containing(name, text)
            if not self.ask(Query(f"SELECT 1 FROM index WHERE {condition.text} LIMIT 1", condition.values)).rows:  # noqa: S608  columns of ours
                raise UsageError(f"no series has a {kind} with {text!r}", "* and ? in it stand for any characters")

    def _licences(self, patterns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the licences of the index that are named; the patterns themselves where it has none of them."""
        return (licenses.named(patterns, self._values("license_short_name")) or patterns) if patterns else ()

    def _values(self, column: str) -> set[str]:
        rows = self.ask(Query(f"SELECT DISTINCT {column} FROM index WHERE {column} IS NOT NULL")).rows  # noqa: S608  columns of ours
        return {value for (value,) in rows}

    def _found(self, column: str, values: Sequence[str]) -> set[str]:
        return {value for (value, *_) in self._rows("index", f"DISTINCT {column}", column, values)}

    def version(self) -> str:
        """Return the version of IDC that the index describes, as `v25`; of another index, the last it mentions."""
        query = "SELECT max(series_revised_idc_version) FROM index"
        if self._is_embedded:
            query = "SELECT max(idc_version) FROM version_metadata_index"
        try:
            ((number,),) = self.ask(Query(query)).rows
        except UsageError:  # an index of somebody's own need not have what no run needs
            return ""
        return f"v{number}" if number else ""

    def datasets(self, dois: Iterable[str]) -> dict[str, Dataset]:
        """Return what the index knows of some DOIs, by DOI in lower case."""
        wanted = [doi.lower() for doi in dois]
        rows = self.ask(Query(_SOURCES).within("SELECT *", "WHERE list_contains(?, doi)", (wanted,))).rows
        return {row[0]: Dataset(*(value or "" for value in row)) for row in rows}

    def close(self) -> None:
        """Let go of the files."""
        if "database" in self.__dict__:
            self.database.close()

    def _series(self, column: str, values: Sequence[str]) -> list[Series]:
        return _as_series(self._rows("index", _COLUMNS, column, values))

    def _pairs(self, table: str, column: str, values: Sequence[str]) -> list[tuple[str, str]]:
        """Return the values of a column with the SeriesInstanceUIDs that go with each."""
        return sorted(set(self._rows(table, f"{column}, SeriesInstanceUID", column, values)))

    def _rows(
        self, table: str, columns: str, column: str, values: Sequence[str], end: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        text = f"SELECT {columns} FROM {table} WHERE {column} IN (SELECT unnest(?::VARCHAR[])){end}"  # noqa: S608  names of ours only
        for start in range(0, len(values), _BATCH):
            batch = list(values[start : start + _BATCH])
            asked = {value: value for value in batch}  # a million UIDs are 100 MB: none is there twice
            for first, *others in self.database.stream(Query(text, (batch,))):
                yield asked.get(first, first), *others


def _as_series(rows: Iterable[tuple[Any, ...]]) -> list[Series]:
    known: dict[Any, Any] = {}  # but for the first and the last, a cell is that of many series: it is kept once
    people: dict[str, frozenset[Person]] = {}
    found = []
    for row in rows:
        first, *cells, sex, last = row
        who = people.get(sex) or people.setdefault(sex, frozenset({person("", "", sex)}))
        values: list[Any] = [first, *(known.setdefault(cell, cell) for cell in cells), last, who]
        found.append(Series(*values))
    return found


def _shipped(name: str) -> Path:
    spec = find_spec("idc_index_data")
    if spec is None or spec.origin is None:
        raise UsageError("the index of IDC is not installed", "pip install -r requirements.txt")
    return Path(spec.origin).with_name(f"{name}.parquet")
