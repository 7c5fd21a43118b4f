"""Lists in tables: CSV, TSV, XLSX and JSON rows, under any heading that series have in the wild (§1.5)."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from tcia_xnat.core.foreign import parse_json, parsing
from tcia_xnat.core.uids import is_uid
from tcia_xnat.errors import ManifestError
from tcia_xnat.manifest.broken import wrong_lines
from tcia_xnat.manifest.model import Manifest, Rejected

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

_SERIES = ("seriesinstanceuid", "seriesuid", "seriesid")
_STUDY = ("studyinstanceuid", "studyuid")
_PAIR = ("petseriesinstanceuid", "ctseriesinstanceuid")
_OF_ROW = "seriesinstanceuids"  # several in a cell, with blanks between, as query.py writes for patients and studies
_ELSEWHERE = {"drsuri", "fileguid", "drsguid", "imageurl"}  # other routes of TCIA's own retriever (§1.5)
_NAME_IT = "give the column of the series the heading SeriesInstanceUID"
_SHOWN_HEADINGS = 8
_TABLES = (".csv", ".tsv")
_SEPARATORS = (",", "\t", ";")
_TITLE_ROWS = 20  # of a sheet that may stand above its headings
_LONGEST_CELL = 1 << 20  # characters
_WORKBOOK_BYTES = 256 << 20  # of a workbook, unpacked: a million series take 100 MB
_SHEET_CELLS = 5_000_000

Row = tuple[int, list[str]]
"""Number of a line or row, from 1, and its cells."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a table has its UIDs, and whether they are those of studies."""

    numbers: tuple[int, ...]
    of_studies: bool = False


def heading(text: str) -> str:
    """Return a heading as it is compared: lower case, without blanks, underscores and quotes."""
    return re.sub(r"[\s_\"'\ufeff]", "", text).lower()


def is_table(text: str) -> bool:
    """Whether a text begins with the headings of a table; a lone column of series is a list as any other."""
    line = next(filter(_is_content, _lines(text)), "")
    cells = [heading(cell) for cell in re.split(r"[,;\t]", line)]
    is_of_series = len(cells) > 1 and not {*_SERIES, *_PAIR, _OF_ROW}.isdisjoint(cells)
    return is_of_series or not {*_STUDY, *_ELSEWHERE}.isdisjoint(cells)


def parse_table(text: str, name: str) -> Manifest:
    """Read a table in text; the separator is the one that cuts its headings.

    Raises
    ------
    ManifestError
    """
    lines = list(_lines(text))
    above = next(number for number, line in enumerate(lines) if _is_content(line))
    reader = csv.reader(lines[above:], delimiter=max(_SEPARATORS, key=lines[above].count))
    csv.field_size_limit(_LONGEST_CELL)
    rows: list[Row] = []
    start = above + 1

    def refusal(said: str) -> ManifestError:
        return ManifestError(f"{name} cannot be read as a table, line {start}: {said}", "save it as CSV once more")

    with parsing(refusal):
        for cells in reader:
            rows.append((start, cells))
            start = above + reader.line_num + 1  # a quoted cell may go over several lines
    return _from_sheets({name: rows}, name)


def parse_workbook(content: bytes, name: str) -> Manifest:
    """Read the sheets of an XLSX file; a sheet without headings goes on with the columns of the one before it.

    Raises
    ------
    ManifestError
    """
    import openpyxl  # noqa: PLC0415  0.2 s that other lists need not wait

    with (
        parsing(lambda said: ManifestError(f"{name} cannot be read as a workbook: {said}", "save it as CSV")),
        warnings.catch_warnings(action="ignore"),  # of styles and extensions, which hold no series
    ):
        _refuse_bomb(content)
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = {f"{name}, sheet {sheet.title}": _sheet_rows(sheet) for sheet in book.worksheets}
    return _from_sheets(sheets, name)


def parse_rows(content: str, name: str) -> Manifest:
    """Read a JSON list of rows, as NBIA's API and `query.py` write it.

    Raises
    ------
    ManifestError
    """
    with parsing(lambda said: ManifestError(f"{name} cannot be read as JSON: {said}", "save it as CSV")):
        found = parse_json(content)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    keys = list(dict.fromkeys(chain.from_iterable(rows)))
    if not _columns(keys):
        raise _no_rows(keys, name)
    table = [(1, keys), *((number, [_cell(row.get(key)) for key in keys]) for number, row in enumerate(rows, 1))]
    return _from_sheets({name: table}, name)


def _no_rows(keys: Sequence[str], name: str) -> ManifestError:
    if _ELSEWHERE.isdisjoint(map(heading, keys)):
        return ManifestError(
            f"{name} is JSON, but not a list of series{_found(keys)}",
            "give a list of rows with SeriesInstanceUID, such as query.py search --format json writes",
        )
    return ManifestError(
        f"{name} is JSON without a series, as for controlled access",
        "such data are fetched with an account of their own, not here",
    )


def _found(headings: Sequence[str]) -> str:
    """Return the first headings of a table that has no series, as the end of a sentence."""
    named = [cell.strip() for cell in headings if cell.strip()]
    shown = ", ".join(named[:_SHOWN_HEADINGS]) + (", …" if len(named) > _SHOWN_HEADINGS else "")
    return f"; found: {shown}" if shown else ""


