"""Every fault of XNAT in an upload: while it lasts nothing is called done, after it nothing is missing or twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tcia_xnat import report
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.model import State
from tcia_xnat.jobs.disk_to_xnat import Upload, run
from tcia_xnat.planning.settings import Login
from tcia_xnat.transfer.work import Run
from tests.job.test_xnat_faults import FAULTS, LAST, SESSION, project
from tests.upload.case import assert_holds, upload
from tests.upload.trees import Scan, write

HIT = [Scan("X", 1, 1), Scan("X", 1, 2, "T2")]
OTHER = [Scan("Y", 2, 1)]
WHOLE = {SESSION: HIT, "other_pre": OTHER}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of two sessions, one of them called as the faults expect."""
    root = tmp_path_factory.mktemp("trees") / "tree"
    subject, session = SESSION.split("_")
    for scan in HIT:
        write(root / subject / session / scan.description, scan.all_images())
    write(root / "other/pre", OTHER[0].all_images())
    return root


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.xnat_faults.lift()


def attempt(sandbox: Sandbox, workdir: Path, tree: Path, where: str) -> Run:
    """Upload in this process, and give up soon."""
    asked = Upload(root=tree, output_dir=workdir, project=where, transfers=2, retries=3, retry_wait=0.05, max_outage=1)
    login = Login(sandbox.xnat.url, "admin", "admin")
    return run(asked, login, Stop(), lambda _event: None, report.write)


@pytest.mark.parametrize("name", [name for name in FAULTS if "MANIFEST" not in FAULTS[name][0]])
def test_xnat_fails_once(sandbox: Sandbox, tmp_path: Path, tree: Path, name: str) -> None:
    here = project(name, "U1")
    rule = Fault(*FAULTS[name])
    sandbox.xnat_faults.add(rule)
    done = attempt(sandbox, tmp_path / "w", tree, here)
    assert rule.hits == 1
    assert report.exit_code(done.result) == 0, report.verdict_of(done)
    assert_holds(sandbox, here, WHOLE)


@pytest.mark.parametrize("name", [name for name in FAULTS if name.startswith(("import", "build", "archive"))])
def test_xnat_fails_for_a_while(sandbox: Sandbox, tmp_path: Path, tree: Path, name: str) -> None:
    here = project(name, "U2")
    sandbox.xnat_faults.add(Fault(*FAULTS[name], times=None))
    done = attempt(sandbox, tmp_path / "w", tree, here)
    hit = {scan.series_instance_uid for scan in HIT}
    left = {outcome.series_instance_uid for outcome in done.result.outcomes if outcome.state is not State.ARCHIVED}
    code = report.exit_code(done.result)
    assert bool(code) == bool(left)
    assert left <= hit or code == 5
    assert code or name.startswith("archive:")  # what was done is seen to be done
    sandbox.xnat_faults.lift()
    assert report.exit_code(attempt(sandbox, tmp_path / "w", tree, here).result) == 0
    assert_holds(sandbox, here, WHOLE)


@pytest.mark.parametrize("name", LAST)
def test_xnat_refuses(sandbox: Sandbox, tmp_path: Path, tree: Path, name: str) -> None:
    where, action, words = LAST[name]
    here = project(name, "U3")
    sandbox.xnat_faults.add(Fault(where, action, times=None))
    done = upload(sandbox, tmp_path / "w", tree, here, "--retry-wait", "0.05", "--retries", "3", "--max-outage", "1")
    assert done.code == 3, done.err
    hit = {scan.series_instance_uid for scan in HIT}
    assert {uid for uid, state in done.states().items() if state != "archived"} == hit
    assert any(words in f"{row['reason']} {row['hint']}" for row in done.rows)
    assert not (done.report_dir / "failed.tcia").exists()
    assert not any(word in done.out + done.err for word in ("IDC", "NBIA", "manifest", "failed.tcia", "LOCAL"))
    assert f"upload.py {tree} {here} --workdir " in done.out
    sandbox.xnat_faults.lift()
    assert upload(sandbox, tmp_path / "w", tree, here).code == 0
    assert_holds(sandbox, here, WHOLE)


@pytest.mark.parametrize("where", ["UPLOAD/files/tree.json", "UPLOAD/files/tree.csv"])
def test_what_is_kept_in_the_project_may_take_two_tries(
    sandbox: Sandbox, tmp_path: Path, tree: Path, where: str
) -> None:
    here = "KEPT_" + where[-4:].replace(".", "")
    rule = Fault(f"PUT .*/{where}", faults.acted(faults.reset()))
    sandbox.xnat_faults.add(rule)
    assert report.exit_code(attempt(sandbox, tmp_path / "w", tree, here).result) == 0
    assert rule.hits == 1
    assert_holds(sandbox, here, WHOLE)
