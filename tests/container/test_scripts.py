"""The shell scripts, as people call them from a checkout."""

import os
import pty
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from sandbox.sandbox import PASSWORD, USER, Sandbox
from tests.container.engine import IMAGE, ROOT, Engine
from tests.job.case import ONE_PATIENT, assert_holds, expected

BARE = {name: value for name, value in os.environ.items() if not name.startswith(("TCIA_XNAT_", "XNAT_"))}


def run_sh(script: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call run.sh from another folder."""
    return subprocess.run(
        [str(script), *arguments], cwd=folder, env=BARE, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("arguments", [(), ("ingest",)])
def test_the_xnat_command(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a module came from the folder this was started in')")
    done = run_sh(ROOT / "run.sh", tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no XNAT given")


def test_arguments_reach_the_tool_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT / "run.sh")
    manifest = tmp_path / "* one $HOME 'patient'.tcia"
    shutil.copy(ONE_PATIENT, manifest)
    done = run_sh(tmp_path / "link", tmp_path, manifest.name, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "8 series" in done.stdout


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://127.0.0.1:9/xnat"])
def test_six_arguments_begin_with_an_address(tmp_path: Path, address: str) -> None:
    done = run_sh(ROOT / "run.sh", tmp_path, address, "user", "pass", "out", "PROJECT", "no-such.tcia")
    assert done.returncode == 2
    assert "no-such.tcia" in done.stderr


@pytest.mark.parametrize("word", ["query", "upload", "tciaclient"])
def test_a_script_that_is_not_there(tmp_path: Path, word: str) -> None:
    shutil.copy(ROOT / "run.sh", tmp_path)
    done = run_sh(tmp_path / "run.sh", tmp_path, word, "more")
    assert (done.returncode, done.stderr) == (2, f"error: this version has no {word}.py\n")


def test_run_manifest(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    shutil.copy(ONE_PATIENT, tmp_path / "one patient.tcia")
    variables = {
        "IMAGE": IMAGE,
        "CONTAINER_OPTIONS": " ".join(engine.run_options),
        "XNAT_HOST": sandbox.xnat.url,
        **{name: sandbox.environment[name] for name in ("TCIA_XNAT_NBIA_URL", "TCIA_XNAT_IDC_URL")},
    }
    answers = [("Manifest", "1"), ("XNAT [http", ""), ("Project", "ASKED"), ("User", USER), ("Password", PASSWORD)]
    code, shown = talk(ROOT / "run_manifest.sh", tmp_path, variables, [*answers, ("Output", "to here")])
    assert code == 0, shown
    assert "1  one patient.tcia" in shown
    assert f"{ONE_PATIENT.name} (comes with the image)" in shown
    assert "Password: \r\n" in shown
    assert_holds(sandbox, "ASKED", expected(sandbox, ONE_PATIENT))
    assert (tmp_path / "to here" / "report" / "report.json").stat().st_uid == os.getuid()


def test_run_manifest_with_one_of_the_image(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    variables = {
        "IMAGE": IMAGE,
        "CONTAINER_OPTIONS": " ".join(engine.run_options),
        "XNAT_PROJECT": "BUILT_IN",
        "OUTPUT_DIR": "out",
        **{name: value for name, value in sandbox.environment.items() if name != "TCIA_XNAT_IDC_INDEX"},
    }
    prompts = ["XNAT [", "Project [", "User [", "Password [", "Output folder ["]
    number = 1 + sorted(path.name for path in ONE_PATIENT.parent.glob("*.tcia")).index(ONE_PATIENT.name)
    answers = [("Manifest", str(number)), *((prompt, "") for prompt in prompts)]
    code, shown = talk(ROOT / "run_manifest.sh", tmp_path, variables, answers)
    assert code == 0, shown
    assert_holds(sandbox, "BUILT_IN", expected(sandbox, ONE_PATIENT))


def talk(script: Path, folder: Path, variables: dict[str, str], answers: Iterable[tuple[str, str]]) -> tuple[int, str]:
    """Answer a script at a terminal, each prompt when it is there; return its exit code and what the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(script)], cwd=folder, env=BARE | variables, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = ""
    for prompt, answer in answers:
        seen = len(shown)
        while not (prompt in shown[seen:] and shown.endswith(": ")):
            more = _read(ours)
            assert more, f"{prompt} was not asked for: {shown}"
            shown += more
        os.write(ours, f"{answer}\n".encode())
    while more := _read(ours):
        shown += more
    os.close(ours)
    return process.wait(60), shown


def _read(terminal: int) -> str:
    """Return what a terminal shows next; nothing when nobody writes any more."""
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        return ""
