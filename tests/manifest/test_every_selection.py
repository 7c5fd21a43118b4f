"""Selections as people write them, in whole runs to disk: what is named comes and nothing else, or it is said why not.

Each list is run twice: the second time its rows and sheets stand in the other order, and all state is lost.
"""

import csv
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import openpyxl
import pytest

from sandbox.sandbox import Sandbox
from tests import zygote
from tests.folder.case import on_disk
from tests.job.case import ROOT, Done, quick, run

VIEWER = "https://viewer.imaging.datacommons.cancer.gov/v3/viewer/"
UNKNOWN = "1.2.840.99.1"


@dataclass(frozen=True, slots=True)
class Case:
    """A list, and what must come of it.

    `rows` are the lines below `heading`, with names of `named` in braces; `sheets` are those of a workbook, by title.
    `given` stands on the command line in the place of a file. `came` are names of series.
    """

    came: str
    words: tuple[str, ...]
    rows: tuple[str, ...] = ()
    heading: str = ""
    options: tuple[str, ...] = ()
    code: int = 0
    sheets: Mapping[str, Sequence[str]] | None = None
    given: str = ""
    name: str = "cohort.csv"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, collections=["cmb_aml"], pixels=16, max_instances=1, with_xnat=False) as started:
        yield started


@pytest.fixture(scope="module")
def named(sandbox: Sandbox) -> Mapping[str, str]:
    """Return the names of the cases: a study of the series a, b and c, and another one of d and e."""
    query = """
        SELECT StudyInstanceUID, any_value(PatientID), list(SeriesInstanceUID ORDER BY SeriesInstanceUID),
            list(crdc_series_uuid ORDER BY SeriesInstanceUID)
        FROM read_parquet(?) GROUP BY 1 HAVING count(*) = ? ORDER BY 1 LIMIT 1"""
    found: dict[str, str] = {"unknown": UNKNOWN}
    with duckdb.connect() as database:
        for study, letters in (("study", "abc"), ("other", "de")):
            (row,) = database.execute(query, [str(sandbox.index.parquet), len(letters)]).fetchall()
            found |= {study: row[0], f"patient_of_{study}": row[1]}
            found |= dict(zip(letters, row[2], strict=True))
            found |= {f"folder_{letter}": folder for letter, folder in zip(letters, row[3], strict=True)}
    return found


