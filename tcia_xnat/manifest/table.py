"""Lists in tables: CSV, TSV, XLSX and rows of JSON, under any known heading of series (tcia-nbia-and-idc.md §1.5)."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.foreign import parsing
from tcia_xnat.core.model import Rejected
from tcia_xnat.core.uids import is_uid
from tcia_xnat.manifest.broken import wrong_lines
from tcia_xnat.manifest.columns import (
    ELSEWHERE,
    PATIENT,
    Columns,
    Row,
    choose,
    has_headings,
    heading,
    no_column,
    no_series,
    unknown_identifiers,
)
from tcia_xnat.manifest.entries import folder_in, is_identifier, words
from tcia_xnat.manifest.merge import merge
from tcia_xnat.manifest.model import Level, Manifest, Reading

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

_TABLES = (".csv", ".tsv")
_SEPARATORS = (",", "\t", ";", "|")
_SEPARATOR_LINE = re.compile(r"[\ufeff\"']*sep=(.)[\"']*\s*", re.IGNORECASE)  # Excel's own first line
_TITLE_ROWS = 20  # of a sheet that may stand above its headings
_LONGEST_CELL = 1 << 20  # characters
_WORKBOOK_BYTES = 256 << 20  # of a workbook, unpacked: a million series take 100 MB
_SHEET_CELLS = 5_000_000


def is_table(text: str, name: str = "") -> bool:
    """Whether a text begins with the headings of a table; a lone column of series is a list as any other.

    Parameters
    ----------
    name
        File name: below headings that say nothing of series, its ending tells a table.
    """
    content = list(islice(filter(_is_content, _lines(text)), 2))
    if content and _SEPARATOR_LINE.fullmatch(content[0]):
        return True
    cells = [cell.strip() for cell in re.split(r"[,;\t|]", content[0])] if content else []
    if has_headings(cells):
        return len(cells) > 1 or heading(cells[0]) not in {"seriesinstanceuid", "seriesuid", "seriesid"}
    if not ELSEWHERE.isdisjoint(map(heading, cells)):
        return True
    if len(content) < 2 or not _are_headings(cells):  # noqa: PLR2004  headings and a row
        return False
    return name.lower().endswith(_TABLES) or _holds_series(content[1])


def parse_table(text: str, name: str, column: str = "") -> Manifest:
    """Read a table in text; the separator is the one that cuts its headings.

    Raises
    ------
    ManifestError
    """
    lines = list(_lines(text))
    above = next(number for number, line in enumerate(lines) if _is_content(line))
    said = _SEPARATOR_LINE.fullmatch(lines[above])
    above += bool(said)
    separator = said[1] if said else max(_SEPARATORS, key=lines[above].count)
    reader = csv.reader(lines[above:], delimiter=separator)
    limit = csv.field_size_limit(_LONGEST_CELL)  # of the whole process
    rows: list[Row] = []
    start = above + 1

    def refusal(said: str) -> ManifestError:
        return ManifestError(f"{name} cannot be read as a table, line {start}: {said}", "save it as CSV once more")

    try:
        with parsing(refusal):
            for cells in reader:
                rows.append((start, cells))
                start = above + reader.line_num + 1  # a quoted cell may go over several lines
    finally:
        csv.field_size_limit(limit)
    return from_sheets({"": rows}, name, column)


def parse_workbook(content: bytes, name: str, column: str = "") -> Manifest:
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
        sheets = {sheet.title: _sheet_rows(sheet) for sheet in book.worksheets}
    return from_sheets(sheets, name, column)


def from_sheets(sheets: Mapping[str, Sequence[Row]], name: str, column: str = "") -> Manifest:
    """Return all that the sheets of one file name, each sheet read by its own headings.

    Parameters
    ----------
    sheets
        Title → rows; the title of a file that is no workbook is empty.

    Raises
    ------
    ManifestError
        A sheet has what may name series and no heading that says so; or no sheet names any.
    """
    columns: Columns | None = None
    parts: list[Manifest] = []
    for title, rows in sheets.items():
        file = f"{name}, sheet {title}" if title else name
        start, columns = _start(rows, columns, file, column)
        if start < len(rows) and columns:
            parts.append(_taken(name, title, rows[start:], columns))
        elif start == len(rows) and unknown_identifiers((), rows):
            raise no_column(rows[0][1], file, column) if column else no_series(rows[0][1], rows, file)
    if not columns:
        raise _without_columns(sheets, name, column)
    whole = replace(merge(parts), name=name)
    if not any(reading.entries for reading in whole.readings):
        raise ManifestError(
            f"{name} holds no series",
            "look whether it is the right file, or was cut off, and have the manifest made anew",
        )
    return whole


def text_of(value: object) -> str:
    """Return the value of a cell as text; an empty one is empty."""
    return "" if value is None else str(value)


def _lines(text: str) -> Iterator[str]:
    return io.StringIO(text, newline="")


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _are_headings(cells: Sequence[str]) -> bool:
    """Whether a line may be the headings of a table: several cells that begin with a letter."""
    is_row = len(cells) > 1 or heading(cells[0]) in PATIENT
    return is_row and all(re.match(r"[^\W\d]", cell.strip(" \"'")) and "=" not in cell for cell in cells)


def _holds_series(line: str) -> bool:
    return bool(unknown_identifiers((), [(1, re.split(r"[,;\t|]", line))]))


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
        rows.append((number, [text_of(value) for value in cells]))
    return rows


def _start(rows: Sequence[Row], before: Columns | None, file: str, column: str) -> tuple[int, Columns | None]:
    """Return where the entries of a sheet begin, and in which columns they are."""
    for number, (_, cells) in enumerate(islice(rows, _TITLE_ROWS)):
        if has_headings(cells, column):
            return number + 1, choose(cells, rows[number + 1 :], file, column)
    first = rows[0][1] if rows else []
    goes_on = before and any(is_uid(first[number].strip()) for number in before.numbers if number < len(first))
    return (0, before) if goes_on else (len(rows), before)


@dataclass(slots=True)
class _Taking:
    """What the rows of one sheet have given so far."""

    file: str
    columns: Columns
    entries: list[str] = field(default_factory=list)
    lines: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    wrong: list[Rejected] = field(default_factory=list)

    def add(self, line: int, cells: Sequence[str]) -> None:
        texts = [cells[number].strip() for number in self.columns.numbers if number < len(cells)]
        if any(texts):
            self.lines += 1
            for text in filter(None, texts):
                self._add_cell(line, text)
        elif any(is_identifier(cells[number]) for number in self.columns.studies if number < len(cells)):
            raise ManifestError(
                f"{self.file}, line {line} names a study and no series",
                "write its series, or leave the line out; a table of studies alone brings all of their series",
            )
        elif any(cell.strip() for cell in cells):
            self.rejected.append(Rejected(line, ",".join(cells), "a row without a series", self.file))

    def _add_cell(self, line: int, text: str) -> None:
        named = _entries(text, self.columns.level)
        self.entries += filter(None, named)
        if not all(named):
            self.wrong.append(Rejected(line, text, "no UID", self.file))


def _entries(text: str, level: Level) -> list[str]:
    """Return what a cell names; an empty text stands for what is broken."""
    if level is Level.PATIENT:
        return [text]
    if level is Level.FOLDER:
        return ["" if image else folder for folder, image in map(folder_in, words(text))]
    return [word if is_uid(word) else "" for word in words(text) or [""]]


def _taken(name: str, sheet: str, rows: Sequence[Row], columns: Columns) -> Manifest:
    """Return what a sheet names."""
    file = f"{name}, sheet {sheet}" if sheet else name
    taking = _Taking(file, columns)
    for line, cells in rows:
        taking.add(line, cells)
    if taking.wrong:
        raise wrong_lines(file, taking.wrong)
    entries = tuple(dict.fromkeys(taking.entries))
    again = len(taking.entries) - len(entries) if columns.level in {Level.SERIES, Level.UID, Level.FOLDER} else 0
    return Manifest(
        file,
        series_instance_uids=entries if columns.level in {Level.SERIES, Level.UID} else (),
        study_instance_uids=entries if columns.level is Level.STUDY else (),
        crdc_series_uuids=entries if columns.level is Level.FOLDER else (),
        patient_ids=entries if columns.level is Level.PATIENT else (),
        rejected=tuple(taking.rejected),
        duplicates=again,
        readings=(Reading(name, columns.level, entries, taking.lines, columns.name, sheet=sheet),),
    )


def _without_columns(sheets: Mapping[str, Sequence[Row]], name: str, column: str) -> ManifestError:
    first = next((cells for rows in sheets.values() for _, cells in rows[:1]), [])
    if column:
        return no_column(first, name, column)
    rows = [row for rows in sheets.values() for row in rows]
    return no_series(first, rows, name)
