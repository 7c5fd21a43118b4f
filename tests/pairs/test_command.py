"""`pairs` as a process: what it reads, what it writes, what it says, and that download.py takes its table."""

import csv
import io
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from tcia_xnat.manifest import parse, write_tcia
from tcia_xnat.pairs.command import pairs as command
from tcia_xnat.sources.idc.client import index_path
from tests.pairs.case import HERE, STUDIES, series_rows, write_index

ROOT = HERE.parents[1]
READY = ROOT / "resources" / "TCIA"
REFERENCE = (HERE / "reference_default.csv").read_text()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("index") / "index.parquet")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def pairs(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(str(ROOT / "query.py"), "pairs", *arguments)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write a manifest of all series."""
    path = tmp_path / "all.tcia"
    path.write_text(write_tcia([row.series_instance_uid for row in series_rows()], path.name))
    return path


@pytest.mark.parametrize("rules", ["default", "strict"])
def test_a_manifest_gives_the_reference_rows(index: Path, manifest: Path, tmp_path: Path, rules: str) -> None:
    made = tmp_path / "pairs.csv"
    done = pairs(manifest, made, "--idc-index", index, "--rules", rules)
    assert (done.returncode, done.stdout) == (0, "")
    assert made.read_text() == (HERE / f"reference_{rules}.csv").read_text()


def test_each_study_is_explained_in_a_line(index: Path, manifest: Path, tmp_path: Path) -> None:
    table = tmp_path / "why.csv"
    done = pairs(manifest, "-", "--idc-index", index, "--rules", "default", "--explain", "--explain-csv", table)
    assert done.stdout == REFERENCE
    read, *lines, counted = done.stderr.splitlines()
    assert read == "all.tcia: 69 lines, 69 series"
    assert counted == "7 pairs of 7 patients, 21 of 30 studies rejected"
    with table.open(newline="") as file:
        rows = {row["study_instance_uid"]: row for row in csv.DictReader(file)}
    assert len(lines) == len(rows) == len(STUDIES)
    for study in STUDIES:
        row = rows[f"1.{study.number}"]
        assert (row["collection"], row["patient_id"], row["verdict"]) == (
            study.collection,
            study.patient,
            study.verdict,
        )
        assert study.reason in row["reason"]
        date = study.date or "unknown date"
        assert f"{study.collection} {study.patient} {date} 1.{study.number} {study.verdict}: {row['reason']}" in lines


def test_only_series_of_the_manifest_are_looked_at(index: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("Series UID,x\n1.1.1,\n1.1.2,\n1.17.1,\n1.17.3,\n# 9.9\n9.9.9,\n,7\n".replace("# 9.9\n", ""))
    done = pairs(path, "--idc-index", index)
    assert [row["study_instance_uid"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["1.1", "1.17"]
    assert done.stderr.splitlines() == [
        "some.csv: 5 lines, 5 series in column Series UID",
        "some.csv: line 7 passed over: a row without a series",
        "1 of 5 series are not in IDC's index, and not looked at",
        "2 pairs of 2 patients, 0 of 2 studies rejected; --explain says why",
    ]


def test_collections_and_patients_in_the_place_of_a_manifest(index: Path, tmp_path: Path) -> None:
    options = ("--idc-index", index, "--rules", "default")
    heading, *rows = REFERENCE.splitlines(keepends=True)
    assert pairs("--collection", "C1", "--collection", "c2", *options).stdout == REFERENCE
    assert pairs("--collection", "c2", *options).stdout == heading + rows[-1]
    assert pairs("--patient", "P02", "--patient", "P04", *options).stdout == "".join([heading, *rows[1:3]])
    assert pairs("--patient", "P01", "--collection", "c1", *options).stdout == heading + rows[0]
    made = tmp_path / "pairs.csv"
    for _ in range(2):  # a file that is there is written anew, not read
        done = pairs(made, "--collection", "c2", *options)
        assert (done.returncode, done.stdout) == (0, "")
        assert made.read_text() == heading + rows[-1]


def test_order_and_number_of_pairs(index: Path) -> None:
    done = pairs("--patient", "P10", "--max-pairs-per-patient", 2, "--order", "images", "--idc-index", index)
    assert [row["study_instance_uid"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["1.27", "1.26"]


def test_general_rules_find_pairs_of_patients_of_whom_the_default_ones_find_none(index: Path) -> None:
    done = pairs("--collection", "c1", "--idc-index", index)
    found = {row["patient_id"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert found["P05"]["pet_series_description"] == "WB 3D AC"
    first = {row["patient_id"] for row in csv.DictReader(io.StringIO(REFERENCE)) if row["collection"] == "c1"}
    assert {patient: found[patient] for patient in first} == {
        row["patient_id"]: row for row in csv.DictReader(io.StringIO(REFERENCE)) if row["collection"] == "c1"
    }
    assert "(6 by the rules default, 2 by the rules general)" in done.stderr


def test_rules_of_a_file(index: Path, tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text('[pet]\nmodality = "PT"\nrequire = ["head"]\n[ct]\nmodality = "CT"\n')
    done = pairs("--collection", "c1", "--rules", rules, "--idc-index", index)
    assert [row["study_instance_uid"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["1.11"]


def test_no_pair_is_said_with_what_would_find_more(index: Path, tmp_path: Path) -> None:
    rules = tmp_path / "none.toml"
    rules.write_text('[pet]\nmodality = "PT"\nrequire = ["nowhere"]\n[ct]\nmodality = "CT"\n')
    done = pairs("--collection", "c1", "--rules", rules, "--idc-index", index)
    assert (done.returncode, done.stdout) == (0, REFERENCE.splitlines(keepends=True)[0])
    assert done.stderr.splitlines()[-1].startswith("no pair was found: --explain says why of each study; --rules FILE")
    listed = tmp_path / "list.tcia"
    listed.write_text(write_tcia(["9.9.9"], listed.name))
    done = pairs(listed, "--idc-index", index)
    assert done.stderr.splitlines()[-1] == (
        "no pair was found: IDC's index lists none of these series; query.py search --modality PT shows what has PET"
    )


def test_download_takes_both_series_of_each_pair(index: Path, tmp_path: Path) -> None:
    made = tmp_path / "pairs.csv"
    made.write_text(REFERENCE)
    rows = list(csv.DictReader(io.StringIO(REFERENCE)))
    wanted = [row[f"{half}_series_instance_uid"] for row in rows for half in ("pet", "ct")]
    assert list(parse(REFERENCE.encode(), "pairs.csv").series_instance_uids) == wanted
    done = run("download.py", made, "--dry-run", "--source", "idc", "--idc-index", index)
    images = sum(int(row[f"{half}_img_count"]) for row in rows for half in ("pet", "ct"))
    assert done.returncode == 0
    assert f"To send: 14 series, {images:,} images" in done.stdout


REFUSED = {
    (): "nothing to pick pairs from",
    ("nothing.tcia", "x.csv"): "no such manifest",
    ("--collection", "nsclc_radiogenomic"): "no collection_id nsclc_radiogenomic",
    ("--patient", "nobody"): "no PatientID nobody",
    ("--collection", "c1", "--rules", "loose"): "no rules loose",
    ("--collection", "cmb_aml", "/nowhere/x.csv"): "cannot be written",
    ("--collection", "c1", "--idc-index", "/nowhere/x.parquet"): "no such index",
    ("--collection", "c1", "--idc-index", str(ROOT / "README.md")): "cannot be read",
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.items(), ids=REFUSED.values())
def test_what_cannot_be_used_is_refused_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(command, arguments)
    error, hint = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (2, "")
    assert error.startswith("error: ")
    assert said in error
    assert hint.startswith("hint: ")


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    assert "nsclc_radiogenomics" in pairs("--collection", "nsclc_radiogenomic").stderr


def test_a_ready_manifest_of_a_real_pair() -> None:
    done = pairs(READY / "NSCLC-Radiogenomics_one-PET-CT-pair.tcia")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["collection"], row["pet_series_description"]) == ("nsclc_radiogenomics", "PET WB")


def test_a_real_collection_by_other_means() -> None:
    """Of each patient the first study by SQL: one series of each kind that no term excludes."""
    query = """
        WITH passed AS (
            SELECT *, lower(coalesce(SeriesDescription, '')) AS text FROM read_parquet(?)
            WHERE collection_id = 'acrin_nsclc_fdg_pet' AND (
                Modality = 'PT' AND contains(text, 'pet wb') AND NOT regexp_matches(text, 'nac|cor|sag|mip')
                OR Modality = 'CT' AND NOT regexp_matches(text, 'cor|sag|mip|scout|topogram'))),
        studies AS (
            SELECT PatientID, StudyInstanceUID, min(StudyDate) AS date,
                list(SeriesInstanceUID ORDER BY Modality DESC) AS pair
            FROM passed GROUP BY ALL HAVING list_sort(list(Modality)) = ['CT', 'PT'])
        SELECT PatientID, arg_min(pair, (date, StudyInstanceUID)) FROM studies GROUP BY ALL ORDER BY ALL"""
    with duckdb.connect() as database:
        expected = database.execute(query, [str(index_path())]).fetchall()
    done = pairs("--collection", "ACRIN-NSCLC-FDG-PET", "--rules", "default")
    found = [
        (row["patient_id"], [row["pet_series_instance_uid"], row["ct_series_instance_uid"]])
        for row in csv.DictReader(io.StringIO(done.stdout))
    ]
    assert found == expected
    assert len(found) > 50


def test_help_is_there_at_once() -> None:
    started = time.monotonic()
    assert "download.py takes the CSV as its MANIFEST" in " ".join(pairs("--help").stdout.split())
    assert time.monotonic() - started < 5  # seconds, on a machine that is busy; 0.1 on one that is not
