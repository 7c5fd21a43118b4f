"""Random lists as people make them: what a list names comes and nothing else, or it is refused with a hint.

The number of lists is LISTS (300 in CI), the seed is SEED; a failure names the list.
"""

import io
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import openpyxl
import pytest

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import Series
from tcia_xnat.manifest import Manifest, parse
from tcia_xnat.request.resolve import resolve
from tests.unit.request.fake_index import FakeIndex

LISTS, SEED = int(os.environ.get("LISTS", "300")), os.environ.get("SEED", "20261127")
ROOT = "1.3.6.1.4.1.14519.5.2.1"
ALL = [
    Series(
        f"{ROOT}.{patient}.{study}.{number}",
        f"{ROOT}.{patient}.{study}",
        f"P{patient}",
        "c1",
        crdc_series_uuid=f"0a1b2c3d-0000-4000-8000-000000{patient:02}{study:02}{number:02}",
    )
    for patient in range(10, 14)
    for study in range(1, 4)
    for number in range(1, 2 + study)
]
LISTED = [series for series in ALL if series.patient_id != "P13"]  # of P13 only NBIA knows
INDEX = FakeIndex(*LISTED)

NAMES: dict[str, Callable[[Series], str]] = {  # what a column may hold to name a series
    "uid": lambda one: one.series_instance_uid,
    "folder": lambda one: one.crdc_series_uuid,
    "address": lambda one: f"s3://idc-open-data/{one.crdc_series_uuid}/*",
    "excel": lambda one: f'="{one.series_instance_uid}"',
}
KNOWN = {
    "uid": ["SeriesInstanceUID", "Series Instance UID", "series_uid", "Series ID", "SERIESINSTANCEUID"],
    "excel": ["SeriesInstanceUID", "Series UID"],
    "folder": ["crdc_series_uuid", "CRDC Series UUID"],
    "address": ["series_aws_url", "crdc_series_uuid"],
}
UNKNOWN = ["CT_Series", "uid", "my series", "image", "series_uid_ct"]
STUDIES = ["StudyInstanceUID", "Study UID", "study_instance_uid"]
NOISE: dict[str, Callable[[Series], str]] = {
    "PatientID": lambda one: one.patient_id,
    "Modality": lambda _one: "CT",
    "SliceThickness": lambda _one: "1.5",
    "StudyDate": lambda _one: "01.02.2020",
    "SOPClassUID": lambda _one: "1.2.840.10008.5.1.4.1.1.2",
    "note": lambda _one: "seen, and ok",
}


@dataclass(frozen=True)
class Table:
    """A table, what it means, and whether it must be read: a refusal is right only where it is not certain.

    `column` is the heading that the user chooses.
    """

    rows: list[list[str]]
    series: frozenset[str]
    is_certain: bool
    column: str = ""


def make_table(chance: random.Random, *, may_choose: bool = True) -> Table:
    kind = chance.choice(["study", *NAMES])
    chosen = chance.sample(ALL if kind in {"uid", "excel"} else LISTED, chance.randint(1, 6))
    chosen += chance.choices(chosen, k=chance.randint(0, 2))
    columns: list[tuple[str, Callable[[Series], str]]] = list(chance.sample(list(NOISE.items()), chance.randint(0, 3)))
    is_known = chance.random() < 0.6
    if kind == "study" or chance.random() < 0.5:
        columns.append((chance.choice(STUDIES), lambda one: one.study_instance_uid))
    if kind != "study":
        columns.append((chance.choice(KNOWN[kind] if is_known else UNKNOWN), NAMES[kind]))
    named = columns[-1][0]
    chance.shuffle(columns)
    rows = [[name for name, _ in columns], *([value(one) for _, value in columns] for one in chosen)]
    if (
        may_choose and kind != "study" and chance.random() < 0.3
    ):  # --column says which; it means the same where it is certain anyhow
        return Table(rows, meant(kind, chosen), is_certain=True, column=named)
    return Table(rows, meant(kind, chosen), kind == "study" or is_known)


def make_patients(chance: random.Random) -> Table:
    """Return a table of patients, which are only taken when the user says so."""
    patients = chance.sample(sorted({one.patient_id for one in LISTED}), chance.randint(1, 2))
    head = chance.choice(["PatientID", "Patient ID", "subject_id"])
    rows = [[head, "age"], *([patient, "50"] for patient in patients)]
    chance.shuffle(rows[1:])
    is_chosen = chance.random() < 0.7
    series = frozenset(one.series_instance_uid for one in LISTED if one.patient_id in patients)
    return Table(rows, series, is_chosen, head if is_chosen else "")


def make_pairs(chance: random.Random) -> Table:
    """Return a table of pairs in two columns, or of several UIDs in a cell, as query.py and others write them."""
    chosen = chance.sample(ALL, 2 * chance.randint(1, 3))
    uids = [one.series_instance_uid for one in chosen]
    pairs = list(zip(uids[::2], uids[1::2], strict=True))
    if chance.random() < 0.5:
        heads = ["PET SeriesInstanceUID", "CT SeriesInstanceUID"]
        chance.shuffle(heads)
        return Table([heads, *map(list, pairs)], frozenset(uids), is_certain=True)
    head, between = chance.choice([("SeriesInstanceUIDs", " "), ("SeriesInstanceUID", "|")])
    return Table([[head, "note"], *([between.join(pair), "x"] for pair in pairs)], frozenset(uids), is_certain=True)