CASES = {
    "addresses beside their studies": Case(
        "ab",
        ("cohort.csv: 2 lines, 2 folders of IDC in column series_aws_url: 2 series",),
        ("{study},s3://idc-open-data/{folder_a}/*", "{study},s3://idc-open-data/{folder_b}/*"),
        "StudyInstanceUID,series_aws_url",
    ),
    "series under an unknown heading": Case(
        "",
        ("studies in column StudyInstanceUID, and CT_Series may name what is meant", "--column CT_Series or"),
        ("{study},{a}", "{study},{b}"),
        "StudyInstanceUID,CT_Series",
        code=2,
    ),
    "the column that was chosen": Case(
        "ab",
        ("cohort.csv: 2 lines, 2 series in column CT_Series",),
        ("{study},{a}", "{study},{b}"),
        "StudyInstanceUID,CT_Series",
        ("--column", "CT_Series"),
    ),
    "a column that no list has": Case(
        "", ("cohort.csv has no column PET_Series",), ("{a}",), "SeriesInstanceUID", ("--column", "PET_Series"), 2
    ),
    "studies": Case(
        "abc", ("cohort.csv: 1 line, 1 study in column Study UID: 3 series",), ("{study},1",), "Study UID,n"
    ),
    "two columns of one meaning": Case(
        "", ("several columns of the same meaning",), ("{a},{b}", "{b},{c}"), "Series UID,SeriesInstanceUID", code=2
    ),
    "sheets of different columns": Case(
        "ade",
        ("sheet CT: 1 line, 1 series in column Series UID", "sheet rest: 1 line, 1 study in column StudyInstanceUID"),
        sheets={"CT": ("n,Series UID", "1,{a}"), "notes": ("read me",), "rest": ("StudyInstanceUID", "{other}")},
        name="cohort.xlsx",
    ),
    "a sheet of which nobody knows the column": Case(
        "",
        ("cohort.xlsx, sheet PET has no column SeriesInstanceUID; found: n, my PET", '--column "my PET"'),
        sheets={"CT": ("n,Series UID", "1,{a}"), "PET": ("n,my PET", "1,{b}")},
        code=2,
        name="cohort.xlsx",
    ),
    "series and their studies without headings": Case(
        "ab", ("2 lines, 2 series; 1 study beside their series not taken",), ("{a},{study}", "{b},{study}")
    ),
    "study, patient, series": Case(
        "ad",
        ("2 lines, 2 series; 2 studies beside their series not taken",),
        ("{study},{patient_of_study},{a}", "{other},{patient_of_other},{d}"),
    ),
    "patients before series": Case("ab", ("2 lines, 2 series",), ("P1,{a}", "P2,{b}")),
    "a study and one of its series": Case(
        "",
        ("names study {study} and series beside it", "SeriesInstanceUID and StudyInstanceUID"),
        ("{study}", "{a}"),
        code=2,
    ),
    "one UID is broken": Case("", ("a UID that is none", "{b}x"), ("{a}", "{b}x"), code=2),
    "one series is unknown": Case(
        "a", ("1 of 2 series are on disk; 1 not offered.", "{unknown}"), ("{a}", "{unknown}"), code=3
    ),
    "one name is unknown": Case(
        "",
        ("{patient_of_study}x is no file, and nothing of that name is listed", "did you mean"),
        given="{a},{patient_of_study}x",
        code=2,
    ),
    "one option twice": Case(
        "", ("--source is given 2 times",), ("{a}",), options=("--source", "idc"), code=2
    ),
    "one filter twice": Case(
        "ab",
        ("All 2 series are on disk",),
        ("{a}", "{b}"),
        options=("--licence-filter", "CC0 1.0", "--licence-filter", "CC BY"),
    ),
    "a licence with commas that no series has": Case(
        "",
        ("leaves out all 2 series", "their licences are CC BY 4.0"),
        ("{a}", "{b}"),
        options=("--licence-filter", "National Library of Medicine Terms and Conditions; May 21, 2019"),
        code=2,
    ),
    "an empty list": Case("", ("cohort.csv holds no series",), (), "SeriesInstanceUID,n", code=2),
    "an empty list of JSON": Case("", ("holds no series",), ("[]",), code=2, name="cohort.json"),
    "columns of pandas": Case(
        "ab",
        ("2 series in column SeriesInstanceUID",),
        ('{{"SeriesInstanceUID": {{"0": "{a}", "1": "{b}"}}}}',),
        name="cohort.json",
    ),
    "cells of Excel": Case("ab", ("2 series in column Series UID",), ('"=""{a}"""', '"=""{b}"""'), "Series UID,"),
    "what a viewer shows": Case(
        "a", ("{a}: series, 1 series",), given=VIEWER + "?StudyInstanceUIDs={study}&SeriesInstanceUIDs={a}"
    ),
    "a study that a viewer opens at a series": Case(
        "",
        ("shows one series of a study: it is not certain which is meant",),
        given=VIEWER + "?StudyInstanceUIDs={study}&initialSeriesInstanceUID={a}",
        code=2,
    ),
}  # fmt: skip


def written(case: Case, folder: Path, named: Mapping[str, str], order: Callable[[Sequence[str]], Sequence[str]]) -> str:
    """Write the list of a case; return what stands for it on the command line."""
    if case.given:
        return case.given.format_map(named)
    path = folder / case.name
    if case.sheets:
        book = openpyxl.Workbook()
        book.remove(book.worksheets[0])
        for title in order(list(case.sheets)):
            sheet = book.create_sheet(title)
            for row in case.sheets[title]:
                sheet.append(row.format_map(named).split(","))
        content = io.BytesIO()
        book.save(content)
        path.write_bytes(content.getvalue())
    else:
        rows = [row.format_map(named) for row in order(case.rows)]
        path.write_text("\n".join([*filter(None, [case.heading]), *rows, ""]))
    return str(path)


