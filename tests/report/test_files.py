"""The files of a report that others open: whatever texts the archives hold, they stay texts."""

import csv
from pathlib import Path

import pytest

from tcia_xnat.core.model import State
from tcia_xnat.core.tables import original
from tcia_xnat.manifest import read
from tcia_xnat.report.files import write_files
from tests.report.case import outcome, report_json, series

FORMULAS = ['=HYPERLINK("http://x","y")', "=cmd|'/c calc'!A1", "@SUM(1)", "+1+1", "x\n1.2.3.4\n=1"]


@pytest.mark.parametrize("hostile", FORMULAS)
def test_no_cell_is_a_formula_and_no_line_is_a_series_that_nobody_named(tmp_path: Path, hostile: str) -> None:
    names = dict.fromkeys(("patient_id", "collection_id", "series_description", "licence", "source_doi"), hostile)
    good, bad = series(1, **names), series(2, **names)
    failed = outcome(bad, State.FAILED, reason=hostile, hint=hostile, kind="SourceError")
    write_files(report_json(tmp_path, [(good, outcome(good)), (bad, failed)]), tmp_path, [])
    for name in ("report.csv", "licences.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"} and len(cell) > 1]
        assert hostile in [original(cell) for cell in cells]
    assert read(tmp_path / "failed.tcia").series_instance_uids == (bad.series_instance_uid,)
    page = (tmp_path / "LICENSES.md").read_text()
    assert not [line for line in page.splitlines() if line.startswith(("1.2.3.4", "=1"))]


def test_half_a_character_ends_no_report(tmp_path: Path) -> None:
    one = series(1, patient_id="A\ud800", series_description="\ud800", collection_id="\ud800")
    write_files(report_json(tmp_path, [(one, outcome(one, State.FAILED, reason="\ud800"))]), tmp_path, [])
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"report.json", "report.csv", "report.html", "failed.tcia", "LICENSES.md", "CITATION.bib"}