def meant(kind: str, chosen: Sequence[Series]) -> frozenset[str]:
    if kind != "study":
        return frozenset(one.series_instance_uid for one in chosen)
    studies = {one.study_instance_uid for one in chosen}
    return frozenset(one.series_instance_uid for one in ALL if one.study_instance_uid in studies)


def as_text(chance: random.Random, rows: list[list[str]]) -> bytes:
    separator = chance.choice([",", ";", "\t"])
    end = chance.choice(["\n", "\r\n"])
    lines = [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    head = f"sep={separator}{end}" if separator == ";" and chance.random() < 0.5 else ""
    text = head + end.join(lines) + end
    return text.encode(chance.choice(["utf-8", "utf-8-sig", "utf-16"]))


def as_json(chance: random.Random, rows: list[list[str]]) -> bytes:
    heads, *cells = rows
    forms: list[object] = [
        [dict(zip(heads, row, strict=True)) for row in cells],
        {head: {str(n): row[place] for n, row in enumerate(cells)} for place, head in enumerate(heads)},
        {head: [row[place] for row in cells] for place, head in enumerate(heads)},
        {"columns": heads, "index": list(range(len(cells))), "data": cells},
        {str(n): dict(zip(heads, row, strict=True)) for n, row in enumerate(cells)},
    ]
    return json.dumps(chance.choice(forms)).encode()


def as_workbook(chance: random.Random, tables: Sequence[list[list[str]]]) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["My cohort"])
    for rows in tables:
        sheet = book.create_sheet()
        for row in [["a title"]] * chance.randint(0, 2) + rows:
            sheet.append([cell.replace("=", "'=") if cell.startswith("=") else cell for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def bare_lines(chance: random.Random) -> Table:
    """Return a list without headings: UIDs of series, with those of their studies and patients behind or before."""
    chosen = chance.sample(ALL, chance.randint(1, 6))
    order = chance.choice(["S", "S T", "T S", "S T P", "T P S", "S P", "T", "P S", "P S T", "P T S", "P T"])
    value = {"S": "series_instance_uid", "T": "study_instance_uid", "P": "patient_id"}
    rows = [[getattr(one, value[letter]) for letter in order.split()] for one in chosen]
    unknown = any(one not in LISTED for one in chosen)
    is_certain = order in {"S", "S P", "P S"} or not unknown
    if len(rows) > 1 and order in {"T P S", "P T S"} and chance.random() < 0.3:
        place = chance.randrange(len(rows))
        rows[place].pop()  # a line that is cut after its study, which then must not come whole
        return Table(rows, meant("uid", [*chosen[:place], *chosen[place + 1 :]]), is_certain=False)
    if "S" not in order:
        return Table(rows, meant("study", chosen), is_certain=not unknown)
    return Table(rows, meant("uid", chosen), is_certain)


def make_list(chance: random.Random) -> tuple[str, bytes, Table]:
    form = chance.choice(["text", "text", "json", "bare", "bare", "workbook"])
    if form == "bare":
        table = bare_lines(chance)
        head = "ListOfSeriesToDownload=\n" if chance.random() < 0.3 else ""
        between = chance.choice([",", ", ", ";", "\t"])
        return "m.txt", (head + "".join(between.join(row) + "\n" for row in table.rows)).encode(), table
    if form == "workbook":
        tables = [make_table(chance, may_choose=False) for _ in range(chance.randint(1, 3))]
        whole = frozenset[str]().union(*(one.series for one in tables))
        certain = all(one.is_certain for one in tables)
        return "m.xlsx", as_workbook(chance, [one.rows for one in tables]), Table([], whole, certain)
    table = chance.choice([make_table, make_table, make_table, make_patients, make_pairs])(chance)
    return f"m.{form}", (as_text if form == "text" else as_json)(chance, table.rows), table


def outcome(name: str, content: bytes, column: str) -> Manifest | ManifestError:
    try:
        return resolve(parse(content, name, column), INDEX)
    except ManifestError as error:
        return error


@pytest.mark.parametrize("part", range(3))
def test_what_is_named_comes_and_nothing_else(part: int) -> None:
    known = {one.series_instance_uid for one in LISTED}
    for number in range(part, LISTS, 3):
        name, content, table = make_list(random.Random(f"{SEED} {number}"))  # noqa: S311  a case that can be repeated
        found = outcome(name, content, table.column)
        shown = f"list {SEED} {number}: {found} of {content[:2000]!r}, --column {table.column!r}"
        if isinstance(found, ManifestError):
            assert found.hint, shown
            assert not table.is_certain or not table.series & known, shown
        else:
            assert set(found.series_instance_uids) & known == table.series & known, shown
            assert found.read, shown
