"""The series that the sandbox serves: those of the IDC index, as the sandbox holds them (tcia-nbia-and-idc.md §7.1)."""

import hashlib
import threading
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import idc_index_data

Row = dict[str, Any]
"""One series under the column names of the IDC index."""

_ROWS_IN_A_GROUP = 20_480  # small row groups make one row cheap to read
_KEPT = 4096  # rows in memory
_EXTRA: Row = {
    "collection_id": "nbia_only",
    "PatientID": "NBIA-ONLY-0001",
    "source_DOI": "10.7937/nbia-only",
    "PatientAge": "050Y",
    "PatientSex": "F",
    "StudyDate": "2020-02-29",
    "StudyDescription": "Only at NBIA",
    "BodyPartExamined": "CHEST",
    "Modality": "CT",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "SeriesDate": "2020-02-29",
    "SeriesDescription": "Axial",
    "SeriesNumber": "1",
    "instanceCount": 3,
    "license_short_name": "CC BY 4.0",
    "aws_bucket": "",
    "series_init_idc_version": 1,
    "series_revised_idc_version": 1,
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the sandbox serves, where it differs from the real archives.

    Parameters
    ----------
    image_bytes
        Size of every DICOM file.
    max_instances
        Cap on the images of a series; None serves as many as the index counts.
    hidden_from_idc, hidden_from_nbia
        SeriesInstanceUIDs that one of the archives does not know.
    extra_series
        Series that only NBIA knows: columns of the index, of which SeriesInstanceUID must be given.
    collections
        The only collections that are served, as collection_id; none given are all. A few make a quick start.
    """

    image_bytes: int
    max_instances: int | None = None
    hidden_from_idc: Collection[str] = ()
    hidden_from_nbia: Collection[str] = ()
    extra_series: Sequence[Mapping[str, Any]] = ()
    collections: Collection[str] = ()

    def instance_count(self, count: int) -> int:
        """Return how many images of a series are served."""
        return min(count, self.max_instances) if self.max_instances else count


class Index:
    """Rows of the served index.

    Parameters
    ----------
    folder
        Where `parquet` is written; one that fits what is served is used again.
    served
        What is served.

    Attributes
    ----------
    parquet
        The index as IDC would publish it: all columns, counts and sizes as served.
    """

    def __init__(self, folder: Path, served: Served) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        source = str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH)
        self.served = served
        self.parquet = folder / f"idc_index-{_fingerprint(served)}.parquet"
        if not self.parquet.exists():
            _write(source, self.parquet, served)
        self._lock = threading.Lock()
        self._database = duckdb.connect()
        self._names: dict[str, str] = {
            row["collection_id"]: row["collection_name"] for row in self._collections(source)
        }
        self._ids = {name.lower(): identifier for identifier, name in self._names.items()}
        self._open(source)
        self._row = lru_cache(maxsize=_KEPT)(self._find)

    def idc_series(self, crdc_series_uuid: str) -> Row | None:
        """Return the series in a folder of IDC's buckets; None when IDC has no such folder."""
        return self._row("crdc", crdc_series_uuid)

    def nbia_series(self, series_instance_uid: str) -> Row | None:
        """Return a series that NBIA shows to the public; None when it shows no such series."""
        hidden = series_instance_uid in self.served.hidden_from_nbia
        return None if hidden else self._row("series", series_instance_uid)

    def nbia(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a SQL query on the table `nbia`, all series that NBIA shows to the public."""
        with self._lock:
            return self._fetch(query, values)

    def collection(self, collection_id: str) -> str:
        """Return the name under which TCIA has a collection of IDC."""
        return self._names.get(collection_id) or collection_id.upper().replace("_", "-")

    def collection_id(self, collection: str) -> str:
        """Return the collection of IDC that has this name at TCIA."""
        return self._ids.get(collection.lower()) or collection.lower().replace("-", "_")

    def _collections(self, source: str) -> list[Row]:
        return self._fetch("SELECT * FROM read_parquet(?)", [str(Path(source).with_name("collections_index.parquet"))])

    def _open(self, source: str) -> None:
        run = self._database.execute
        run(f"CREATE VIEW idc AS SELECT * FROM read_parquet('{_quoted(self.parquet)}')")  # noqa: S608  own path
        kept = "hash(SeriesInstanceUID) AS series, hash(crdc_series_uuid) AS crdc, file_row_number AS place"
        run(f"CREATE TABLE places AS SELECT {kept} FROM read_parquet('{_quoted(self.parquet)}')")  # noqa: S608  own path
        run(f"CREATE TABLE besides AS {_rows(self.served, 'IN')}", [source, list(self.served.hidden_from_idc)])
        for series in self.served.extra_series:
            _insert(self._database, _extra(series, self.served))
        run("CREATE TABLE hidden AS SELECT unnest(?::VARCHAR[]) AS uid", [list(self.served.hidden_from_nbia)])
        run("CREATE VIEW nbia AS SELECT * FROM (FROM idc UNION ALL FROM besides)"
            " WHERE SeriesInstanceUID NOT IN (FROM hidden)")  # fmt: skip

    def _find(self, kind: str, key: str) -> Row | None:
        """Return the row of a series by `series`, its SeriesInstanceUID, or by `crdc`, its crdc_series_uuid."""
        column = {"series": "SeriesInstanceUID", "crdc": "crdc_series_uuid"}[kind]
        with self._lock:
            places = self._fetch(f"SELECT place FROM places WHERE {kind} = hash(?)", [key])  # noqa: S608  own words
            query = f"SELECT * FROM read_parquet('{_quoted(self.parquet)}') WHERE file_row_number = ?"  # noqa: S608  own
            rows = [row for found in places for row in self._fetch(query, [found["place"]])]
            if kind == "series":
                rows += self._fetch("SELECT * FROM besides WHERE SeriesInstanceUID = ?", [key])
        return next((row for row in rows if row[column] == key), None)

    def _fetch(self, query: str, values: Sequence[object]) -> list[Row]:
        found = self._database.execute(query, list(values))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _rows(served: Served, hidden: str) -> str:
    """Return the SQL for all series `IN` or `NOT IN` the hidden ones; source and hidden ones are its parameters."""
    count = f"least(instanceCount, {served.max_instances})" if served.max_instances else "instanceCount"
    names = ", ".join(f"'{name}'" for name in sorted(served.collections))
    chosen = f"collection_id IN ({names})" if names else "true"
    size = f"{count} * {served.image_bytes} / 1e6"
    return (
        f"SELECT * REPLACE ({count} AS instanceCount, {size} AS series_size_MB)"  # noqa: S608  numbers only
        f" FROM read_parquet($1) WHERE {chosen}"
        f" AND SeriesInstanceUID {hidden} (SELECT unnest($2::VARCHAR[]))"
    )


def _write(source: str, target: Path, served: Served) -> None:
    made = target.with_name(f"{uuid.uuid4()}.part")
    query = (
        f"COPY ({_rows(served, 'NOT IN')}) TO '{_quoted(made)}'"
        f" (FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE {_ROWS_IN_A_GROUP})"
    )
    with duckdb.connect() as database:
        database.execute(query, [source, list(served.hidden_from_idc)])
    made.replace(target)


def _fingerprint(served: Served) -> str:
    parts: Iterable[object] = (
        idc_index_data.__version__,
        served.image_bytes,
        served.max_instances,
        sorted(served.hidden_from_idc),
        sorted(served.collections),
    )
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]


def _extra(series: Mapping[str, Any], served: Served) -> Row:
    """Return a whole row for a series of which a test gives some columns."""
    uid = series["SeriesInstanceUID"]
    study = {"StudyInstanceUID": f"{uid[:60]}.1", "crdc_series_uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, uid))}
    row = _EXTRA | study | dict(series)
    count = served.instance_count(row["instanceCount"])
    return row | {"instanceCount": count, "series_size_MB": count * served.image_bytes / 1e6}


def _insert(database: duckdb.DuckDBPyConnection, row: Row) -> None:
    columns = ", ".join(f"? AS {name}" for name in row)
    database.execute(f"INSERT INTO besides BY NAME SELECT {columns}", list(row.values()))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
