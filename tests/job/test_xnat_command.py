"""The XNAT command under the Container Service's conditions: environment, mounts, report, workflow.

The numbers are those of xnat-container-command.md §8.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tcia_xnat.core.events import Planned, SeriesImported
from tcia_xnat.core.model import Label, Series, SourceName
from tcia_xnat.progress.lines import Lines
from tests.job.case import (
    ONE_PATIENT,
    ROOT,
    Done,
    ask,
    assert_holds,
    environment,
    expected,
    images,
    projects,
    resource,
    several,
)

ADMIN = ("admin", "admin")


class Launch:
    """One launch: a project with a manifest in its resource, and the folders that the service would mount."""

    def __init__(self, sandbox: Sandbox, folder: Path, project: str, manifest: Path = ONE_PATIENT) -> None:
        self.sandbox, self.project, self.name = sandbox, project, manifest.name
        self.input, self.output, self.temporary = folder / "input", folder / "output", folder / "tmp"
        for made in (self.input, self.output, self.temporary):
            made.mkdir(parents=True)
        shutil.copy(manifest, self.input)
        (self.input / "TCIA_catalog.xml").write_text("<cat:Catalog/>")
        requests.put(f"{sandbox.xnat.url}/data/projects/{project}", auth=ADMIN, timeout=10).raise_for_status()
        token = requests.get(f"{sandbox.xnat.url}/data/services/tokens/issue", auth=ADMIN, timeout=10).json()
        self.workflow = sandbox.xnat.parts.workflows.add("admin")
        self.environment = {
            "XNAT_USER": token["alias"],
            "XNAT_PASS": token["secret"],
            "XNAT_WORKFLOW_ID": self.workflow,
            "XNAT_EVENT_ID": "",
            "TCIA_XNAT_MANIFEST_NAME": self.name,
            "TCIA_XNAT_CONTEXT_PROJECT": project,
            "TCIA_XNAT_TARGET_PROJECT": "",
            "TCIA_XNAT_SOURCE": "auto",
            "TCIA_XNAT_EXISTING": "skip",
            "TCIA_XNAT_TRANSFERS": "4",
            "TCIA_XNAT_DRY_RUN": "false",
            "TCIA_XNAT_INPUT_DIR": str(self.input),
            "TCIA_XNAT_OUTPUT_DIR": str(self.output),
            "TMPDIR": str(self.temporary),
        }

    @property
    def report(self) -> Path:
        return self.output / "report" / f"run-{self.workflow}"

    def run(self, **changed: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "tcia_xnat.container_command"],
            env=environment(self.sandbox) | self.environment | {"PYTHONPATH": str(ROOT)} | changed,
            cwd=self.temporary,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr, self.report)


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    for rules in (sandbox.nbia_faults, sandbox.idc_faults, sandbox.xnat_faults):
        rules.lift()


def files_of(sandbox: Sandbox, project: str, name: str) -> list[str]:
    """Return the files of a project resource, from behind `files/`."""
    rows = ask(sandbox, f"/data/projects/{project}/resources/{name}/files")
    return sorted(row["URI"].split("/files/")[1] for row in rows)


def test_rs_06_and_09_the_context_project_gets_the_manifest_and_a_relaunch_nothing_new(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    launch = Launch(sandbox, tmp_path, "LAUNCH")
    done = launch.run()
    assert done.code == 0, done.err
    assert_holds(sandbox, "LAUNCH", expected(sandbox, ONE_PATIENT))
    sandbox.s3.forget()
    assert launch.run().code == 0
    shutil.rmtree(launch.output)
    launch.output.mkdir()
    assert launch.run().code == 0
    assert not sandbox.s3.requests
    assert_holds(sandbox, "LAUNCH", expected(sandbox, ONE_PATIENT))


def test_rs_01_the_token_is_told_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "SECRET_TOKEN")
    sandbox.xnat_faults.add(Fault("services/import", faults.reset(), times=3), Fault("", faults.answer(401), first=40))
    done = launch.run(TCIA_XNAT_DEBUG="1")
    secret = launch.environment["XNAT_PASS"]
    seen = [done.out, done.err, *(asked.path_with_query for asked in sandbox.xnat.requests)]
    seen += [path.read_bytes().decode("latin-1") for path in launch.output.rglob("*") if path.is_file()]
    assert not any(secret in text for text in seen)


def test_rs_02_what_is_blank_or_was_not_resolved_is_not_set(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "BLANK")
    done = launch.run(
        TCIA_XNAT_TARGET_PROJECT="#TARGET_PROJECT#",
        TCIA_XNAT_SOURCE=" ",
        TCIA_XNAT_EXISTING="#EXISTING#",
        TCIA_XNAT_TRANSFERS="",
        TCIA_XNAT_DRY_RUN="#DRY_RUN#",
        XNAT_WORKFLOW_ID="",
    )
    assert done.code == 0, done.err
    assert_holds(sandbox, "BLANK", expected(sandbox, ONE_PATIENT))
    assert not sandbox.xnat.parts.workflows.updates(launch.workflow)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TCIA_XNAT_SOURCE", "pacs"),
        ("TCIA_XNAT_EXISTING", "delete"),
        ("TCIA_XNAT_TRANSFERS", "many"),
        ("TCIA_XNAT_TRANSFERS", "1.5"),
        ("TCIA_XNAT_DRY_RUN", "perhaps"),
        ("TCIA_XNAT_TARGET_PROJECT", "a b"),
        ("TCIA_XNAT_CONTEXT_PROJECT", "../x"),
        ("TCIA_XNAT_MANIFEST_NAME", ""),
        ("TCIA_XNAT_MANIFEST_NAME", "#MANIFEST_NAME#"),
        ("XNAT_HOST", "xnat"),
        ("TCIA_XNAT_TRANSFERS", "100"),
        ("TCIA_XNAT_RETRIES", "abc"),
        ("TCIA_XNAT_VERIFY", "true"),
    ],
)
def test_rs_02_wrong_values_are_one_line(sandbox: Sandbox, tmp_path: Path, name: str, value: str) -> None:
    launch = Launch(sandbox, tmp_path, f"WRONG{abs(hash((name, value)))}")
    done = launch.run(**{name: value})
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert (error.startswith("error: "), hint.startswith("hint: ")) == (True, True)
    assert not images(sandbox, launch.project)


def test_rs_02_variables_of_options_are_heeded(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "HEEDS")
    done = launch.run(
        TCIA_XNAT_LIMIT="1", TCIA_XNAT_ARCHIVE="0", TCIA_XNAT_SESSION_LABEL="X_{StudyDate}", TCIA_XNAT_TRANSFER="2"
    )
    assert done.code == 3
    assert "warning: no option has the variable TCIA_XNAT_TRANSFER; did you mean TCIA_XNAT_TRANSFERS?" in done.err
    (waiting,) = ask(sandbox, "/data/prearchive/projects/HEEDS")
    assert waiting["name"].startswith("X_")
    assert not images(sandbox, "HEEDS")


@pytest.mark.parametrize("name", ["../secret.tcia", "/etc/passwd", "a/../../secret.tcia", "nothing.tcia"])
def test_rs_03_only_files_of_the_resource_are_manifests(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    launch = Launch(sandbox, tmp_path, f"PATH{abs(hash(name))}")
    shutil.copy(ONE_PATIENT, tmp_path / "secret.tcia")
    done = launch.run(TCIA_XNAT_MANIFEST_NAME=name)
    assert done.code == 2
    assert len(done.err.splitlines()) == 2


def test_rs_03_a_resource_that_is_not_mounted_is_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "UNMOUNTED")
    shutil.rmtree(launch.input)
    path = f"{sandbox.xnat.url}/data/projects/UNMOUNTED/resources/TCIA/files/{launch.name}"
    requests.put(path, ONE_PATIENT.read_bytes(), params={"inbody": "true"}, auth=ADMIN, timeout=10).raise_for_status()
    assert launch.run().code == 0
    assert_holds(sandbox, "UNMOUNTED", expected(sandbox, ONE_PATIENT))
    assert resource(sandbox, "UNMOUNTED", "MANIFEST_ORIGINAL", launch.name) == ONE_PATIENT.read_bytes()


def test_rs_04_a_context_path_and_a_slash_at_the_end(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "s", collections=["cmb_aml"], pixels=16, xnat=Settings(context_path="/xnat")) as sandbox:
        launch = Launch(sandbox, tmp_path, "CONTEXT")
        assert launch.run(XNAT_HOST=sandbox.xnat.url + "/").code == 0
        assert_holds(sandbox, "CONTEXT", expected(sandbox, ONE_PATIENT))


def test_rs_05_a_token_that_ends_and_sessions_that_are_forgotten(tmp_path: Path) -> None:
    settings = Settings(alias_token_timeout=8, session_timeout=2)
    with Sandbox(tmp_path / "s", collections=["cmb_aml"], pixels=16, xnat=settings) as sandbox:
        launch = Launch(sandbox, tmp_path, "TOKEN")
        sandbox.xnat_faults.add(Fault("services/import", faults.slow(1.5), times=None))
        over = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(sandbox, over))
        sweeper.start()
        done = launch.run(TCIA_XNAT_TRANSFERS="1")
        over.set()
        sweeper.join()
        assert done.code == 0, done.err
        assert_holds(sandbox, "TOKEN", expected(sandbox, ONE_PATIENT))
        login = (launch.environment["XNAT_USER"], launch.environment["XNAT_PASS"])
        assert requests.get(f"{sandbox.xnat.url}/data/auth", auth=login, timeout=10).status_code == 401


def _sweep(sandbox: Sandbox, over: threading.Event) -> None:
    while not over.wait(0.2):
        sandbox.xnat.parts.accounts.sweep_tokens()


def test_rs_06_another_project_must_be_there_and_writable(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "FROM")
    done = launch.run(TCIA_XNAT_TARGET_PROJECT="NO_SUCH_PROJECT")
    assert done.code == 5
    assert "hint: this command creates no project" in done.err
    assert "NO_SUCH_PROJECT" not in projects(sandbox)
    requests.put(f"{sandbox.xnat.url}/data/projects/INTO", auth=ADMIN, timeout=10).raise_for_status()
    sandbox.xnat.add_user("collaborator", "word", {"INTO": "Collaborators"})
    sandbox.s3.forget()
    done = launch.run(TCIA_XNAT_TARGET_PROJECT="INTO", XNAT_USER="collaborator", XNAT_PASS="word")  # noqa: S106  of the sandbox
    assert done.code == 5
    assert not sandbox.s3.requests
    assert launch.run(TCIA_XNAT_TARGET_PROJECT="INTO").code == 0
    assert_holds(sandbox, "INTO", expected(sandbox, ONE_PATIENT))


def test_rs_08_the_service_keeps_the_report_of_a_success(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "KEEPS")
    assert launch.run().code == 0
    names = {"report.json", "report.csv", "licences.csv", "LICENSES.md", "CITATION.bib", "report.html"}
    assert {path.name for path in launch.report.iterdir()} == names
    assert requests.get(
        f"{sandbox.xnat.url}/data/projects/KEEPS/resources/TCIA_INGEST/files", auth=ADMIN, timeout=10
    ).status_code != 200 or not files_of(sandbox, "KEEPS", "TCIA_INGEST")
    assert "CC BY 4.0" in (launch.report / "licences.csv").read_text()


def test_rs_07_and_08_a_failure_keeps_its_report_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "FAILS")
    sandbox.idc_faults.add(Fault("", faults.answer(403), times=None))
    sandbox.nbia_faults.add(Fault("", faults.answer(400, "no"), times=None))
    done = launch.run()
    assert done.code == 3
    names = ["CITATION.bib", "LICENSES.md", "failed.tcia", "licences.csv", "report.csv", "report.html", "report.json"]
    assert files_of(sandbox, "FAILS", "TCIA_INGEST") == [f"run-{launch.workflow}/{name}" for name in names]
    kept = json.loads(resource(sandbox, "FAILS", "TCIA_INGEST", f"run-{launch.workflow}/report.json"))
    assert kept["exit_code"] == 3
    sandbox.xnat_faults.add(Fault("TCIA_INGEST", faults.answer(403), times=None))
    done = launch.run()
    assert done.code == 3
    assert "is not in XNAT" in done.out


def test_rs_10_nothing_is_left_but_report_and_state(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "LEFT")
    assert launch.run().code == 0
    assert {path.name for path in launch.output.iterdir()} == {"report", "state"}
    assert not list(launch.temporary.iterdir())


def test_rs_11_the_summary_is_the_last_line_and_the_log_is_short(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "LOG")
    done = launch.run()
    assert done.out.splitlines()[-1] == "All 8 series are in the archive: 8 new, 0 were there."
    assert not done.err
    lines: list[str] = []
    shown, label = Lines(lines.append), Label("P" * 64, "P" * 64)
    series = Series("1." * 31, "1." * 31, "P" * 64, modality="CT", series_description="d" * 64)
    shown(Planned(10_000, 10**12))
    for _ in range(10_000):
        shown(SeriesImported(series, label, SourceName.NBIA, 1000, 10**9, 100.0))
    assert sum(len(line) + 1 for line in lines) < 5 << 20


def test_rs_12_an_outage_is_waited_out(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "AWAY")
    away = Fault("", faults.answer(503, "<html>nginx</html>"), first=40, times=8)
    sandbox.xnat_faults.add(away)
    done = launch.run()
    assert away.hits == 8
    assert done.code == 0, done.err
    assert_holds(sandbox, "AWAY", expected(sandbox, ONE_PATIENT))


def test_rs_13_the_workflow_is_told_percentage_and_step_and_nothing_else(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "WORKFLOW", several(sandbox, tmp_path / "m.tcia"))
    assert launch.run().code == 0
    updates = sandbox.xnat.parts.workflows.updates(launch.workflow)
    assert len(updates) == 1  # one a minute
    for update in updates:
        assert set(update) == {"wrk:workflowData/percentageComplete", "wrk:workflowData/step_description"}
        assert int(update["wrk:workflowData/percentageComplete"]) < 100


def test_rs_13_a_workflow_that_cannot_be_told_does_no_harm(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "UNTOLD")
    sandbox.xnat_faults.add(Fault("/data/workflows/", faults.answer(403, "no"), times=None))
    assert launch.run().code == 0


def test_rs_14_a_dry_run_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    launch = Launch(sandbox, tmp_path, "DRY_RUN")
    before = len(sandbox.s3.requests)
    done = launch.run(TCIA_XNAT_DRY_RUN="true")
    assert done.code == 0, done.err
    assert "To send: 8 series" in done.out
    assert "To send: 8 series" in (launch.report / "plan.txt").read_text()
    assert len(sandbox.s3.requests) == before
    writes = [
        asked
        for asked in sandbox.xnat.requests
        if asked.method in {"PUT", "POST"} and "DRY_RUN" in asked.path_with_query
    ]
    assert [asked.path_with_query for asked in writes] == ["/data/projects/DRY_RUN"]  # the test's own
    assert launch.run(TCIA_XNAT_DRY_RUN="true", TCIA_XNAT_SOURCE="pacs").code == 2
    assert [path.name for path in launch.output.iterdir()] == ["report"]


def test_a_stop_of_the_container_ends_with_a_report(sandbox: Sandbox, tmp_path: Path) -> None:
    launch, rule = Launch(sandbox, tmp_path, "INGEST_STOP"), Fault("services/import", faults.stall(), times=None)
    sandbox.xnat_faults.add(rule)
    process = subprocess.Popen(
        [sys.executable, "-m", "tcia_xnat.container_command"],
        env=environment(sandbox) | launch.environment | {"PYTHONPATH": str(ROOT)},
        cwd=launch.temporary,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not rule.hits and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(9) == 143
    assert json.loads((launch.report / "report.json").read_text())["exit_code"] == 143
