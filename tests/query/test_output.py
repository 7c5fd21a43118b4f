"""What a command writes: by the ending of a file, on a terminal, on a pipe, and back in again as a manifest."""

import csv
import json
import re
from pathlib import Path

import duckdb
import openpyxl
import pytest

from tcia_xnat import manifest
from tests.query.case import ROOT, on_terminal, query, straight

CHOICE = ("search", "-c", "cmb_aml", "-m", "CT")
WHERE = "collection_id = 'cmb_aml' AND Modality = 'CT'"


def wanted(condition: str = WHERE) -> set[str]:
    return {uid for (uid,) in straight(f"SELECT SeriesInstanceUID FROM INDEX WHERE {condition}")}  # noqa: S608  own


def test_every_ending_holds_the_same_rows(tmp_path: Path) -> None:
    for ending in ("csv", "tsv", "json", "parquet", "xlsx", "tcia"):
        done = query(*CHOICE, "-o", tmp_path / f"found.{ending}")
        assert (done.code, done.out) == (0, ""), done.err
        assert f"{len(wanted())} " in done.err
    with (tmp_path / "found.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "found.tsv").open(newline="") as file:
        assert list(csv.DictReader(file, delimiter="\t")) == rows
    parsed = json.loads((tmp_path / "found.json").read_text())
    with duckdb.connect() as database:
        stored = database.execute(f"FROM '{tmp_path / 'found.parquet'}'").fetchall()
    heading, *cells = openpyxl.load_workbook(tmp_path / "found.xlsx").active.iter_rows(values_only=True)
    assert [tuple(row.values()) for row in parsed] == stored == list(cells)
    assert list(heading) == list(rows[0]) == list(parsed[0])
    assert [[str("" if value is None else value) for value in row] for row in stored] == [
        list(row.values()) for row in rows
    ]
    assert {row["SeriesInstanceUID"] for row in rows} == wanted()
    assert {path.name for path in tmp_path.iterdir()} == {
        f"found.{ending}" for ending in ("csv", "tsv", "json", "parquet", "xlsx", "tcia")
    }


@pytest.mark.parametrize("ending", ["tcia", "csv", "tsv", "xlsx"])
def test_what_is_written_is_a_manifest(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"found.{ending}"
    assert query(*CHOICE, "-o", path).code == 0
    assert set(manifest.read(path).series_instance_uids) == wanted()


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        (CHOICE, WHERE),
        (("series", "-c", "cmb_aml"), "collection_id = 'cmb_aml'"),
        (("studies", "-c", "cmb_aml", "-m", "CT"), WHERE),
        (("patients", "-c", "cmb_aml"), "collection_id = 'cmb_aml'"),
        (("collections", "-c", "cmb_aml", "--format", "list"), "collection_id = 'cmb_aml'"),
        (("sql", "SELECT DISTINCT SeriesInstanceUID FROM index WHERE Modality = 'NM' -- all"), "Modality = 'NM'"),
    ],
    ids=lambda value: value[0],
)
def test_a_pipe_gets_a_list_of_series(arguments: tuple[str, ...], condition: str) -> None:
    done = query(*arguments)
    assert done.code == 0, done.err
    listed = manifest.parse(done.out.encode(), "stdin")
    assert set(listed.series_instance_uids) == wanted(condition)
    assert listed.duplicates == 0


def test_a_limit_takes_the_first_rows_and_their_series() -> None:
    rows = json.loads(query("patients", "-c", "cmb_aml", "--limit", "2", "--format", "json").out)
    patients = [row["PatientID"] for row in rows]
    ((first,), (second,)) = straight(
        "SELECT DISTINCT PatientID FROM INDEX WHERE collection_id = 'cmb_aml' ORDER BY 1 LIMIT 2"
    )
    assert patients == [first, second]
    listed = query("patients", "-c", "cmb_aml", "--limit", "2")
    assert {line for line in listed.lines if not line.startswith("#")} == wanted(
        f"collection_id = 'cmb_aml' AND PatientID IN ('{first}', '{second}')"
    )


