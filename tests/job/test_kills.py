"""Killed at any instant, stopped, or run twice at once: the same command ends in the same archive."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import (
    Done,
    assert_holds,
    command,
    download,
    environment,
    expected,
    manifest,
    quick,
    several,
)

KILLS = int(os.environ.get("KILLS", "50"))  # `make soak` asks for more
SEED = int(os.environ.get("SEED", "20261121"))  # and for other instants
ROUNDS = 10
LONGEST = 2.5  # seconds; an undisturbed run of this manifest takes less


def started(
    sandbox: Sandbox,
    manifest: Path,
    output: Path,
    project: str,
    *options: str,
    limits: tuple[str, ...] = quick(),
    **changed: str,
) -> subprocess.Popen[str]:
    """Start the tool, and return while it runs."""
    output.parent.mkdir(exist_ok=True)
    return subprocess.Popen(
        command(manifest, output, project, *limits, *options),
        env=environment(sandbox, **changed),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], output: Path, seconds: float = 60) -> Done:
    """Wait for the end of the tool."""
    out, err = process.communicate(timeout=seconds)
    return Done(process.returncode, out, err, output / "report")


@pytest.mark.parametrize("number", range(ROUNDS))
def test_kills_at_random_instants(sandbox: Sandbox, tmp_path: Path, number: int) -> None:
    manifest, output, project = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out", f"KILLS{number}"
    dice, state_lost = random.Random(f"{SEED} {number}"), False  # noqa: S311  a die for tests
    for _ in range(KILLS // ROUNDS):
        process = started(sandbox, manifest, output, project)
        try:
            process.wait(dice.uniform(0.3, LONGEST))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if dice.random() < 0.5:
            shutil.rmtree(output / "state", ignore_errors=True)  # the ledger is a help, not the truth
            state_lost = True
    done = download(sandbox, manifest, output, project, *quick())
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project, expected(sandbox, manifest), state_lost=state_lost)


@pytest.mark.parametrize("where", ["services/import", "action=build", "services/archive", "MANIFEST_MODIFIED"])
@pytest.mark.parametrize("acted", [False, True])
def test_a_kill_in_the_middle_of_a_request(sandbox: Sandbox, tmp_path: Path, where: str, acted: bool) -> None:  # noqa: FBT001  a parameter
    manifest, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    project = f"KILL_{''.join(filter(str.isalpha, where))}_{acted}"
    rule = Fault(where, faults.acted(faults.stall()) if acted else faults.stall(), first=2 if "/" in where else 1)
    sandbox.xnat_faults.add(rule)
    process = started(sandbox, manifest, output, project)
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    sandbox.xnat_faults.lift()
    done = download(sandbox, manifest, output, project, *quick())
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project, expected(sandbox, manifest))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize(
    "stuck",
    [
        ("services/import", 3, 1),
        pytest.param(("services/import", 5, 4), id="all-lanes"),  # after the turns of two studies
        ("services/archive", 3, 1),
    ],
)
def test_a_stop_ends_within_seconds_with_a_report(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int, stuck: tuple[str, int, int]
) -> None:
    manifest, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    where, first, requests = stuck
    project = f"STOP{code}{where.removeprefix('services/')}{requests}"
    rule = Fault(where, faults.stall(), first=first, times=None)
    sandbox.xnat_faults.add(rule)
    process = started(sandbox, manifest, output, project)
    since = time.monotonic()
    while rule.hits < requests and process.poll() is None and (not rule.hits or time.monotonic() - since < 5):
        since = since if rule.hits else time.monotonic()
        time.sleep(0.02)  # where two lanes have one study, one of them waits for the other
    process.send_signal(number)
    asked = time.monotonic()
    done = ended(process, output, 8)
    assert time.monotonic() - asked < 8
    assert done.code == code, done.err
    assert done.report["exit_code"] == code
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert len(done.rows) == len(expected(sandbox, manifest).images)
    sandbox.xnat_faults.lift()
    again = download(sandbox, manifest, output, project, *quick())
    assert again.code == 0, again.err
    assert_holds(sandbox, project, expected(sandbox, manifest))


def test_a_second_ctrl_c_is_immediate(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    rule = Fault("services/import", faults.stall(), times=None)
    sandbox.xnat_faults.add(rule)
    process = started(sandbox, manifest, output, "TWICE")
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    assert ended(process, output, 5).code == 130
    assert time.monotonic() - asked < 1
    sandbox.xnat_faults.lift()


@pytest.mark.parametrize("folders", [("one", "two", "three"), ("one", "one", "one"), ("one", "one", "two")])
def test_three_runs_at_once_all_end_well(sandbox: Sandbox, tmp_path: Path, folders: tuple[str, ...]) -> None:
    manifest, project = several(sandbox, tmp_path / "m.tcia"), "THREE_" + "_".join(folders)
    outputs = [tmp_path / folder for folder in folders]  # with a ledger each, and with one
    processes = [started(sandbox, manifest, output, project, limits=("--retry-wait", "0.05")) for output in outputs]
    ends = [ended(process, output) for process, output in zip(processes, outputs, strict=True)]
    assert {done.code for done in ends} == {0}, [done.out + done.err for done in ends if done.code]
    assert_holds(sandbox, project, expected(sandbox, manifest))


def test_three_users_at_once_with_other_series_of_the_same_studies(sandbox: Sandbox, tmp_path: Path) -> None:
    sessions: dict[tuple[str, str], list[str]] = {}
    for uid, names in expected(sandbox, several(sandbox, tmp_path / "m.tcia")).sessions.items():
        sessions.setdefault(names, []).append(uid)
    shared = [uids for uids in sessions.values() if len(uids) > 1]
    lists = [[uid for uids in shared for uid in uids[start::step]] for start, step in ((0, 2), (1, 2), (0, 1))]
    manifests = [manifest(tmp_path / f"{number}.tcia", uids) for number, uids in enumerate(lists)]
    project, secret = "THREE_USERS", "w0rd" + "-of-tests"
    path = f"{sandbox.xnat.url}/data/projects/{project}"
    requests.put(path, params={"accessibility": "private"}, auth=("admin", "admin"), timeout=30).raise_for_status()
    for number in range(3):
        sandbox.xnat.add_user(f"user{number}", secret, {project: "Members"})
    runs = [
        (
            started(
                sandbox,
                listed,
                tmp_path / listed.stem,
                project,
                limits=("--retry-wait", "0.05"),
                XNAT_USER=f"user{listed.stem}",
                XNAT_PASS=secret,
            ),
            tmp_path / listed.stem,
        )
        for listed in manifests
    ]
    ends = [ended(process, output, 240) for process, output in runs]
    assert {done.code for done in ends} == {0}, [done.out + done.err for done in ends if done.code]
    assert_holds(sandbox, project, expected(sandbox, manifests[2]))
