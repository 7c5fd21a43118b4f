"""Lists in JSON, as NBIA's API, `query.py`, pandas and people write them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.foreign import parse_json, parsing
from tcia_xnat.manifest.columns import ELSEWHERE, NAME_IT, found, has_headings, heading, no_column, no_series
from tcia_xnat.manifest.model import Manifest
from tcia_xnat.manifest.table import from_sheets, text_of
from tcia_xnat.manifest.text import parse_text

_HINT = "give a list of rows with SeriesInstanceUID, such as query.py search --format json writes"


def parse_rows(content: str, name: str, column: str = "") -> Manifest:
    """Read JSON: rows, columns as pandas writes them, or a list of UIDs, also one that Python wrote.

    Raises
    ------
    ManifestError
    """
    inner = content.strip()
    if inner[:1] == "[" and inner[-1:] == "]" and not any(sign in inner[1:-1] for sign in "[]{}"):
        return parse_text("\n".join(_flat(inner[1:-1])), name)
    table = _table(_loaded(content, name), column)
    if not table or not has_headings(table[0], column):
        raise _no_list(table, name, column)
    return from_sheets({"": list(enumerate(table))}, name, column)


def _flat(text: str) -> list[str]:
    """Return the values of a list as lines."""
    return [line for part in text.split(",") if (line := part.strip().strip("\"'"))]


def _loaded(content: str, name: str) -> Any:  # noqa: ANN401  whatever the file holds
    with parsing(lambda said: ManifestError(f"{name} cannot be read as JSON: {said}", "save it as CSV")):
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.strip().startswith("{") and line.strip().endswith("}") for line in lines):
            return [parse_json(line) for line in lines]  # pandas: lines=True
        return parse_json(content)


def _table(value: Any, column: str) -> list[list[str]]:  # noqa: ANN401  as above
    """Return headings and rows; nothing where no form is recognised."""
    if isinstance(value, Mapping):
        value = _unwrapped(value, column)
    if isinstance(value, Mapping):
        return _of_columns(value)
    if not isinstance(value, list):
        return []
    if value and all(isinstance(row, list) for row in value):
        return [[text_of(cell) for cell in row] for row in value]
    return _of_rows(value) if all(isinstance(row, Mapping) for row in value) else []


def _unwrapped(value: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401  as above
    """Return the rows of pandas' `split`, `table` and `index`, and of an object around one list."""
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return [columns, *data]
    if "schema" in value and isinstance(data, list):
        return data
    if has_headings(value, column):
        return value
    inner = list(value.values())
    if inner and all(isinstance(row, Mapping) for row in inner):
        is_index = has_headings(inner[0], column) or all(key.isdecimal() for key in value)
        return inner if is_index else value
    lists = [one for one in inner if isinstance(one, list)]
    return lists[0] if len(lists) == 1 else value


def _of_columns(value: Mapping[str, Any]) -> list[list[str]]:
    """Return the table of `{"SeriesInstanceUID": {"0": …}}` or `{"SeriesInstanceUID": […]}`."""
    columns = {key: _values(cells) for key, cells in value.items()}
    longest = max(map(len, columns.values()), default=0)
    rows = [[text_of(cells[n]) if n < len(cells) else "" for cells in columns.values()] for n in range(longest)]
    return [list(columns), *rows]


def _values(cells: Any) -> Sequence[Any]:  # noqa: ANN401  as above
    if isinstance(cells, Mapping):
        return list(cells.values())
    return cells if isinstance(cells, list) else [cells]


def _of_rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [keys, *([_text(row.get(key)) for key in keys] for row in rows)] if keys else []


def _text(value: Any) -> str:  # noqa: ANN401  as above
    return " ".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def _no_list(table: Sequence[Sequence[str]], name: str, column: str) -> ManifestError:
    keys = list(table[0]) if table else []
    if not ELSEWHERE.isdisjoint(map(heading, keys)) or "objectid" in map(heading, keys):
        return ManifestError(
            f"{name} is JSON without a series, as for controlled access",
            "such data are fetched with an account of their own, not here",
        )
    if column:
        return no_column(keys, name, column)
    hint = no_series(keys, [(number, list(row)) for number, row in enumerate(table[1:], 1)], name).hint
    return ManifestError(f"{name} is JSON, but not a list of series{found(keys)}", _HINT if hint == NAME_IT else hint)
