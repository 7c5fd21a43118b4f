"""A signal ends a run within eight seconds in every phase, with its report; so does whatever keeps it from starting."""

import resource
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_SERIES, WHOLE, Done, command, download, environment, expected, images, manifest

UNKNOWN = "1.2.826.0.1.3680043.2.1125.1"
PHASES = {
    "login": Fault("GET /(data/auth)?$|services/auth|JSESSION", faults.stall(), times=None),
    "metadata": Fault("getSeriesMetadata", faults.stall(), times=None),
    "counting": Fault("GET /data/prearchive/projects", faults.stall(), times=None),
    "labels": Fault("MANIFEST_MODIFIED", faults.stall(), times=None),
}


def stopped(sandbox: Sandbox, rule: Fault, number: signal.Signals, output: Path, *arguments: object) -> Done:
    """Run until a server hangs, send a signal, and return what the run left."""
    process = subprocess.Popen(
        ["/usr/bin/env", "--default-signal=HUP", *command(*arguments)],
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    asked = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - asked < 8
    assert "Traceback" not in err
    assert "Aborted" not in err
    return Done(process.returncode, out, err, output / "report")


def hung(sandbox: Sandbox, phase: str) -> Fault:
    rule = PHASES[phase]
    rule.hits = 0
    (sandbox.nbia_faults if phase == "metadata" else sandbox.xnat_faults).add(rule)
    return rule


@pytest.mark.parametrize(
    ("phase", "number", "code"),
    [
        ("login", signal.SIGTERM, 143),
        ("metadata", signal.SIGINT, 130),
        ("counting", signal.SIGHUP, 129),
        ("labels", signal.SIGTERM, 143),
    ],
)
def test_a_signal_in_every_phase(
    sandbox: Sandbox, tmp_path: Path, phase: str, number: signal.Signals, code: int
) -> None:
    uids = [line for line in ONE_SERIES.read_text().splitlines() if line[:1].isdigit()]
    asked, output = manifest(tmp_path / "m.tcia", [*uids, UNKNOWN]), tmp_path / "out"
    done = stopped(sandbox, hung(sandbox, phase), number, output, asked, output, f"PHASE_{phase}")
    assert done.code == code
    assert (done.report["exit_code"], done.report["ended_by"]) == (code, "stopped on request")
    assert set(done.states()) == {*uids, UNKNOWN}
    assert (output / "report/failed.tcia").exists()


@pytest.mark.parametrize("option", ["--dry-run", "--verify", "--check"])
def test_what_moves_nothing_is_stopped_as_well(sandbox: Sandbox, tmp_path: Path, option: str) -> None:
    host = sandbox.environment["XNAT_HOST"]
    rule = hung(sandbox, "login")
    done = stopped(sandbox, rule, signal.SIGINT, tmp_path, ONE_SERIES, tmp_path, "P1", host, option)
    assert done.code == 130
    assert "stopped on request" in done.err


def test_a_stop_while_the_report_is_kept_leaves_it_on_disk(sandbox: Sandbox, tmp_path: Path) -> None:
    rule = Fault("report.json", faults.stall(), times=None)
    sandbox.xnat_faults.add(rule)
    done = stopped(sandbox, rule, signal.SIGTERM, tmp_path, ONE_SERIES, tmp_path, "KEEPING")
    assert done.code == 0, done.err  # every image is there
    assert set(done.states().values()) == {"archived"}


def test_a_login_that_is_refused_has_a_report(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path, "P1", XNAT_PASS="wrong")  # noqa: S106  that is the point
    assert done.code == 5
    assert "refuses the login" in done.report["ended_by"]
    assert len(done.rows) == 1


def test_an_output_folder_that_takes_no_more_costs_no_image(sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = expected(sandbox, WHOLE)
    ones = [uid for uid, count in wanted.images.items() if count == 1]
    listed, output, project = manifest(tmp_path / "m.tcia", ones), tmp_path / "out", "FULL_OUTPUT"
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (33_000, 33_000))  # no report.html fits
    process = subprocess.Popen(
        command(listed, output, project, "--quiet"),
        env=environment(sandbox, TCIA_XNAT_THUMBNAILS=""),  # with pictures
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,  # noqa: PLW1509  nothing else runs in this process yet
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    assert f"All {len(ones)} series are in the archive" in out
    assert f"The report could not be written to {output / 'report'}." in out
    assert f"error: the disk is full ({output}" in err
    assert {image.series_instance_uid for image in images(sandbox, project)} == set(ones)
