"""The image as the Container Service launches it."""

import dataclasses
import re
import signal
import time
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.container.engine import Container, Ended, Engine, Mount, Running
from tests.container.service import COMMAND, UNRESOLVED, Service
from tests.job.case import ONE_PATIENT, assert_holds, expected, images, in_prearchive, projects

# A uid that nobody knows, nothing writable but /output and /tmp, no rights beyond.
STRANGER = ("--user", "12345:12345", "--read-only", "--cap-drop", "ALL")
HARDENED = (*STRANGER, "--tmpfs", "/tmp:mode=1777")  # noqa: S108  a folder of the container
OPTIONAL = [one["name"] for one in COMMAND["inputs"] if "default-value" in one]
GRACE = 8  # seconds between SIGTERM and the end (RS-7)


@pytest.fixture
def service(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Service:
    """Return the service for a new project that is called after the test."""
    return Service.of_new_project(sandbox, re.sub(r"\W", "_", request.node.name), tmp_path)


def assert_succeeded(service: Service, ended: Ended) -> None:
    """Assert that the manifest is in the project, and that the service finds a report to bring there."""
    assert ended.code == 0, ended.err + ended.out
    assert_holds(service.sandbox, service.project, expected(service.sandbox, ONE_PATIENT))
    (output,) = COMMAND["outputs"]
    runs = list((service.output / output["path"]).iterdir())
    assert runs
    assert all({"report.json", "report.csv"} <= {path.name for path in run.iterdir()} for run in runs)
    assert {path.name for path in service.output.iterdir()} == {output["path"], "state"}


def assert_hidden(service: Service, ended: Ended, *secrets: str) -> None:
    """Assert that secrets are in no log and in no file."""
    written = [path.read_bytes() for path in service.output.rglob("*") if path.is_file()]
    for secret in (service.password, *secrets):
        assert secret not in ended.out + ended.err
        assert not any(secret.encode() in content for content in written)


def assert_on_no_command_line(secret: str) -> None:
    """Look at the command lines of all processes of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret.encode() not in path.read_bytes(), path
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended


def until_hit(rule: Fault, running: Running) -> None:
    """Wait until a request is held up."""
    while not rule.hits:
        assert running.process.poll() is None, running.process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("options", [(), HARDENED], ids=["root", "hardened"])
@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param({}, id="defaults"),
        pytest.param(dict.fromkeys(OPTIONAL, ""), id="blank"),
        pytest.param(dict.fromkeys(OPTIONAL, UNRESOLVED), id="unresolved"),
        pytest.param({"source": "nbia", "transfers": "2", "existing": "append"}, id="chosen"),
    ],
)
def test_launch(service: Service, engine: Engine, inputs: dict[str, object], options: tuple[str, ...]) -> None:
    token = service.token()
    before = {path.name: path.read_bytes() for path in service.input.iterdir()}
    ended = engine.run(service.container(token, inputs, *options))
    assert_succeeded(service, ended)
    assert_hidden(service, ended, token.secret)
    assert {path.name: path.read_bytes() for path in service.input.iterdir()} == before


def test_launched_twice_with_the_same_mounts(service: Service, engine: Engine) -> None:
    container = service.container(service.token(), {}, *HARDENED)
    assert_succeeded(service, engine.run(container))
    imports = sum("services/import" in asked.path_with_query for asked in service.sandbox.xnat.requests)
    assert_succeeded(service, engine.run(container))
    assert imports == sum("services/import" in asked.path_with_query for asked in service.sandbox.xnat.requests)


def test_stopped_in_the_middle_and_launched_again(service: Service, engine: Engine) -> None:
    token, rule = service.token(), Fault("services/import", faults.stall(), first=3, times=None)
    container = service.container(token, {}, *HARDENED)
    service.sandbox.xnat_faults.add(rule)
    with engine.started(container) as running:
        until_hit(rule, running)
        assert "run.sh" not in running.first_command_line()  # the shell has become the program, which gets the signal
        assert_on_no_command_line(token.secret)
        running.send(signal.SIGTERM)
        asked = time.monotonic()
        stopped = running.end(30)
        assert time.monotonic() - asked < GRACE
    assert stopped.code == 143, stopped.err + stopped.out
    assert_hidden(service, stopped, token.secret)
    wanted = expected(service.sandbox, ONE_PATIENT)
    assert len(images(service.sandbox, service.project)) < sum(wanted.images.values())
    service.sandbox.xnat_faults.lift()
    assert_succeeded(service, engine.run(container))  # same mounts, same token (xnat-container-command.md §3.3)


def test_killed_and_launched_again_with_empty_mounts(service: Service, engine: Engine, tmp_path: Path) -> None:
    rule = Fault("services/import", faults.stall(), first=3, times=None)
    service.sandbox.xnat_faults.add(rule)
    with engine.started(service.container(service.token(), {}, *HARDENED)) as running:
        until_hit(rule, running)
        running.send(signal.SIGKILL)
        assert running.end(30).code == 137
    service.sandbox.xnat_faults.lift()
    again = dataclasses.replace(service, folder=tmp_path / "again")
    again.make_folders()
    soon = "--env=TCIA_XNAT_MAX_OUTAGE=10"  # else what the killed one has left is waited for, five minutes long
    assert_succeeded(again, engine.run(again.container(again.token(), {}, *HARDENED, soon)))


def test_the_limits_of_the_command_suffice(service: Service, engine: Engine) -> None:
    limits = (f"--memory={COMMAND['limit-memory']}m", f"--memory-reservation={COMMAND['reserve-memory']}m")
    ended = engine.run(service.container(service.token(), {}, *limits, f"--cpus={COMMAND['limit-cpu']}"))
    assert_succeeded(service, ended)


def test_a_dry_run_changes_nothing(service: Service, engine: Engine) -> None:
    ended = engine.run(service.container(service.token(), {"dry-run": "true"}, *HARDENED))
    assert ended.code == 0, ended.err
    assert all(session in ended.out for _, session in expected(service.sandbox, ONE_PATIENT).sessions.values())
    assert not images(service.sandbox, service.project)
    assert not in_prearchive(service.sandbox, service.project)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        pytest.param({"target-project": "NOT_THERE"}, 5, id="no-project"),
        pytest.param({"source": "elsewhere"}, 2, id="no-source"),
        pytest.param({"dry-run": "maybe"}, 2, id="no-flag"),
    ],
)
def test_refused(service: Service, engine: Engine, inputs: dict[str, object], code: int) -> None:
    ended = engine.run(service.container(service.token(), inputs, *HARDENED))
    assert ended.code == code, ended.err + ended.out
    assert "error: " in ended.err
    assert "Traceback" not in ended.err
    assert "NOT_THERE" not in projects(service.sandbox)
    assert not images(service.sandbox, service.project)


def test_six_arguments_of_older_installations(service: Service, engine: Engine) -> None:
    token, rule = service.token(), Fault("services/import", faults.slow(2))
    launched = service.container(token, {}, *STRANGER, "--tmpfs", "/scratch:mode=1777", "--env", "TMPDIR=/scratch")
    arguments = (service.sandbox.xnat.url, token.alias, token.secret, "/output", service.project)
    sources = {name: value for name, value in launched.variables.items() if name.endswith("_URL")}
    older = dataclasses.replace(launched, arguments=(*arguments, f"/input/{ONE_PATIENT.name}"), variables=sources)
    service.sandbox.xnat_faults.add(rule)
    with engine.started(older) as running:
        until_hit(rule, running)
        called, home = running.first_command_line(), running.first_environment()["HOME"]
        ended = running.end(180)
    assert "download.py" in called
    assert home == "/scratch"  # a uid without a home has the one folder that it may write
    assert token.secret not in called  # what were arguments are variables now
    assert ended.code == 0, ended.err
    assert_holds(service.sandbox, service.project, expected(service.sandbox, ONE_PATIENT))
    assert_hidden(service, ended, token.secret)


def test_arguments_of_download(service: Service, engine: Engine) -> None:
    launched = service.container(service.token(), {}, *HARDENED)
    arguments = (f"resources/TCIA/{ONE_PATIENT.name}", "/output", service.project, "--quiet")
    mounts = (Mount(service.output, "/output", writable=True),)
    ended = engine.run(Container(arguments, launched.variables, mounts, launched.options))
    assert ended.code == 0, ended.err
    assert_holds(service.sandbox, service.project, expected(service.sandbox, ONE_PATIENT))