def refuse_other_columns(text: str, name: str) -> None:
    """Refuse a file that its ending and its first line call a table, and that has no column of series.

    Raises
    ------
    ManifestError
    """
    lines = list(islice(filter(_is_content, _lines(text)), 2))
    if not name.lower().endswith(_TABLES) or len(lines) < 2:  # noqa: PLR2004  headings and a row
        return
    cells = next(csv.reader(lines[:1], delimiter=max(_SEPARATORS, key=lines[0].count)))
    if not _columns(cells) and all(re.match(r"\s*[^\W\d]", cell) and "=" not in cell for cell in cells):
        raise ManifestError(f"{name} has no column SeriesInstanceUID{_found(cells)}", _NAME_IT)


def _lines(text: str) -> Iterator[str]:
    return io.StringIO(text, newline="")


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _refuse_bomb(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if (size := sum(info.file_size for info in archive.infolist())) > _WORKBOOK_BYTES:
            raise ValueError(f"it would unpack to {size} bytes")


def _sheet_rows(sheet: "ReadOnlyWorksheet") -> list[Row]:
    sheet.reset_dimensions()  # some programs write wrong ones, which would cut the sheet
    rows: list[Row] = []
    left = _SHEET_CELLS
    for number, cells in enumerate(sheet.values, 1):
        left -= len(cells) + 1
        if left < 0:
            raise ValueError(f"sheet {sheet.title} has more than {_SHEET_CELLS} cells")
        rows.append((number, [_cell(value) for value in cells]))
    return rows


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _from_sheets(sheets: dict[str, list[Row]], name: str) -> Manifest:
    columns: _Columns | None = None
    series, studies = Manifest(name), Manifest(name)
    for file, rows in sheets.items():
        start, columns = _start(rows, columns)
        if columns and columns.of_studies:
            studies = _taken(studies, file, rows[start:], columns)
        elif columns:
            series = _taken(series, file, rows[start:], columns)
    if series.series_instance_uids:
        return series
    if studies.series_instance_uids:
        return replace(studies, series_instance_uids=(), study_instance_uids=studies.series_instance_uids)
    raise _nothing(sheets, name, columns)


def _start(rows: Sequence[Row], before: _Columns | None) -> tuple[int, _Columns | None]:
    """Return where the UIDs of a sheet begin, and in which columns they are."""
    for number, (_, cells) in enumerate(islice(rows, _TITLE_ROWS)):
        if columns := _columns(cells):
            return number + 1, columns
    first = rows[0][1] if rows else []
    goes_on = before and any(is_uid(first[number].strip()) for number in before.numbers if number < len(first))
    return (0, before) if goes_on else (len(rows), before)


def _columns(cells: Sequence[str]) -> _Columns | None:
    """Return both columns of a table of PET/CT pairs, else the one of series, else the one of studies."""
    named = {heading(cell): number for number, cell in reversed(list(enumerate(cells)))}
    if set(_PAIR) <= named.keys():
        return _Columns(tuple(named[key] for key in _PAIR))
    for keys, of_studies in (((_OF_ROW,), False), (_SERIES, False), (_STUDY, True)):
        found = [named[key] for key in keys if key in named]
        if found:
            return _Columns((found[0],), of_studies)
    return None


def _taken(manifest: Manifest, file: str, rows: Iterable[Row], columns: _Columns) -> Manifest:
    """Return a manifest with the UIDs of a sheet behind its own."""
    uids, rejected, wrong = [*manifest.series_instance_uids], [*manifest.rejected], []
    for line, cells in rows:
        found = [uid for number in columns.numbers if number < len(cells) for uid in cells[number].split() or [""]]
        uids += [cell for cell in found if is_uid(cell)]
        wrong += [Rejected(line, cell, "no UID", file) for cell in found if cell and not is_uid(cell)]
        if not any(found) and any(cell.strip() for cell in cells):
            rejected.append(Rejected(line, ",".join(cells), "a row without a series", file))
    if wrong:
        raise wrong_lines(file, wrong)
    kept = tuple(dict.fromkeys(uids))
    duplicates = manifest.duplicates + (0 if columns.of_studies else len(uids) - len(kept))
    return replace(manifest, series_instance_uids=kept, rejected=tuple(rejected), duplicates=duplicates)


def _nothing(sheets: dict[str, list[Row]], name: str, columns: _Columns | None) -> ManifestError:
    if columns:
        return ManifestError(
            f"{name} holds no series",
            "look whether it is the right file, or was cut off, and have the manifest made anew",
        )
    headings = {heading(cell) for rows in sheets.values() for _, cells in rows[:1] for cell in cells}
    if headings & _ELSEWHERE:
        return ManifestError(
            f"{name} lists files or addresses, no series",
            "controlled or non-DICOM data are fetched with an account or a tool of their own, not here",
        )
    first = next((cells for rows in sheets.values() for _, cells in rows[:1]), [])
    return ManifestError(f"{name} has no column of series{_found(first)}", _NAME_IT)
