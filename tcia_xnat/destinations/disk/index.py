"""What the classic layout asks of IDC's tables, beside what the catalogue knows."""

from collections.abc import Sequence

from tcia_xnat.sources.idc.index import IdcIndex
from tcia_xnat.sources.idc.questions import Query


def collection_names(index: IdcIndex) -> dict[str, str]:
    """Return collection_id → name of the collection at TCIA."""
    rows = index.ask(Query("SELECT collection_id, collection_name FROM collections_index")).rows
    return {identifier: name for identifier, name in rows if name}


def derived_series(index: IdcIndex, series_instance_uids: Sequence[str]) -> set[str]:
    """Return which of these series are results of a third party's analysis."""
    text = (
        "SELECT SeriesInstanceUID FROM index WHERE coalesce(analysis_result_id, '') <> ''"
        " AND SeriesInstanceUID IN (SELECT unnest(?::VARCHAR[]))"
    )
    return {uid for (uid,) in index.ask(Query(text, (list(series_instance_uids),))).rows}
