"""An upload that is killed, stopped, or run twice at once: the same command ends in the same archive."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import environment, quick
from tests.job.test_kills import SEED, ended
from tests.upload.case import assert_holds, command, upload
from tests.upload.trees import Scan, snapshot, write

SCANS = {
    f"{subject}_{session}": [Scan(subject, 10 * nth + day, number, images=5) for number in (1, 2, 3)]
    for nth, subject in enumerate(("007", "008"))
    for day, session in enumerate(("pre", "post"))
}
ROUNDS, KILLS, LONGEST = 4, 5, 2.5


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trees") / "tree"
    for label, scans in SCANS.items():
        for scan in scans:
            write(root / label.replace("_", "/") / f"s{scan.number}", scan.all_images())
    return root


def started(sandbox: Sandbox, tree: Path, workdir: Path, project: str) -> subprocess.Popen[str]:
    """Start an upload, and return while it runs."""
    options = [option for option in quick("--workdir", str(workdir)) if option not in {"--source-timeout", "2"}]
    return subprocess.Popen(
        command(tree, project, *options),
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", range(ROUNDS))
def test_kills_at_random_instants(sandbox: Sandbox, tmp_path: Path, tree: Path, number: int) -> None:
    workdir, project, before = tmp_path / "w", f"UKILLS{number}", snapshot(tree)
    dice, state_lost = random.Random(f"{SEED} upload {number}"), False  # noqa: S311  a die for tests
    for _ in range(KILLS):
        process = started(sandbox, tree, workdir, project)
        try:
            process.wait(dice.uniform(0.3, LONGEST))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if dice.random() < 0.5:
            shutil.rmtree(workdir / "state", ignore_errors=True)  # a help, not the truth
            state_lost = True
    done = upload(sandbox, workdir, tree, project, "--max-outage", "1")  # whether a run is over is lost with the state
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project, SCANS, state_lost=state_lost)
    assert snapshot(tree) == before


@pytest.mark.parametrize("where", ["services/import", "action=build", "services/archive", "tree.csv"])
@pytest.mark.parametrize("acted", [False, True])
def test_a_kill_in_the_middle_of_a_request(
    sandbox: Sandbox,
    tmp_path: Path,
    tree: Path,
    where: str,
    acted: bool,  # noqa: FBT001  a parameter
) -> None:
    project = f"UKILL_{''.join(filter(str.isalpha, where))}_{acted}"
    rule = Fault(where, faults.acted(faults.stall()) if acted else faults.stall(), first=2 if "/" in where else 1)
    sandbox.xnat_faults.add(rule)
    process = started(sandbox, tree, tmp_path / "w", project)
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    sandbox.xnat_faults.lift()
    done = upload(sandbox, tmp_path / "w", tree, project)
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project, SCANS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_ends_within_seconds_with_a_report(
    sandbox: Sandbox, tmp_path: Path, tree: Path, number: signal.Signals, code: int
) -> None:
    project, workdir = f"USTOP{code}", tmp_path / "w"
    rule = Fault("services/import", faults.stall(), first=3, times=None)
    sandbox.xnat_faults.add(rule)
    process = started(sandbox, tree, workdir, project)
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    done = ended(process, workdir, 10)
    assert done.code == code, done.err
    assert done.report["exit_code"] == code
    assert len(done.rows) == sum(map(len, SCANS.values()))
    sandbox.xnat_faults.lift()
    assert upload(sandbox, workdir, tree, project).code == 0
    assert_holds(sandbox, project, SCANS)


@pytest.mark.parametrize("number", range(2))
def test_two_copies_at_once_do_no_harm(sandbox: Sandbox, tmp_path: Path, tree: Path, number: int) -> None:
    workdirs, project = [tmp_path / "one", tmp_path / ("two" if number else "one")], f"UCOPIES{number}"
    processes = [started(sandbox, tree, workdir, project) for workdir in workdirs]
    codes = {ended(process, workdir).code for process, workdir in zip(processes, workdirs, strict=True)}
    assert codes <= {0, 3}
    done = upload(sandbox, workdirs[0], tree, project)
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project, SCANS, may_strand=True)
