"""Where an answer goes: a file by its ending, a table on a terminal, a list of series on a pipe."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tcia_xnat.core import tables
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.tables import TableWriter
from tcia_xnat.manifest import write_tcia
from tcia_xnat.query.options import Target
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.questions import Answer, Query

SERIES = "SeriesInstanceUID"
SERIES_OF_ROW = "series_instance_uids"
ALL = Query("TRUE")
ENDINGS = {
    ".csv": "FORMAT csv, HEADER",
    ".tsv": "FORMAT csv, HEADER, DELIMITER '\t'",
    ".json": "FORMAT json, ARRAY true",
    ".parquet": "FORMAT parquet",
}
"""What DuckDB writes by itself; .tcia and .xlsx are written here."""

_OPENED = {".csv", ".tsv"}  # by spreadsheets, which run formulas
_SHOWN = 50  # rows on a terminal
_SHEET, _CELL = 1_048_575, 32_767  # rows of a sheet, its heading apart, and letters of a cell
_CONTROLS = dict.fromkeys(c for c in range(32) if c not in {9, 10, 13})  # a workbook cannot hold them


@dataclass(frozen=True, slots=True)
class Table:
    """An answer to be given.

    Attributes
    ----------
    query
        Its rows.
    keys
        Columns that say which series a row stands for; none where rows stand for no series.
    within
        The series that may be meant: a condition for the table `index`.
    shown
        Columns that a terminal has room for; none are all.
    is_information
        It is read rather than downloaded: a pipe gets its rows, not its series.
    """

    query: Query
    keys: tuple[str, ...] = ()
    within: Query = ALL
    shown: tuple[str, ...] = ()
    is_information: bool = False

    def limited(self, count: int | None) -> "Query":
        """Return the question for the first `count` rows; for all of them when it is None."""
        return self.query if count is None else self.query.within("SELECT *", f"LIMIT {count}")

    def listed(self, limit: int | None) -> "Query":
        """Return the question for the first rows with the series that each stands for, all in one column.

        A file of studies that was chosen by modality must bring these series, not all of the studies.
        """
        rows = self.limited(limit)
        if not self.keys or self.keys == (SERIES,) or self.is_information:
            return rows
        keys = ", ".join(self.keys)
        text = f"""
            SELECT row.*, meant.{SERIES_OF_ROW} FROM (SELECT *, row_number() OVER () AS place FROM ({rows.text})) AS row
            LEFT JOIN (
                SELECT {keys}, string_agg({SERIES}, ' ' ORDER BY {SERIES}) AS {SERIES_OF_ROW}
                FROM index WHERE {self.within.text} GROUP BY {keys}) AS meant USING ({keys}) ORDER BY place"""  # noqa: S608  names of ours
        return Query(text, rows.values + self.within.values).within("SELECT * EXCLUDE (place)", "")

    def series(self, limit: int | None) -> Query:
        """Return the question for the series of the first `limit` rows, each once and in their order.

        Raises
        ------
        UsageError
            A row stands for no series.
        """
        if not self.keys:
            raise UsageError(
                f"this answer has no column {SERIES}, so it is no list of series", "write .csv, or add that column"
            )
        if self.keys == (SERIES,):
            return self.limited(limit).within(f"SELECT {SERIES}", f"WHERE {SERIES} IS NOT NULL")
        keys = ", ".join(self.keys)
        rows = self.limited(limit)
        text = f"""
            SELECT {SERIES} FROM index WHERE {self.within.text} AND ({keys}) IN (SELECT ({keys}) FROM ({rows.text}))
            ORDER BY collection_id, PatientID, StudyDate, StudyInstanceUID, {SERIES}"""  # noqa: S608  names of ours
        return Query(text, self.within.values + rows.values)


def part_of(path: Path | None) -> Path | None:
    """Return the file that is written in the place of `path` until it is complete.

    Raises
    ------
    UsageError
        Its ending says nothing, or its folder is not there.
    """
    if path is None:
        return None
    endings = [".tcia", ".xlsx", *ENDINGS]
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path.name} has no ending that says what to write", f"use {', '.join(endings)}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "make it, or choose another")
    return path.absolute().with_name(f".{path.name}.{os.getpid()}.part")


def put_out(database: Database, table: Table, target: Target) -> int:
    """Give the answer; return the exit code."""
    if target.path is not None:
        count = _write(database, table, target.limit, target.path)
        _say(f"{count} {'series' if target.path.suffix.lower() == '.tcia' else 'rows'} written to {target.path}")
        return 0
    form = target.form or ("table" if sys.stdout.isatty() else _piped(table))
    with _pipe_may_close():
        if form == "table":
            _print_table(database, table, target.limit)
        elif form == "list":
            _print_list(database, table, target.limit)
        else:
            _print_rows(_some(database.ask(table.limited(target.limit))), form)
    return 0


def _piped(table: Table) -> str:
    return "list" if table.keys and not table.is_information else "tsv"


def _write(database: Database, table: Table, limit: int | None, path: Path) -> int:
    part = part_of(path)
    assert part is not None  # noqa: S101  for mypy: there is a path
    kind = path.suffix.lower()
    try:
        if kind in ENDINGS:
            query = table.listed(limit)
            database.save(_neutral(query) if kind in _OPENED else query, part, ENDINGS[kind])
            ((count,),) = database.ask(query.within("SELECT count(*)")).rows
        elif kind == ".tcia":
            uids = _uids(database, table, limit)
            part.write_text(write_tcia(uids, path.name), encoding="utf-8")
            count = len(uids)
        else:
            answer = _some(database.ask(table.listed(limit)))
            _write_workbook(answer, part)
            count = len(answer.rows)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "choose another file") from error
    finally:
        part.unlink(missing_ok=True)
    return int(count)


def _neutral(query: Query) -> Query:
    """Return the question for the same rows with cells as `core.tables.cell` makes them."""
    text = f"regexp_replace(COLUMNS(*)::VARCHAR, '{tables.CONTROL}', '\ufffd', 'g')"
    is_formula, is_number = (
        f"regexp_matches(COLUMNS(*)::VARCHAR, '{pattern.replace(chr(39), chr(39) * 2)}')"
        for pattern in (tables.FORMULA, tables.NUMBER)
    )
    cell = f"CASE WHEN {is_formula} AND NOT {is_number} THEN chr(39) || {text} ELSE {text} END"
    return query.within(f'SELECT {cell} AS "\\0"')


def _write_workbook(answer: Answer, path: Path) -> None:
    from openpyxl import Workbook  # noqa: PLC0415  0.3 s that other endings need not wait

    if len(answer.rows) > _SHEET:
        raise UsageError(f"{len(answer.rows)} rows are too many for a workbook", "write .csv or .parquet")
    book = Workbook(write_only=True)
    sheet = book.create_sheet("series" if SERIES in answer.columns else "answer")
    sheet.append(list(answer.columns))
    for row in answer.rows:
        sheet.append([_cell(sheet, value) for value in row])
    book.save(path)


def _cell(sheet: Any, value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    if value is None or isinstance(value, int | float):
        return value
    text = str(value).translate(_CONTROLS)
    if len(text) > _CELL:
        raise UsageError(f"a text of {len(text):,} letters is too long for a workbook", "write .csv or .tcia")
    if not text.startswith("="):
        return text
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415  as above

    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # a text, not a formula
    return cell


def _uids(database: Database, table: Table, limit: int | None) -> list[str]:
    uids = list(dict.fromkeys(row[0] for row in database.ask(table.series(limit)).rows))
    if not uids:
        _say("nothing fits")
    return uids


def _print_list(database: Database, table: Table, limit: int | None) -> None:
    """Print one SeriesInstanceUID a line; what they stand for goes before them, as comments."""
    uids = _uids(database, table, limit)
    if table.keys != (SERIES,):
        answer = database.ask(table.limited(limit))
        click.echo(f"# {len(uids)} series of:")
        for row in (answer.columns, *answer.rows) if answer.rows else ():
            click.echo("# " + "\t".join("" if value is None else str(value) for value in row))
    if uids:
        click.echo("\n".join(uids))


def _print_rows(answer: Answer, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(answer.dicts(), indent=1, ensure_ascii=False, default=str))
        return
    TableWriter(sys.stdout, answer.columns, "\t" if form == "tsv" else ",").rows(answer.rows)


def _print_table(database: Database, table: Table, limit: int | None) -> None:
    from tcia_xnat.console import terminal  # noqa: PLC0415  rich is only for people
    from tcia_xnat.query.screen import as_table  # noqa: PLC0415  as above

    ((total,),) = database.ask(table.limited(limit).within("SELECT count(*)")).rows
    answer = _some(database.ask(table.limited(_SHOWN if limit is None else limit)))
    shown = terminal.results(sys.stdout)
    made = as_table(answer, table.shown)
    shown.print(made)
    if left_out := made.left_out(shown.width):
        _say(f"no room for {', '.join(left_out)}: a wider terminal, --format or -o FILE shows all columns")
    if total > len(answer.rows):
        _say(f"{total - len(answer.rows)} more rows: -o FILE writes all, --limit {total} shows them")


def _some(answer: Answer) -> Answer:
    if not answer.rows:
        _say("nothing fits")
    return answer


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def _pipe_may_close() -> Iterator[None]:
    """Let `| head` end the answer."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