def test_a_terminal_gets_a_table() -> None:
    shown = on_terminal(*CHOICE, "--limit", "3")
    for word in ("SeriesInstanceUID", "MSB-01723", "AXIAL", "51.8 MB"):
        assert word in shown
    assert sum(uid in shown for uid in wanted()) == 3  # whole, to be copied
    many = on_terminal("search", "-c", "cmb_crc")
    assert "more rows: -o FILE writes all" in many
    assert many.count("cmb_crc") == 50


@pytest.mark.parametrize("command", ["studies", "patients"])
@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".json"])
def test_a_list_brings_the_same_series_in_every_form(command: str, ending: str, tmp_path: Path) -> None:
    options = ("-c", "nsclc_radiomics", "-m", "SEG", "--limit", "3")
    for name in ("s.tcia", f"s{ending}"):
        assert query(command, *options, "-o", tmp_path / name).code == 0
    as_table, as_list = (manifest.read(tmp_path / name).series_instance_uids for name in (f"s{ending}", "s.tcia"))
    assert sorted(as_table) == sorted(as_list)
    assert as_list


def test_information_is_a_table_on_a_pipe_too() -> None:
    ((patients, size),) = straight(
        """SELECT count(DISTINCT PatientID), sum(round(series_size_MB * 1e6)::BIGINT)::BIGINT
        FROM INDEX WHERE collection_id = 'nlst'"""
    )
    rows = list(csv.DictReader(query("collections").lines, delimiter="\t"))
    assert len(rows) == straight("SELECT count(DISTINCT collection_id) FROM INDEX")[0][0]
    (nlst,) = [row for row in rows if row["collection_id"] == "nlst"]
    assert (nlst["patients"], nlst["bytes"], nlst["collection_name"]) == (str(patients), str(size), "NLST")
    sizes = list(csv.DictReader(query("sizes", "-c", "nlst,cmb_aml").lines, delimiter="\t"))
    assert [row["collection_id"] for row in sizes] == ["cmb_aml", "nlst", "all"]
    assert int(sizes[2]["bytes"]) == int(sizes[0]["bytes"]) + size
    assert "CC BY-NC 4.0\tbreast_cancer_screening_dbt\t10.7937/e4wt-cd02" in query("licences", "-m", "MG").out


def test_a_list_of_what_is_no_series_is_refused(tmp_path: Path) -> None:
    for arguments in (("sizes", "-c", "cmb_aml"), ("sql", "SELECT 1 AS one")):
        done = query(*arguments, "-o", tmp_path / "x.tcia")
        assert (done.code, "no list of series" in done.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_sql_to_a_file_writes_only_that_file(tmp_path: Path) -> None:
    path = tmp_path / "o'clock.csv"
    done = query("sql", "SELECT Modality, count(*) AS n FROM index GROUP BY 1; -- all", "-o", path)
    assert done.code == 0, done.err
    with path.open(newline="") as file:
        assert {(row["Modality"], int(row["n"])) for row in csv.DictReader(file)} == set(
            straight("SELECT Modality, count(*) FROM INDEX GROUP BY 1")
        )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "word"), [("x.docx", "no ending"), ("nowhere/x.csv", "no folder")])
def test_a_file_that_cannot_be_is_refused(name: str, word: str, tmp_path: Path) -> None:
    done = query(*CHOICE, "-o", tmp_path / name)
    assert (done.code, word in done.err) == (2, True)


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    assert query("sql", "SELECT '=1+1' AS a, 'b' || chr(7) AS b, [1, 2] AS c, NULL AS d", "-o", path).code == 0
    _, row = openpyxl.load_workbook(path).active.iter_rows()
    assert [(cell.value, cell.data_type) for cell in row] == [("=1+1", "s"), ("b", "s"), ("[1, 2]", "s"), (None, "n")]


