"""A command that is printed runs as it is printed, from where the tool was started."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from download import download
from tcia_xnat.cli import typed_options
from tcia_xnat.core.installed import NEEDED
from tcia_xnat.core.program import IMAGE_VARIABLE, Surroundings, command_line

ROOT = Path(__file__).parents[3]
CHECKOUT = Surroundings(Path("/c/.venv/bin/python"), "/usr/bin/python", Path("/c"), Path("/c"))
SCRIPTS = ("download.py", "upload.py", "query.py", "tciaclient.py", "command2Label.py")


@pytest.mark.parametrize(
    ("surroundings", "shown"),
    [
        (CHECKOUT, ".venv/bin/python upload.py 'a b'"),
        (replace(CHECKOUT, on_path="/c/.venv/bin/python"), "python upload.py 'a b'"),
        (replace(CHECKOUT, folder=Path("/home/me")), "/c/.venv/bin/python /c/upload.py 'a b'"),
        (replace(CHECKOUT, folder=Path("/c/data")), "/c/.venv/bin/python /c/upload.py 'a b'"),
        (replace(CHECKOUT, image="site/tool:2"), "docker run … site/tool:2 upload 'a b'"),
    ],
)
def test_how_a_script_is_called(surroundings: Surroundings, shown: str) -> None:
    assert command_line("upload.py", "a b", surroundings=surroundings) == shown


def test_the_image_needs_no_word_for_downloads() -> None:
    assert command_line("download.py", "m", surroundings=replace(CHECKOUT, image="i")) == "docker run … i m"


def test_the_image_knows_its_name() -> None:
    (name,) = re.findall(rf"{IMAGE_VARIABLE}=(\S+)", (ROOT / "Dockerfile").read_text())
    assert f'"image": "{name}"' in (ROOT / "command.json").read_text()


@pytest.mark.parametrize("started_in_checkout", [True, False])
def test_a_printed_command_runs(tmp_path: Path, *, started_in_checkout: bool) -> None:
    folder = ROOT if started_in_checkout else tmp_path
    shown = command_line("download.py", "--version", surroundings=replace(Surroundings.found(), folder=folder))
    done = subprocess.run(shlex.split(shown), cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_libraries_one_line_says_what_to_do(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / script), "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "click" in error
    assert hint == f"hint: run .venv/bin/python {script}, or pip install -r requirements.txt"


def test_every_requirement_is_looked_for() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    required = {re.split(r"[><=]", line)[0].replace("-", "_") for line in lines if line and not line.startswith("#")}
    assert {name.replace("pillow", "PIL") for name in required} == set(NEEDED)


def test_options_are_repeated_as_they_were_typed() -> None:
    words = ("--bwlimit", "1M", "--max-outage", "600", "--no-archive", "--retry-wait", "0.5")
    with download.make_context("download.py", [*words]):
        assert sorted(typed_options()) == sorted(words)
