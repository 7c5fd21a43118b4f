"""Killed at any instant, stopped, run twice at once, or out of room: the same command ends with the same files."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.folder.case import Images, assert_on_disk, begun, heed_rights, on_disk, served, to_disk
from tests.job.case import ONE_PATIENT, ONE_SERIES, Done, several
from tests.job.test_kills import SEED, ended

KILLS = int(os.environ.get("KILLS", "50")) // 5  # a run to disk is short
LONGEST = 2.0  # seconds; an undisturbed run of this manifest takes less


def whole_series(output: Path, wanted: Images) -> None:
    """Assert that every series that is there is there whole."""
    for uid, images in on_disk(output).items():
        assert images == wanted[uid]


@pytest.mark.parametrize("layout", [(), ("--layout", "classic", "--source", "nbia"), ("--layout", "zips")])
def test_kills_at_random_instants(sandbox: Sandbox, tmp_path: Path, layout: tuple[str, ...]) -> None:
    listed, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    wanted, dice = served(sandbox, listed), random.Random(f"{SEED} {layout}")  # noqa: S311  a die for tests
    for _ in range(max(KILLS // 3, 1)):
        process = begun(sandbox, listed, output, *layout)
        try:
            process.wait(dice.uniform(0.3, LONGEST))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        shutil.rmtree(output / "state" / "incoming", ignore_errors=True)  # what is put together is no series
        whole_series(output, wanted)
        if dice.random() < 0.5:
            shutil.rmtree(output / "state", ignore_errors=True)
    done = to_disk(sandbox, listed, output, *layout)
    assert done.code == 0, done.err
    assert_on_disk(sandbox, listed, output)


def test_what_a_killed_run_has_left_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    rule = Fault(r"GET /[^/]+/[^?]+", faults.stall(), first=20, times=None)
    sandbox.idc_faults.add(rule)
    output = tmp_path / "out"
    process = begun(sandbox, ONE_PATIENT, output, "--source", "idc", "--source-timeout", "60")
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    sandbox.idc_faults.lift()
    left = list((output / "state" / "incoming").iterdir())
    assert left
    assert to_disk(sandbox, ONE_PATIENT, output).code == 0
    assert not any(path.exists() for path in left)
    assert_on_disk(sandbox, ONE_PATIENT, output)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_ends_within_seconds_with_a_report(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    rule = Fault(r"GET /[^/]+/[^?]+", faults.stall(), first=10, times=None)
    sandbox.idc_faults.add(rule)
    output = tmp_path / "out"
    process = begun(sandbox, ONE_PATIENT, output, "--source", "idc", "--source-timeout", "60")
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    done = ended(process, output, 10)
    sandbox.idc_faults.lift()
    assert (done.code, done.report["exit_code"]) == (code, code)
    assert len(done.rows) == 8
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert to_disk(sandbox, ONE_PATIENT, output).code == 0
    assert_on_disk(sandbox, ONE_PATIENT, output)


@pytest.mark.parametrize("layout", [(), ("--layout", "classic")])
def test_two_runs_at_once_do_no_harm(sandbox: Sandbox, tmp_path: Path, layout: tuple[str, ...]) -> None:
    listed, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    processes = [begun(sandbox, listed, output, *layout) for _ in range(2)]
    for process in processes:
        assert ended(process, output).code == 0
    assert_on_disk(sandbox, listed, output)
    done = to_disk(sandbox, listed, output, *layout)
    assert (done.code, set(done.states().values())) == (0, {"present"})


def stopped_by(before: Callable[[], None], sandbox: Sandbox, output: Path, *options: str) -> Done:
    return ended(begun(sandbox, ONE_PATIENT, output, *options, before=before), output)


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("layout", [(), ("--layout", "zips", "--source", "nbia")])
def test_a_disk_that_is_full_ends_the_run_with_nothing_half(
    sandbox: Sandbox, tmp_path: Path, layout: tuple[str, ...]
) -> None:
    output = tmp_path / "out"
    done = stopped_by(partial(limit_files, 200_000), sandbox, output, *layout)
    assert done.code == 6, done.err
    assert "full" in done.err
    assert "hint: " in done.err
    whole_series(output, served(sandbox, ONE_PATIENT))
    assert to_disk(sandbox, ONE_PATIENT, output, *layout).code == 0
    assert_on_disk(sandbox, ONE_PATIENT, output)


def test_a_disk_that_is_too_small_is_refused_before_the_first_byte(sandbox: Sandbox, tmp_path: Path) -> None:
    index = tmp_path / "large.parquet"
    with duckdb.connect() as database:
        source = f"SELECT * REPLACE (1e12 AS series_size_MB) FROM read_parquet('{sandbox.index.parquet}')"  # noqa: S608  paths of this test
        database.execute(f"COPY ({source}) TO '{index}' (FORMAT parquet)")
    sandbox.s3.forget()
    done = to_disk(sandbox, ONE_SERIES, tmp_path / "out", TCIA_XNAT_IDC_INDEX=str(index))
    assert done.code == 6, done.err
    assert "free" in done.err
    assert not sandbox.s3.requests


def test_a_folder_that_cannot_be_written_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir(mode=0o500)
    sandbox.s3.forget()
    done = stopped_by(heed_rights, sandbox, output)
    error, hint = done.err.splitlines()[-2:]
    assert done.code == 2
    assert str(output) in error
    assert hint.startswith("hint: ")
    assert not sandbox.s3.requests


def test_a_place_that_cannot_be_written_fails_its_series_and_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    output = tmp_path / "out"
    locked = output / "CT"
    locked.mkdir(parents=True, mode=0o500)
    done = stopped_by(heed_rights, sandbox, output, "--dir-template", "%Modality/%SeriesInstanceUID")
    assert done.code == 3, done.err
    wanted = {row["SeriesInstanceUID"]: "failed" if row["Modality"] == "CT" else "stored" for row in done.rows}
    assert done.states() == wanted
    assert set(wanted.values()) == {"failed", "stored"}
    assert "Permission denied" in done.out
    locked.chmod(0o700)
    assert to_disk(sandbox, ONE_PATIENT, output, "--dir-template", "%Modality/%SeriesInstanceUID").code == 0
    assert_on_disk(sandbox, ONE_PATIENT, output)