@pytest.mark.parametrize("name", CASES)
def test_what_is_named_comes_and_nothing_else(
    sandbox: Sandbox, named: Mapping[str, str], tmp_path: Path, name: str
) -> None:
    case, out = CASES[name], tmp_path / "out"
    for order in (tuple[str, ...], lambda those: tuple(reversed(those))):
        listed = written(case, tmp_path, named, order)
        done = run(sandbox, out, listed, out, "--source", "idc", "--thumbnails", "off", *case.options)
        assert done.code == case.code, done.err
        for words in case.words:
            assert words.format_map(named) in done.out + done.err
        assert set(on_disk(out)) == {named[letter] for letter in case.came}
        if case.code == 2:
            assert done.err.splitlines()[-1].startswith(("hint: ", "Error: "))  # of ours, or of click
        shutil.rmtree(out / "state", ignore_errors=True)


def to_disk(sandbox: Sandbox, out: Path, uid: str, **variables: str) -> Done:
    changed = {"TCIA_XNAT_IDC_URL": "https://idc.invalid", "NO_PROXY": "", "no_proxy": "", **variables}
    return run(sandbox, out, uid, out, "--source", "idc", *quick(), **changed)


@pytest.mark.parametrize(
    ("variable", "value", "code", "words"),
    [
        ("HTTPS_PROXY", "127.0.0.1:9", 4, "the proxy 127.0.0.1:9 does not lead there: Connection refused"),
        ("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:9", 2, "a SOCKS proxy needs the package PySocks"),
        (
            "HTTPS_PROXY",
            "http://user:secret@127.0.0.1:x",
            2,
            "127.0.0.1:x of HTTPS_PROXY is not the address of a proxy",
        ),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem", 2, "REQUESTS_CA_BUNDLE names /nowhere/ca.pem, which is not there"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", 2, "SSL_CERT_FILE names /nowhere/ca.pem, which is not there"),
    ],
)
def test_a_variable_is_an_option_too(  # noqa: PLR0917  a row of the table
    sandbox: Sandbox, named: Mapping[str, str], tmp_path: Path, variable: str, value: str, code: int, words: str
) -> None:
    others = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": "", "https_proxy": ""}
    done = to_disk(sandbox, tmp_path / "out", named["a"], **others | {variable: value})
    assert (done.code, words in done.out + done.err) == (code, True), done.err
    assert "secret" not in done.out + done.err
    assert not on_disk(tmp_path / "out")


def test_what_a_query_writes_is_read_whatever_headers_hold(tmp_path: Path) -> None:
    """Series descriptions of this collection hold NUL: of the index that is installed, nothing is fetched."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TCIA_XNAT_", "XNAT_"))}
    for order in ("", "ORDER BY SeriesInstanceUID DESC"):
        query = f"SELECT SeriesInstanceUID, SeriesDescription FROM index WHERE collection_id = 'phantom_fda' {order}"  # noqa: S608  a text of ours
        lines = (["query.py", "sql", query, "-o", "x.csv"], ["download.py", "x.csv", "--dry-run", "--source", "idc"])
        made, planned = (
            zygote.run([sys.executable, str(ROOT / line[0]), *line[1:]], env=env, cwd=tmp_path, timeout=60)
            for line in lines
        )
        assert "rows written to x.csv" in made.stderr
        with (tmp_path / "x.csv").open(newline="") as file:
            count = f"{len([*csv.DictReader(file)]):,}"
        assert planned.returncode == 0, planned.stderr
        assert f"x.csv: {count} lines, {count} series in column SeriesInstanceUID" in planned.stdout
        assert f"To send: {count} series" in planned.stdout
