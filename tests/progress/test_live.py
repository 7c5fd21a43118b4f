"""The live view as a terminal shows it: sizes, letters, colours, failures, and what it must not do."""

import os
import re
import signal
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, command, environment, quick
from tests.progress.screen import Terminal, on_terminal

_OBJECTS = r"GET /idc-open-data/.*dcm"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[34][0-7]m")


def live(sandbox: Sandbox, folder: Path, columns: int, *options: str, lines: int = 24, **variables: str) -> Terminal:
    """Run a small manifest slowly on a terminal."""
    sandbox.idc_faults.add(Fault(_OBJECTS, faults.slow(0.02), times=None))
    arguments = command(ONE_PATIENT, folder / "out", re.sub(r"\W", "_", folder.name), *quick(), *options)
    variables = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **variables}
    return on_terminal(arguments, columns, environment(sandbox, **variables), lines=lines, cwd=folder)


def screens(terminal: Terminal) -> list[str]:
    return ["\n".join(frame) for frame in terminal.frames]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_run_at_any_width(sandbox: Sandbox, tmp_path: Path, columns: int) -> None:
    shown = live(sandbox, tmp_path, columns)
    assert shown.code == 0, shown.text()
    during = [screen for screen in screens(shown) if "from IDC" in screen]
    assert len(during) > 1
    for screen in during:
        headlines = [line for line in screen.splitlines() if re.match(r"\d+ of 8\b", line)]
        assert len(headlines) == 1, screen  # nothing is left over of the frame before
        lanes = [line for line in screen.splitlines() if "from IDC" in line or "storing" in line]
        assert all("MSB-07839" in line for line in lanes)
        assert 1 <= len(lanes) <= 8  # as many again as are fetched
        assert sum("from IDC" in line for line in lanes) <= 4
    assert any("%" in line and ("left" in line or "─" in line) for screen in during for line in screen.splitlines())
    if columns > 40:
        assert any(re.search(r"MSB-07839 .*\b(CT|XA) .*from IDC +[\d.]+ k?B of [\d.]+ k?M?B", s) for s in during)
    assert re.search(r"8 of 8( series)? · 3 (sessions )?archived", shown.text())
    assert "All 8 series are in the archive" in shown.text().replace("\n", " ")
    assert b"\x1b[?25l" not in shown.raw  # a second Ctrl-C could not bring the cursor back


def test_a_terminal_without_utf8_gets_ascii(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert shown.code == 0, shown.text()
    assert shown.raw.isascii()
    assert any("===" in screen for screen in screens(shown))


def test_a_c_locale_gets_ascii_although_python_would_write_utf8(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, LANG="C")
    assert shown.code == 0, shown.text()
    assert shown.raw.isascii()


@pytest.mark.parametrize("no_color", ["1", ""])
def test_colour_only_where_it_is_wanted(sandbox: Sandbox, tmp_path: Path, no_color: str) -> None:
    shown = live(sandbox, tmp_path, 80, NO_COLOR=no_color)
    assert bool(_COLOUR.search(shown.raw)) is not bool(no_color)
    assert any("from IDC" in screen for screen in screens(shown))


def test_a_dumb_terminal_gets_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, TERM="dumb")
    assert shown.code == 0
    assert b"\x1b" not in shown.raw
    assert "[8/8] MSB-07839" in shown.text()


def test_a_run_that_cannot_start_shows_only_why(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, XNAT_PASS="wrong")  # noqa: S106  a word that is none
    assert shown.code == 5
    assert "error: XNAT refuses the login" in shown.text()


def test_quiet_shows_the_result_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, "--quiet")
    assert "All 8 series are in the archive" in shown.text()
    assert not any("from IDC" in screen for screen in screens(shown))


def test_more_lanes_than_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    shown = live(sandbox, tmp_path, 80, "--transfers", "8", lines=8)
    assert shown.code == 0
    assert any("… and " in screen for screen in screens(shown))
    assert all(screen.count(" archived") <= 1 for screen in screens(shown) if "from IDC" in screen)


def test_failures_so_far_stay_in_view_with_their_reason(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.idc_faults.add(Fault("list-type=2", faults.answer(500, "broken disk"), times=3))
    sandbox.nbia_faults.add(Fault("getSeriesMetadata", faults.answer(400, "not today"), times=None))
    shown = live(sandbox, tmp_path, 80, "--transfers", "1")
    assert shown.code == 3
    during = [screen for screen in screens(shown) if "from IDC" in screen and " 1 failed" in screen]
    assert during
    one_line = during[0].replace("\n", " ")
    assert re.search(r"MSB-07839\w* \w+ .* failed: .*broken disk.*not today", one_line)


def test_a_retry_is_in_view_with_its_reason(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.idc_faults.add(Fault(_OBJECTS, faults.answer(503, "Slow Down"), times=3))
    shown = live(sandbox, tmp_path, 80)
    assert shown.code == 0
    assert any(re.search(r"again in [\d.]+ s: IDC answered 503: Slow Down", screen) for screen in screens(shown))


def test_ctrl_c_leaves_a_clean_screen_and_the_result(sandbox: Sandbox, tmp_path: Path) -> None:
    stopped: list[int] = []

    def stop(terminal: Terminal, process: int) -> None:
        if not stopped and "from IDC" in "\n".join(terminal.frames[-1]):
            stopped.append(process)
            os.kill(process, signal.SIGINT)

    sandbox.idc_faults.add(Fault(_OBJECTS, faults.slow(0.2), times=None))
    arguments = command(ONE_PATIENT, tmp_path / "out", "STOPPED", *quick())
    variables = environment(sandbox, TERM="xterm-256color", LANG="C.UTF-8")
    shown = on_terminal(arguments, 80, variables, cwd=tmp_path, watch=stop)
    assert stopped
    assert shown.code == 130, shown.text()
    assert "error: stopped on request" in shown.text()
    assert "from IDC" not in shown.text()


def test_results_go_to_stdout_while_the_view_is_on_the_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = command(ONE_PATIENT, tmp_path / "out", "APART", *quick())
    variables = environment(sandbox, TERM="xterm-256color", LANG="C.UTF-8")
    with (tmp_path / "result.txt").open("wb") as result:
        shown = on_terminal(arguments, 80, variables, cwd=tmp_path, stdout=result.fileno())
    told = (tmp_path / "result.txt").read_text()
    assert "All 8 series are in the archive" in told
    assert "\x1b" not in told
    assert "8 of 8 series" in shown.text()
    assert "All 8 series" not in shown.text()
