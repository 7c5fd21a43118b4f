"""Streams that are closed, full, or without a reader: the run comes to the same, and nothing is a traceback."""

import subprocess
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ONE_SERIES, ROOT, assert_holds, command, environment, expected

STREAMS = {"closed": ">&- 2>&-", "full": ">/dev/full 2>/dev/full", "no reader": "2>&1 | true", "no stderr": "2>&-"}


def shell(sandbox: Sandbox, folder: Path, streams: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = " ".join(f"'{word}'" for word in command(*arguments))
    return subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {words} {streams}"],
        env=environment(sandbox),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("name", STREAMS)
def test_a_run_comes_to_the_same(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    project = f"STREAMS_{name.replace(' ', '_')}"
    asked = (ONE_SERIES, tmp_path / "out", project, "--thumbnails", "off", "--log-json", "/dev/full")
    done = shell(sandbox, tmp_path, STREAMS[name], *asked)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert (tmp_path / "out/report/report.json").exists()
    assert_holds(sandbox, project, expected(sandbox, ONE_SERIES))


@pytest.mark.parametrize("streams", [">/dev/full", "| true"])
def test_results_that_nobody_gets_are_no_traceback(sandbox: Sandbox, tmp_path: Path, streams: str) -> None:
    done = shell(sandbox, tmp_path, streams, ONE_SERIES, tmp_path / "out", "--dry-run", "--format", "json")
    assert done.returncode in {6, 128 + 13}  # no room for the plan, or nobody who reads it
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("script", ["download.py", "query.py", "upload.py"])
def test_help_that_does_not_fit_is_no_traceback(script: str) -> None:
    line = ["/bin/bash", "-c", '"$0" "$1" --help >/dev/full', command()[0], str(ROOT / script)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 6
    assert done.stderr == "error: stdout cannot be written: No space left on device\n"


def test_a_closed_stream_is_no_place_for_other_files(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "from tcia_xnat.core import streams; streams.prepare(); f = open('new', 'w'); print('lost', flush=True)"
    subprocess.run(
        ["/bin/bash", "-c", f'"$0" -c "{code}; f.write(str(f.fileno() > 2))" <&- >&- 2>&-', command()[0]],
        cwd=tmp_path,
        env=environment(sandbox) | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert (tmp_path / "new").read_text() == "True"
