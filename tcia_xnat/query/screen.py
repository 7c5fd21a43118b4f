"""An answer as a table for people."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tcia_xnat.clients.questions import Answer
from tcia_xnat.progress import size
from tcia_xnat.terminal import TABLE_BOX

_ROOMY = 120
_HEADINGS = {"bytes": "size", "instanceCount": "images"}


def as_table(answer: Answer, shown: Sequence[str], width: int) -> Table:
    """Return the rows under short headings, numbers to the right, bytes as people read them.

    Parameters
    ----------
    shown
        The columns to show; none are all.
    width
        Characters in a line; where there is room, UIDs are whole, to be copied.
    """
    table = Table(box=TABLE_BOX, pad_edge=False)
    places = [place for place, name in enumerate(answer.columns) if not shown or name in shown]
    for place in places:
        is_number = any(isinstance(row[place], int | float) for row in answer.rows)
        name = answer.columns[place]
        table.add_column(
            _HEADINGS.get(name, name),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=name.endswith("InstanceUID") and width >= _ROOMY,
        )
    for row in answer.rows:
        # text, so that brackets in a description are no markup
        table.add_row(*(Text(_cell(answer.columns[place], row[place])) for place in places))
    return table


def _cell(column: str, value: Any) -> str:  # noqa: ANN401  whatever a column holds
    if value is None:
        return ""
    return size(value) if column == "bytes" else str(value)
