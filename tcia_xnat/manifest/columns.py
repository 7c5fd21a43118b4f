"""Which column of a table names the series: the only one that can be meant, or the table is refused."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.manifest.entries import folder_in, is_identifier, words
from tcia_xnat.manifest.model import Level

Row = tuple[int, list[str]]
"""Number of a line or row, from 1, and its cells."""

_OF_ROW = "seriesinstanceuids"  # several in a cell, with blanks between, as query.py writes for patients and studies
_PAIR = ("petseriesinstanceuid", "ctseriesinstanceuid")
_LEVELS: Mapping[Level, tuple[str, ...]] = {  # in the order in which they win
    Level.SERIES: ("seriesinstanceuid", "seriesuid", "seriesid"),
    Level.FOLDER: ("crdcseriesuuid", "seriesawsurl", "seriesgcsurl"),
    Level.STUDY: ("studyinstanceuid", "studyuid"),
}
PATIENT = ("patientid", "subjectid", "patient", "subject")
"""Headings of patients: a table that has nothing else names all of their series only when the user says so."""
ELSEWHERE = {"drsuri", "fileguid", "drsguid", "imageurl"}
"""Headings of other routes of TCIA's own retriever (tcia-nbia-and-idc.md §1.5)."""

_NO_SERIES = {  # UIDs that say something of a study, not which of its series are meant
    "sopclassuid",
    "transfersyntaxuid",
    "frameofreferenceuid",
    "implementationclassuid",
    "crdcstudyuuid",
}
NAME_IT = "give the column of the series the heading SeriesInstanceUID, or name it: --column HEADING"
_SHOWN_HEADINGS = 8


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table has its entries, what they are, and the heading that says so; `studies` are columns of studies."""

    numbers: tuple[int, ...]
    level: Level
    name: str
    studies: tuple[int, ...] = ()


def heading(text: str) -> str:
    """Return a heading as it is compared: lower case, without blanks, underscores, hyphens and quotes."""
    return re.sub(r"[\s_\-\"'\ufeff]", "", text).lower()


def has_headings(cells: Iterable[str], column: str = "") -> bool:
    """Whether a row has a heading under which a table names series or studies, or the one that was chosen."""
    keys = set(map(heading, cells))
    known = {_OF_ROW, *_PAIR, *(key for level in _LEVELS.values() for key in level)}
    return not keys.isdisjoint({heading(column)} if column else known)


def choose(cells: Sequence[str], rows: Sequence[Row], file: str, column: str = "") -> Columns:
    """Return the columns that name what is meant.

    Parameters
    ----------
    cells
        The headings.
    rows
        What stands below them.
    column
        The heading that the user chose; empty leaves it to the headings.

    Raises
    ------
    ManifestError
        No column is certain: the headings are named, and how to choose one.
    """
    if column:
        return _chosen(cells, rows, file, column)
    keys = [heading(cell) for cell in cells]
    if set(_PAIR) <= set(keys):
        return Columns(tuple(_one(cells, rows, file, (key,)) for key in _PAIR), Level.SERIES, "of PET and CT series")
    for level, known in ((Level.SERIES, (_OF_ROW,)), *_LEVELS.items()):
        if not set(known).isdisjoint(keys):
            number = _one(cells, rows, file, known)
            if level is Level.STUDY:
                _refuse_rivals(cells, rows, file, number)
            studies = tuple(place for place, key in enumerate(keys) if key in _LEVELS[Level.STUDY])
            return Columns((number,), level, cells[number].strip(), studies)
    raise ManifestError(f"{file} has no column SeriesInstanceUID{found(cells)}", NAME_IT)


def unknown_identifiers(cells: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """Return the headings of columns that hold UIDs or addresses under a heading that says nothing of series."""
    numbers = sorted({number for _, row in rows for number, cell in enumerate(row) if is_identifier(cell)})
    return [_named(cells, number) for number in numbers if _key(cells, number) not in _NO_SERIES]


def found(headings: Sequence[str]) -> str:
    """Return the first headings of a table that has no series, as the end of a sentence."""
    named = [cell.strip() for cell in headings if cell.strip()]
    shown = ", ".join(named[:_SHOWN_HEADINGS]) + (", …" if len(named) > _SHOWN_HEADINGS else "")
    return f"; found: {shown}" if shown else ""


def no_column(cells: Sequence[str], file: str, column: str) -> ManifestError:
    """Return the error of a table without the column that the user chose."""
    return ManifestError(f"{file} has no column {column}{found(cells)}", "name one of these")


def no_series(cells: Sequence[str], rows: Sequence[Row], file: str) -> ManifestError:
    """Return the error of a table in which no heading says what is meant, with the hint that fits."""
    keys = list(map(heading, cells))
    if not ELSEWHERE.isdisjoint(keys):
        return ManifestError(
            f"{file} lists files or addresses, no series",
            "controlled or non-DICOM data are fetched with an account or a tool of their own, not here",
        )
    hint = NAME_IT
    if rivals := unknown_identifiers(cells, rows):
        hint = f"choose the column of the series: {_choices(rivals)}"
    elif patients := [cell.strip() for cell, key in zip(cells, keys, strict=True) if key in PATIENT]:
        hint = f"--column {_quoted(patients[0])} takes all series of these patients"
    return ManifestError(f"{file} has no column SeriesInstanceUID{found(cells)}", hint)


def _chosen(cells: Sequence[str], rows: Sequence[Row], file: str, column: str) -> Columns:
    key = heading(column)
    if key not in map(heading, cells):
        raise no_column(cells, file, column)
    number = _one(cells, rows, file, (key,))
    level = next((level for level, known in _LEVELS.items() if key in known), None)
    if level is None and key in PATIENT:
        level = Level.PATIENT
    if level is None:
        below = [row[number] for _, row in rows if number < len(row) and row[number].strip()]
        is_address = any("-" in cell and is_identifier(cell) for cell in below)
        level = Level.SERIES if key == _OF_ROW else Level.FOLDER if is_address else Level.UID
    return Columns((number,), level, cells[number].strip())


def _one(cells: Sequence[str], rows: Sequence[Row], file: str, known: Sequence[str]) -> int:
    """Return the one column with a heading among those known; several are one when they hold the same."""
    named = [number for number, cell in enumerate(cells) if heading(cell) in known]
    if len(named) == 1:
        return named[0]
    full = [number for number in named if any(is_identifier(_cell(row, number)) for _, row in rows)] or named[:1]
    if any(_meant(row, number) != _meant(row, full[0]) for _, row in rows for number in full[1:]):
        kinds = list(dict.fromkeys(cells[number].strip() for number in full))
        hint = _choices(kinds) if len(kinds) > 1 else f"give the columns {kinds[0]} names of their own"
        raise ManifestError(f"{file} has several columns of the same meaning: {_list(cells, full)}", hint)
    return full[0]


def _refuse_rivals(cells: Sequence[str], rows: Sequence[Row], file: str, number: int) -> None:
    """Refuse a table of studies beside whose column another one may name the series that are meant."""
    studies = _named(cells, number)
    rivals = [name for name in unknown_identifiers(cells, rows) if heading(name) not in _LEVELS[Level.STUDY]]
    if rivals:
        raise ManifestError(
            f"{file} has studies in column {studies}, and {', '.join(rivals)} may name what is meant",
            f"choose the column: {_choices([*rivals, studies])}; studies bring all of their series",
        )


def _choices(names: Sequence[str]) -> str:
    return " or ".join(f"--column {_quoted(name)}" for name in names[:_SHOWN_HEADINGS])


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[^\w.-]", name) else name


def _list(cells: Sequence[str], numbers: Sequence[int]) -> str:
    return ", ".join(f"{cells[number].strip()} (column {number + 1})" for number in numbers)


def _named(cells: Sequence[str], number: int) -> str:
    name = cells[number].strip() if number < len(cells) else ""
    return name or f"column {number + 1} without a heading"


def _key(cells: Sequence[str], number: int) -> str:
    return heading(cells[number]) if number < len(cells) else ""


def _meant(row: Sequence[str], number: int) -> list[str]:
    return [folder_in(word)[0] or word for word in words(_cell(row, number))]


def _cell(row: Sequence[str], number: int) -> str:
    return row[number].strip() if number < len(row) else ""
