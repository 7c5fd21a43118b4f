"""`python -m sandbox` and `python -m sandbox.xnat`, as processes of their own."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.docs.pages import ROOT, command_lines


@contextmanager
def process(*options: str, temporary: Path, module: str = "sandbox") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def variables(started: subprocess.Popen[str], count: int) -> dict[str, str]:
    assert started.stdout is not None
    found = {}
    for _ in range(count):
        exported = re.fullmatch(r"export (\w+)=(.*)\n", started.stdout.readline())
        assert exported is not None
        (found[exported[1]],) = shlex.split(exported[2])
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    folder, temporary = tmp_path / "kept here", tmp_path / "temporary"
    temporary.mkdir()
    given = ("--directory", str(folder)) if number == signal.SIGTERM else ()
    with process(
        "--no-xnat", "--collection", "cmb_aml", "--max-instances", "2", "--pixels", "16", *given, temporary=temporary
    ) as started:
        found = variables(started, 3)
        assert list(found) == ["TCIA_XNAT_NBIA_URL", "TCIA_XNAT_IDC_URL", "TCIA_XNAT_IDC_INDEX"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/nbia-api/services", found["TCIA_XNAT_NBIA_URL"])
        values = requests.get(f"{found['TCIA_XNAT_NBIA_URL']}/v4/getCollectionValues", timeout=30).json()
        assert values == [{"Collection": "CMB-AML"}]
        assert requests.head(f"{found['TCIA_XNAT_IDC_URL']}/idc-open-data", timeout=30).status_code == 200
        index = Path(found["TCIA_XNAT_IDC_INDEX"])
        assert index.is_file()
        started.send_signal(number)
        assert started.wait(30) == 0
    assert index.is_file() == bool(given)
    assert index.is_relative_to(folder if given else temporary)
    assert not list(temporary.glob("sandbox-*"))


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    from sandbox.serve import Server  # noqa: PLC0415  only this test needs one

    async def nothing(_scope: object, _receive: object, _send: object) -> None:
        """Answer nothing."""

    taken = Server(nothing)
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--no-xnat",
        "--collection=cmb_aml",
        "--nbia-port",
        str(taken.port),
        "--directory",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    taken._socket.close()
    assert done.returncode == 1
    assert re.fullmatch(r"Error: .*[Aa]ddress already in use.*\n", done.stderr)


@pytest.mark.parametrize("options", [("--pixels", "63"), ("--pixels", "4"), ("--max-instances", "0"), ("--nonsense",)])
def test_wrong_options(options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "sandbox", *options]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 2


def test_help_names_every_option() -> None:
    command = [sys.executable, "-m", "sandbox", "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in ("--directory", "--pixels", "--max-instances", "--nbia-port", "--idc-port", "--xnat-port"):
        assert option in text


def introduction(started: subprocess.Popen[str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables and the comments that `python -m sandbox.xnat` prints."""
    found = variables(started, 3)
    assert started.stdout is not None
    return found, [started.stdout.readline().strip() for _ in range(5)]


def test_the_xnat_alone_starts_as_its_page_says_and_keeps_what_it_is_given(tmp_path: Path) -> None:
    (line,) = (line for line in command_lines(ROOT / "sandbox" / "README.md") if "sandbox.xnat" in line)
    _python, m, module, *rest = shlex.split(line)
    assert (m, module, rest) == ("-m", "sandbox.xnat", [">", "xnat.env", "&"])
    folder, temporary = tmp_path / "kept here", tmp_path / "temporary"
    temporary.mkdir()
    was_there = []
    for given in ((), (str(folder),), (str(folder),)):
        with process(*given, temporary=temporary, module=module) as started:
            found, comments = introduction(started)
            assert list(found) == ["XNAT_HOST", "XNAT_USER", "XNAT_PASS"]
            assert comments[0].startswith("# project SANDBOX;")
            assert comments[1:] == [
                "# admin: administrator",
                "# owner: Owners of SANDBOX",
                "# member: Members of SANDBOX",
                "# collaborator: Collaborators of SANDBOX",
            ]
            subject = f"{found['XNAT_HOST']}/data/projects/SANDBOX/subjects/S1"
            administrator = (found["XNAT_USER"], found["XNAT_PASS"])
            assert requests.put(subject, auth=("collaborator", "collaborator"), timeout=30).status_code == 403
            was_there.append(requests.get(subject, auth=administrator, timeout=30).ok)
            assert requests.put(subject, auth=("member", "member"), timeout=30).ok
            started.send_signal(signal.SIGTERM)
            assert started.wait(30) == 0
    assert was_there == [False, False, True]
    assert not list(temporary.iterdir())


def test_the_xnat_alone_refuses_a_project_that_xnat_would_refuse(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.xnat", str(tmp_path), "--project", "A B"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Invalid character in project ID." in done.stderr
