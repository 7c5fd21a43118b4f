"""DF-1 to DF-3: the script prints, compares and writes the label; command.json is a file that can be given alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import command2Label
from tcia_xnat import __version__
from tcia_xnat.container_command.label import label_line
from tests.command.case import COMMAND_JSON, TOP, changed, document

LINE = label_line(document())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command2Label.main, [str(one) for one in arguments])


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Return a copy of command.json that has a Dockerfile beside it."""
    (tmp_path / "command.json").write_bytes(COMMAND_JSON.read_bytes())
    (tmp_path / "Dockerfile").write_text(f"FROM a\n{LINE}\n")
    return tmp_path / "command.json"


def test_df_01_it_prints_the_label() -> None:
    done = subprocess.run(
        [sys.executable, "command2Label.py", "command.json"], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{LINE}\n"
    assert done.stderr == ""
    assert os.access(TOP / "command2Label.py", os.X_OK)


def test_df_01_the_check_passes_when_the_label_is_the_commands(beside: Path) -> None:
    assert run(beside, "--check").exit_code == 0
    assert run(beside, "--check", beside.parent / "Dockerfile").exit_code == 0
    assert (beside.parent / "Dockerfile").read_text() == f"FROM a\n{LINE}\n"


BAD = {
    "differs": LINE.replace("4096", "4097"),
    "no label": "USER x",
    "more than once": f"{LINE}\n{LINE}",
    "another form": LINE.replace("LABEL ", "LABEL x=1 "),
}


@pytest.mark.parametrize(("said", "lines"), BAD.items())
def test_df_01_the_check_fails_in_one_line_and_a_hint(beside: Path, said: str, lines: str) -> None:
    dockerfile = beside.parent / "Dockerfile"
    dockerfile.write_text(f"FROM a\n{lines}\n")
    done = run(beside, "--check")
    assert (done.exit_code, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert hint.startswith("hint: python command2Label.py")
    assert run(beside, "--write", dockerfile).exit_code == 0
    assert run(beside, "--check").exit_code == 0


def test_df_02_writing_again_changes_nothing(beside: Path) -> None:
    dockerfile = beside.parent / "Dockerfile"
    dockerfile.write_bytes(b"FROM a\r\nLABEL org.nrg.commands=[]\r\nUSER x\r\n")
    assert "now" in run(beside, "--write", dockerfile).stdout
    written = dockerfile.read_bytes()
    assert written == f"FROM a\r\n{LINE}\r\nUSER x\r\n".encode()
    assert "already" in run(beside, "--write", dockerfile).stdout
    assert dockerfile.read_bytes() == written
    assert ">>" in run("--help").stdout


@pytest.mark.parametrize("option", [[], ["--check"], ["--write", "Dockerfile"]])
def test_df_01_a_command_with_mistakes_makes_no_label(
    beside: Path, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(beside.parent)
    broken = changed((("inputs", 2, "type"), "text"), (("network",), "x\ny"))
    beside.write_text(json.dumps(broken))
    done = run(beside, *option)
    assert (done.exit_code, done.stdout) == (2, "")
    *errors, hint = done.stderr.splitlines()
    assert len(errors) == 2
    assert any("CJ-4 inputs[2].type" in error for error in errors)
    assert all(error.startswith("error: ") for error in errors)
    assert hint.startswith("hint: ")
    assert (beside.parent / "Dockerfile").read_text() == f"FROM a\n{LINE}\n"


def test_df_01_wrong_use_is_told(beside: Path) -> None:
    dockerfile = beside.parent / "Dockerfile"
    assert run(beside, "--check", dockerfile, "--write", dockerfile).exit_code == 2
    assert run(beside.parent / "nothing.json").exit_code == 2
    assert run(beside, "--check", beside.parent).exit_code == 2
    dockerfile.write_bytes(b"FROM \xff")
    assert run(beside, "--check").exit_code == 2
    dockerfile.unlink()
    done = run(beside, "--check")
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


def test_df_03_the_command_can_be_given_alone(tmp_path: Path) -> None:
    """Kubernetes reads no labels: whoever runs XNAT there pastes the file, which must be one command with its image."""
    alone = tmp_path / "command.json"
    alone.write_bytes(COMMAND_JSON.read_bytes())
    assert run(alone).stdout == f"{LINE}\n"
    assert document()["image"] == f"xnatworks/xnat-tcia-download:{__version__}"
    alone.write_text(json.dumps([document()]))
    assert run(alone).exit_code == 2
