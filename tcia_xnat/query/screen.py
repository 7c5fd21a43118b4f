"""An answer as a table for people."""

from collections.abc import Sequence
from typing import Any

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.console.table import Column, FittingTable
from tcia_xnat.progress import size
from tcia_xnat.sources.idc.questions import Answer

_HEADINGS = {"bytes": "size", "instanceCount": "images"}
_TEXT = 40  # letters of a description in a line, more lines follow
_RANKS = {"collection_id": 70, "StudyDescription": 60, "licences": 55, "bytes": 50, "StudyDate": 40}
_UID, _OTHER = 90, 0  # a UID in pieces cannot be copied: it is whole, or left out first


def as_table(answer: Answer, shown: Sequence[str]) -> FittingTable:
    """Return the rows under short headings, numbers to the right, bytes as people read them.

    Parameters
    ----------
    shown
        The columns that matter; none are all, the first ones before the others.
    """
    places = [place for place, name in enumerate(answer.columns) if not shown or name in shown]
    columns = [_column(answer, place, _OTHER if shown else place) for place in places]
    rows = [tuple(_cell(answer.columns[place], row[place]) for place in places) for row in answer.rows]
    return FittingTable(columns, rows)


def _column(answer: Answer, place: int, rank: int) -> Column:
    name = answer.columns[place]
    is_number = any(isinstance(row[place], int | float) for row in answer.rows)
    is_uid = name.endswith("InstanceUID")
    rank = _UID if is_uid else _RANKS.get(name, rank)
    return Column(_HEADINGS.get(name, name), rank, is_number, None if is_uid else _TEXT)


def _cell(column: str, value: Any) -> str:  # noqa: ANN401  whatever a column holds
    if value is None:
        return ""
    return size(value) if column == "bytes" else one_line(str(value))
