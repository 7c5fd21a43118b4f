"""Findings as lines for people, as they come, and as JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.table import Table
from rich.text import Text

from tcia_xnat import __version__
from tcia_xnat.console import terminal
from tcia_xnat.console.sanitize import one_line
from tcia_xnat.preflight.finding import Finding, Verdict, exit_code

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.WRONG: "bold red"}
_STATE_WIDTH = 9  # of the first column


def show_lines(findings: Iterable[Finding], stream: TextIO) -> int:
    """Show each finding as soon as it is there, and the sum at the end; return the exit code."""
    console = terminal.results(stream)
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        console.print(_row(Text(finding.state, _STYLES[finding.state]), f"{finding.name}: ", finding.seen))
        if finding.to_do:
            console.print(_row(Text(), "", f"what to do: {finding.to_do}"))
    console.print(Text(_sum(found), "bold"))
    return exit_code(found)


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings for programs: `checks`, each with `name`, `state`, `seen` and `to_do`, and the `exit_code`."""
    checks = [
        {"name": finding.name, "state": finding.state.value, "seen": finding.seen, "to_do": finding.to_do}
        for finding in findings
    ]
    found = {"tool": f"xnat-tcia-download {__version__}", "exit_code": exit_code(findings), "checks": checks}
    return json.dumps(found, indent=1)


def _row(state: Text, name: str, told: str) -> Table:
    """Return a line whose continuations stand under its text."""
    grid = Table.grid()
    grid.add_column(width=_STATE_WIDTH)
    grid.add_column(overflow="fold")
    grid.add_row(state, Text.assemble((name, "bold"), one_line(told)))
    return grid


def _sum(findings: Sequence[Finding]) -> str:
    bad = sum(finding.state is Verdict.WRONG for finding in findings)
    warnings = sum(finding.state is Verdict.WARNING for finding in findings)
    told = {0: "Nothing is wrong", 1: "One thing is wrong"}.get(bad, f"{bad} things are wrong")
    noted = {0: "", 1: "; there is one warning"}.get(warnings, f"; there are {warnings} warnings")
    return f"{told}{noted}."
