"""Runs on a part of a list: what they say of it, what they leave of the record of the whole, and what they return."""

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.folder.case import to_disk
from tests.job.case import ONE_PATIENT, manifest

AWAY = ("--source", "nbia", "--nbia-url", "http://127.0.0.1:1", "--retries", "1")


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_limit_hides_neither_an_outage_nor_what_nobody_offers(
    sandbox: Sandbox, tmp_path: Path, more: tuple[str, ...]
) -> None:
    away = to_disk(sandbox, ONE_PATIENT, tmp_path / "away", *AWAY, "--limit", "4", *more)
    assert away.code == 4, away.out + away.err
    gone = manifest(tmp_path / "gone.tcia", ["1.2.3.4.5.6.7.8.9"])
    done = to_disk(sandbox, gone, tmp_path / "gone", "--limit", "1", *more)
    assert done.code == 3
    assert "All" not in away.out + done.out


def test_a_run_on_a_part_leaves_the_record_of_the_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = to_disk(sandbox, ONE_PATIENT, out, "--limit", "3")
    assert first.code == 0
    assert "3 of the 8 series of CMB-AML_one-patient.tcia (--limit 3) are on disk" in first.out
    assert first.report["asked"][0]["series"] == 8
    whole = to_disk(sandbox, ONE_PATIENT, out)
    assert "All 8 series are on disk: 5 new, 3 were there." in whole.out
    assert {row["source"] for row in whole.rows} == {"idc"}
    gone = "1.2.3.4.5.6.7.8.9"
    missing = manifest(tmp_path / "gone.tcia", [gone])
    assert to_disk(sandbox, missing, out).code == 3
    again = to_disk(sandbox, out / "report" / "failed.tcia", out)
    assert again.code == 3
    assert len(again.rows) == 9
    assert again.report["exit_code"] == 3
    licences = (out / "report" / "licences.csv").read_text().splitlines()
    assert len(licences) == 9
    comments = [line for line in (out / "report" / "failed.tcia").read_text().splitlines() if line.startswith("#")]
    assert any("not offered" in line for line in comments)
    runs = sorted((out / "report" / "runs").iterdir())
    assert len(runs) == 4
    assert [len((run / "report.csv").read_text().splitlines()) for run in runs] == [4, 9, 2, 2]
