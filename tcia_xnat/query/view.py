"""Answers that are no plain table of the index: addresses of viewers, and what the tables hold."""

import re
from collections.abc import Collection, Iterable, Sequence

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.viewers import viewer_link
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.index import described_tables
from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.idc.selection import Selection


def viewers(database: Database, selection: Selection, uids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return study, series and address: for each UID given, or for each study of the choice, with an empty series.

    Raises
    ------
    UsageError
        IDC lists no study and no series of a UID.
    """
    meant = selection.where()
    text = f"""
        WITH asked AS (
            SELECT DISTINCT StudyInstanceUID, '' AS SeriesInstanceUID, '' AS Modality FROM index
            WHERE {meant.text} AND (? OR StudyInstanceUID IN (SELECT unnest(?::VARCHAR[])))
            UNION ALL SELECT StudyInstanceUID, SeriesInstanceUID, coalesce(Modality, '') FROM index
            WHERE {meant.text} AND SeriesInstanceUID IN (SELECT unnest(?::VARCHAR[])))
        SELECT asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.Modality, list(DISTINCT index.Modality)
        FROM asked JOIN index USING (StudyInstanceUID) GROUP BY 1, 2, 3 ORDER BY 1, 2"""  # noqa: S608  conditions of ours
    values = (*meant.values, not uids, list(uids), *meant.values, list(uids))
    rows = database.ask(Query(text, values)).rows
    known = {uid for row in rows for uid in row[:2]}
    if unknown := [uid for uid in uids if uid not in known]:
        raise UsageError(f"IDC does not list {unknown[0]}", "query.py search finds what it lists")
    return [
        (study, series, viewer_link(study, of_study, series, modality)) for study, series, modality, of_study in rows
    ]


def described(tables: Sequence[str]) -> Query:
    """Ask for the columns of some tables, of all when none are named; a table's own meaning is the row without one.

    Raises
    ------
    UsageError
        There is no such table.
    """
    known = described_tables()
    if unknown := [name for name in tables if name not in known]:
        raise UsageError(f"there is no table {unknown[0]}", f"there are {', '.join(known)}")
    rows = [
        row
        for name in tables or known
        for row in (
            (name, "", "", known[name]["table_description"]),
            *(
                (name, column["name"], column["type"], _meaning(column["description"], known))
                for column in known[name]["columns"]
            ),
        )
    ]
    return literal(("table", "column", "type", "meaning"), rows)


def _meaning(text: str, known: Collection[str]) -> str:
    """Return the meaning of a column, with a remark when it names a table of IDC that is not here."""
    others = [name for name in dict.fromkeys(re.findall(r"\b\w+_index\b", text)) if name not in known]
    return f"{text} ({' and '.join(others)}: not part of the embedded index)" if others else text


def literal(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Query:
    """Return the question whose answer is these rows."""
    lists = list(zip(*rows, strict=True)) or [()] * len(columns)
    named = ", ".join(f'unnest(?::VARCHAR[]) AS "{column}"' for column in columns)
    return Query(f"SELECT {named}", tuple(list(values) for values in lists))