def test_viewers() -> None:
    ((study, series),) = straight(
        f"SELECT StudyInstanceUID, SeriesInstanceUID FROM INDEX WHERE {WHERE} LIMIT 1"  # noqa: S608  own
    )
    site = f"https://viewer.imaging.datacommons.cancer.gov/v3/viewer/?StudyInstanceUIDs={study}"
    assert query("viewer", study).lines == [site]
    assert query("viewer", series).lines == [f"{site}&SeriesInstanceUIDs={series}"]
    counted = straight("SELECT count(DISTINCT StudyInstanceUID) FROM INDEX WHERE collection_id = 'cmb_aml'")
    assert len(query("viewer", "-c", "cmb_aml").lines) == counted[0][0]


def test_schema_says_what_each_column_means() -> None:
    rows = list(csv.DictReader(query("schema").lines, delimiter="\t"))
    named = {(row["table"], row["column"]) for row in rows}
    columns = [row[0] for row in straight("DESCRIBE SELECT * FROM INDEX")]
    assert {("index", column) for column in columns} <= named
    assert {table for table, _ in named} >= {"prior_versions_index", "collections_index", "analysis_results_index"}
    assert all(row["meaning"] for row in rows)
    tables = {row["table"] for row in rows}
    for meaning in (row["meaning"] for row in rows):
        assert set(re.findall(r"\b\w+_index\b", meaning)) <= tables or "not part of the embedded index" in meaning


def test_help_cuts_no_command_short() -> None:
    assert "..." not in query("--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help")])
def test_help_is_quick(arguments: tuple[str, ...]) -> None:
    done = query(*arguments)
    assert done.code == 0
    assert done.seconds < 0.5


def test_the_older_form_goes_to_pairs(tmp_path: Path) -> None:
    done = query(ROOT / "resources/TCIA/CMB-AML.tcia", tmp_path / "pairs.csv")
    assert "is no command" not in done.err


def test_a_closed_pipe_is_no_failure() -> None:
    import subprocess  # noqa: PLC0415  this test alone needs a pipe that closes
    import sys  # noqa: PLC0415  as above

    with subprocess.Popen(
        [sys.executable, str(ROOT / "query.py"), "search", "-m", "CT"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_a_formula_in_an_answer_is_a_text_in_every_table(tmp_path: Path) -> None:
    asked = "SELECT '=1+1' AS \"a b\", '-5' AS n, 1.5 AS d, true AS t, NULL AS nothing, '1.2.3' AS SeriesInstanceUID"
    for ending, separator in (("csv", ","), ("tsv", "\t")):
        path = tmp_path / f"formula.{ending}"
        assert query("sql", asked, "-o", path).code == 0
        with path.open(newline="") as file:
            written = list(csv.reader(file, delimiter=separator))
        shown = list(csv.reader(query("sql", asked, "--format", ending).lines, delimiter=separator))
        assert written[0] == shown[0] == ["a b", "n", "d", "t", "nothing", "SeriesInstanceUID"]
        assert written[1][:2] == shown[1][:2] == ["'=1+1", "-5"]
        assert written[1][2:] == ["1.5", "true", "", "1.2.3"]
    assert query("sql", asked, "-o", tmp_path / "formula.xlsx").code == 0
    sheet = openpyxl.load_workbook(tmp_path / "formula.xlsx").active
    assert sheet["A2"].data_type == "s"


@pytest.mark.parametrize(("command", "columns"), [("search", 80), ("search", 120), ("studies", 80)])
def test_a_narrow_terminal_leaves_columns_out_and_cuts_no_word(command: str, columns: int) -> None:
    coloured = on_terminal(command, "-c", "nsclc_radiomics", "--limit", "3", columns=columns)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert "LUNG1-001" in shown
    assert "InstanceUID" in shown.partition("no room for")[2]
    assert all(len(line) <= columns for line in shown.partition("no room for")[0].splitlines())
