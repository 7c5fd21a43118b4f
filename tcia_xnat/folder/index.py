"""What the classic layout asks of IDC's tables, beside what the catalogue knows."""

from collections.abc import Sequence
from contextlib import closing

import duckdb

from tcia_xnat.clients.idc import index_path

_COLLECTIONS = "collections_index.parquet"  # lies beside the embedded index


def collection_names() -> dict[str, str]:
    """Return collection_id → name of the collection at TCIA."""
    table = index_path().with_name(_COLLECTIONS)
    with closing(duckdb.connect()) as database:
        query = "SELECT collection_id, collection_name FROM read_parquet(?)"
        return {identifier: name for identifier, name in database.execute(query, [str(table)]).fetchall() if name}


def derived_series(index: str | None, series_instance_uids: Sequence[str]) -> set[str]:
    """Return which of these series are results of a third party's analysis."""
    query = (
        "SELECT SeriesInstanceUID FROM read_parquet(?) WHERE coalesce(analysis_result_id, '') <> ''"
        " AND SeriesInstanceUID IN (SELECT unnest(?::VARCHAR[]))"
    )
    with closing(duckdb.connect()) as database:
        rows = database.execute(query, [str(index_path(index)), list(series_instance_uids)]).fetchall()
    return {uid for (uid,) in rows}
