"""Questions in SQL and their answers, as values."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT, with `?` for each of its values."""

    text: str
    values: tuple[Any, ...] = ()

    def within(self, start: str, end: str = "", values: tuple[Any, ...] = ()) -> "Query":
        """Return a question to the answer of this one: `start FROM (this) end`, with the values of `end`."""
        return Query(f"{start} FROM ({self.text}\n) {end}", self.values + values)


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that a question gave, under the names of their columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return each row by the names of its columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
