"""`convert`: any lists in, one list out that other programs read."""

import csv
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tcia_xnat.manifest import read, write_tcia
from tcia_xnat.sources.idc.client import index_path

ROOT = Path(__file__).resolve().parents[2]
READY = ROOT / "resources" / "TCIA"
ONE_PATIENT, WHOLE = READY / "CMB-AML_one-patient.tcia", READY / "CMB-AML.tcia"
UNKNOWN = "1.2.3.4"


def convert(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "query.py"), "convert", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("ending", ["tcia", "csv", "s5cmd", "TCIA"])
def test_there_and_back(tmp_path: Path, ending: str) -> None:
    made, back = tmp_path / f"made.{ending}", tmp_path / "back.tcia"
    assert convert(ONE_PATIENT, made).returncode == 0
    assert convert(made, back).returncode == 0
    assert back.read_text() == ONE_PATIENT.read_text().replace(ONE_PATIENT.name, back.name)


def test_several_become_one(tmp_path: Path) -> None:
    extra, made = tmp_path / "a, b.csv", tmp_path / "made.tcia"
    extra.write_text(f"Series ID,n\n{UNKNOWN},1\n,2\n")
    done = convert(ONE_PATIENT, f"{WHOLE},{ONE_PATIENT}", extra, made)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "CMB-AML_one-patient.tcia: 8 lines, 8 series",
        "CMB-AML.tcia: 52 lines, 52 series",
        "CMB-AML_one-patient.tcia: 8 lines, 8 series",
        "a, b.csv: 1 line, 1 series in column Series ID",
        "a, b.csv: line 3 passed over: a row without a series",
        f"53 series in {made}, 16 lines named one of them again",
    ]
    uids = read(made).series_instance_uids
    assert uids[:8] == read(ONE_PATIENT).series_instance_uids
    assert set(uids) == {*read(WHOLE).series_instance_uids, UNKNOWN}


def test_a_table_has_what_the_index_knows(tmp_path: Path) -> None:
    made = tmp_path / "made.csv"
    (tmp_path / "unknown.txt").write_text(f"{UNKNOWN}\n")
    assert convert(ONE_PATIENT, tmp_path / "unknown.txt", made).returncode == 0
    with made.open(newline="") as file:
        *rows, unknown = list(csv.DictReader(file))
    query = """SELECT SeriesInstanceUID, StudyInstanceUID, PatientID, Modality, instanceCount::VARCHAR,
        (series_size_MB * 1e6)::BIGINT::VARCHAR, license_short_name, source_DOI
        FROM read_parquet(?) WHERE SeriesInstanceUID IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL"""
    with duckdb.connect() as database:
        known = database.execute(query, [str(index_path()), list(read(ONE_PATIENT).series_instance_uids)]).fetchall()
    columns = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality", "instanceCount", "series_size_bytes")
    found = sorted(tuple(row[name] for name in (*columns, "license_short_name", "source_DOI")) for row in rows)
    assert found == known
    assert (unknown["SeriesInstanceUID"], unknown["PatientID"]) == (UNKNOWN, "")


def test_what_the_index_does_not_know_is_named(tmp_path: Path) -> None:
    listed, made = tmp_path / "m.s5cmd", tmp_path / "made.tcia"
    uuid = "0a1b2c3d-0000-4000-8000-123456789abc"
    listed.write_text(f"cp s3://b/{uuid}/* .\n")
    done = convert(listed, ONE_PATIENT, made)
    assert done.returncode == 3
    assert f"{uuid} is not in IDC's index, and left out\n" in done.stderr
    assert read(made).series_instance_uids == read(ONE_PATIENT).series_instance_uids
    (tmp_path / "unknown.tcia").write_text(write_tcia([UNKNOWN], "u"))
    commands = tmp_path / "made.s5cmd"
    assert convert(tmp_path / "unknown.tcia", commands).returncode == 0
    assert f"# not in IDC: {UNKNOWN}\n" in commands.read_text()


@pytest.mark.parametrize(("name", "said"), [("made.txt", "ends with none of"), ("no/made.csv", "cannot be written")])
def test_an_output_that_cannot_be_is_refused(tmp_path: Path, name: str, said: str) -> None:
    done = convert(ONE_PATIENT, tmp_path / name)
    error, hint = done.stderr.splitlines()
    assert (done.returncode, hint[:6]) == (2, "hint: ")
    assert said in error
