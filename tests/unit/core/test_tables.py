"""Cells that a spreadsheet shows and never runs, and that come back as they were."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core import tables
from tcia_xnat.core.tables import cell, original, printable, table, table_of

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1-1",
    "@SUM(1)",
    "\t=1",
    "\n=1",
    '=HYPERLINK("http://x","y")',
    "\uff1d1",
    "=cmd|'/c calc'!A1",
]
PLAIN = ["", "-", "1.2.840.1", "-5", "+5", "-1.5e-3", "Axial T1", "'quoted'", "a=b", "CC BY-NC 4.0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", [*PLAIN, "=", "+", "*"])
def test_other_texts_stay(text: str) -> None:
    assert cell(text) == text


def test_numbers_and_nothing_stay() -> None:
    assert [cell(value) for value in (-1, 1.5, None, True)] == [-1, 1.5, None, True]


@given(st.text())
def test_what_was_neutralized_comes_back(text: str) -> None:
    neutral = cell(text)
    assert isinstance(neutral, str)
    assert len(neutral) == 1 or neutral[:1] not in {*"=@\t\r"}
    assert original(neutral) == printable(text)


def test_control_characters_are_replaced() -> None:
    assert cell("a\x00b\x1b[31m\ud800") == "a\ufffdb\ufffd[31m\ufffd"
    table(["a"], [["\ud800"]]).encode()


def test_a_table_reads_back() -> None:
    rows = [[text, "x"] for text in FORMULAS + PLAIN]
    found = list(csv.reader(io.StringIO(table(["=a", "b"], rows), newline="")))
    assert found[0] == ["'=a", "b"]
    assert [[original(value) for value in row] for row in found[1:]] == rows
    assert table(["a"], [["b\r\nc\rd"]]) == 'a\n"b\nc\nd"\n'
    assert cell("\r=1") == "'\n=1"
    assert table_of(["a", "b"], [{"b": "=1"}]) == "a,b\n,'=1\n"


def test_no_other_module_writes_tables_by_itself() -> None:
    package = Path(tables.__file__).parents[1]
    writers = {
        path.name for path in package.rglob("*.py") if re.search(r"csv\.(Dict)?[wW]riter|to_csv\(", path.read_text())
    }
    assert writers == {"tables.py"}
