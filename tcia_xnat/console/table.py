"""A table that leaves out its less important columns where the terminal is narrow, rather than breaking every cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table

from tcia_xnat.console.terminal import TABLE_BOX

_BETWEEN, _EDGES = 3, 2  # cells between two columns, and at both sides of a table


@dataclass(frozen=True, slots=True)
class Column:
    """One column; those with the highest `rank` go first when there is no room, `most` letters stand in a line."""

    name: str
    rank: int = 0
    is_number: bool = False
    most: int | None = None


class FittingTable:
    """Rows of texts under columns, as many of these as the width allows; always the first.

    Parameters
    ----------
    columns
        From left to right.
    rows
        A cell for each column.
    """

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        self._columns, self._rows = columns, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        table = Table(box=TABLE_BOX, pad_edge=False)
        shown = self._shown(options.max_width)
        for number in shown:
            column = self._columns[number]
            justify: JustifyMethod = "right" if column.is_number else "left"
            table.add_column(column.name, justify=justify, overflow="fold", max_width=column.most)
        for row in self._rows:
            table.add_row(*(row[number] for number in shown))
        yield table

    def left_out(self, width: int) -> list[str]:
        """Return the names of the columns for which a line of `width` letters has no room."""
        shown = self._shown(width)
        return [column.name for number, column in enumerate(self._columns) if number not in shown]

    def _shown(self, width: int) -> list[int]:
        """Return the numbers of the columns that fit, in order."""
        widths = [self._width(number) for number in range(len(self._columns))]
        shown = list(range(len(self._columns)))
        while len(shown) > 1 and sum(widths[number] + _BETWEEN for number in shown) - _BETWEEN + _EDGES > width:
            shown.remove(max(shown, key=lambda number: (self._columns[number].rank, number)))
        return shown

    def _width(self, number: int) -> int:
        column = self._columns[number]
        widest = max([cell_len(column.name), *(cell_len(row[number]) for row in self._rows)])
        return widest if column.most is None else min(widest, column.most)
