"""The series that pairs are picked from, out of IDC's index."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tcia_xnat import web
from tcia_xnat.core.errors import UsageError
from tcia_xnat.pairs.judge import SeriesRow

_COLUMNS = """
    coalesce(collection_id, ''), coalesce(PatientID, ''), coalesce(PatientSex, ''), coalesce(PatientAge, ''),
    StudyInstanceUID, coalesce(StudyDate, ''), coalesce(StudyDescription, ''), coalesce(Modality, ''),
    coalesce(SeriesDescription, ''), instanceCount, SeriesInstanceUID
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series are looked at: those that meet all that is given; None asks for nothing."""

    series_instance_uids: Sequence[str] | None = None
    collection_ids: Sequence[str] | None = None
    patient_ids: Sequence[str] | None = None


def collection_id(name: str) -> str:
    """Return the collection_id of a collection: `CMB-AML` is cmb_aml."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def index_rows(index: Path, wanted: Wanted) -> list[SeriesRow]:
    """Return the rows of the series that are wanted and that the index lists.

    Raises
    ------
    UsageError
        The index cannot be read, or has no such collection or patient.
    """
    given = {
        "SeriesInstanceUID": wanted.series_instance_uids,
        "collection_id": wanted.collection_ids,
        "PatientID": wanted.patient_ids,
    }
    conditions = {column: list(values) for column, values in given.items() if values is not None}
    where = " AND ".join(f"{column} IN (SELECT unnest(?::VARCHAR[]))" for column in conditions) or "true"
    with duckdb.connect() as database:
        query = f"SELECT {_COLUMNS} FROM read_parquet(?) WHERE {where}"  # noqa: S608  names of ours only
        rows = [SeriesRow(*row) for row in _fetched(database, query, str(index), *conditions.values())]
        _check(database, index, "collection_id", wanted.collection_ids, {row.collection for row in rows})
        _check(database, index, "PatientID", wanted.patient_ids, {row.patient_id for row in rows})
    return rows


def _check(
    database: duckdb.DuckDBPyConnection, index: Path, column: str, asked: Sequence[str] | None, found: set[str]
) -> None:
    """Refuse names of which nothing was found because the index does not have them."""
    if not (missing := [name for name in asked or () if name not in found]):
        return
    query = f"SELECT DISTINCT {column} FROM read_parquet(?) WHERE {column} IS NOT NULL"  # noqa: S608  as above
    known = [name for (name,) in _fetched(database, query, str(index))]
    for name in missing:
        if name not in known:
            close = difflib.get_close_matches(name, known)
            hint = f"maybe {' or '.join(close)}" if close else "look at its spelling"
            raise UsageError(f"the index of IDC has no {column} {name}", hint)


def _fetched(database: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        return database.execute(query, values).fetchall()
    except duckdb.Error as error:
        raise UsageError(
            f"the index of IDC cannot be read: {web.shown(str(error).splitlines()[0])}",
            "TCIA_XNAT_IDC_INDEX or --idc-index names a parquet file with the columns of IDC's index",
        ) from error
