"""`download.py --check` as people type it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tests.check_up.case import ADMIN, site
from tests.job.case import ONE_SERIES, Done, command, environment, run
from tests.progress.screen import on_terminal


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with site(tmp_path_factory.mktemp("site"), Settings()) as started:
        requests.put(f"{started.xnat.url}/data/projects/HERE", auth=ADMIN, timeout=10).raise_for_status()
        yield started


def check(sandbox: Sandbox, folder: Path, *arguments: str, **changed: str) -> Done:
    return run(sandbox, folder / "out", "--check", *arguments, **changed)


def names(done: Done) -> list[str]:
    return [entry["name"] for entry in json.loads(done.out)["checks"]]


def test_project_and_variables(sandbox: Sandbox, tmp_path: Path) -> None:
    done = check(sandbox, tmp_path, "HERE")
    assert done.code == 0, done.out
    assert "ok       rights: this user may bring images into HERE" in done.out
    assert "         what to do: " in done.out
    assert done.out.endswith("Nothing is wrong; there are 2 warnings.\n")
    assert not done.err
    assert not list(tmp_path.iterdir())


def test_everything_on_the_command_line_and_as_json(sandbox: Sandbox, tmp_path: Path) -> None:
    login = (sandbox.xnat.url, *ADMIN)
    away = {"XNAT_HOST": "", "XNAT_USER": "", "XNAT_PASS": ""}
    short = check(sandbox, tmp_path, "HERE", *login, "--format", "json", **away)
    full = check(sandbox, tmp_path, str(ONE_SERIES), "out", "HERE", *login, "--format", "json", **away)
    assert (short.code, full.code) == (0, 0)
    first, *rest = names(short)
    assert names(full) == [first, "manifest", *rest]
    found = json.loads(full.out)
    assert found["exit_code"] == 0
    assert all(set(entry) == {"name", "state", "seen", "to_do"} for entry in found["checks"])
    assert {entry["state"] for entry in found["checks"]} == {"ok", "warning"}


def test_without_an_xnat(sandbox: Sandbox, tmp_path: Path) -> None:
    done = check(sandbox, tmp_path, "--format", "json", XNAT_HOST="")
    assert done.code == 0
    assert {"index", "IDC", "NBIA", "spool", "output", "clock"} < set(names(done))
    assert not {"login", "rights"} & set(names(done))


@pytest.mark.parametrize(
    ("arguments", "changed", "code"),
    [
        (("HERE",), {"XNAT_PASS": "no"}, 5),
        (("HERE",), {"XNAT_HOST": "http://127.0.0.1:9"}, 5),
        ((), {"TCIA_XNAT_IDC_URL": "http://127.0.0.1:9"}, 4),
        (("HERE",), {"XNAT_USER": "", "XNAT_PASS": ""}, 2),
        (("missing.tcia",), {}, 2),
        (("A", "B", "C", "D", "E"), {}, 2),
        (("bad name",), {}, 2),
    ],
)
def test_exit_codes(
    sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], changed: dict[str, str], code: int
) -> None:
    done = check(sandbox, tmp_path, *arguments, **changed)
    assert done.code == code, done.out + done.err
    assert "what to do" in done.out or "hint" in done.err


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_hang_under_their_text(sandbox: Sandbox, tmp_path: Path, columns: int) -> None:
    variables = environment(sandbox, TERM="xterm-256color", LANG="C.UTF-8")
    shown = on_terminal(command("--check", "HERE"), columns, variables, lines=100, cwd=tmp_path)
    lines = [line.rstrip() for line in shown.text().splitlines() if line.strip()]
    assert shown.code == 0
    starts = ("ok       ", "warning  ", "         ", "Nothing is wrong")
    assert all(line.startswith(starts) for line in lines)
