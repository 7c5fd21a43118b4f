"""What a check found: one line, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tcia_xnat.core.errors import Error
from tcia_xnat.core.exit_codes import ExitCode

_ORDER = (
    ExitCode.USAGE,
    ExitCode.XNAT,
    ExitCode.SPACE,
    ExitCode.SOURCE,
    ExitCode.MISSING,
    ExitCode.UNEXPECTED,
)  # as a run would meet them


class Verdict(StrEnum):
    """How good or bad it is."""

    OK = "ok"
    WARNING = "warning"  # a run goes on; somebody should know, or nobody could look
    WRONG = "wrong"  # a run would fail


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `exit_code` is that with which a run would end for it, 0 unless it is wrong."""

    name: str
    state: Verdict
    seen: str
    to_do: str = ""
    exit_code: int = 0


def ok(name: str, seen: str) -> Finding:
    """Return that all is well."""
    return Finding(name, Verdict.OK, seen)


def warning(name: str, seen: str, to_do: str) -> Finding:
    """Return what somebody should know."""
    return Finding(name, Verdict.WARNING, seen, to_do)


def wrong(name: str, seen: str, to_do: str, exit_code: int) -> Finding:
    """Return what a run would fail at."""
    return Finding(name, Verdict.WRONG, seen, to_do, exit_code)


def failed(name: str, error: Error, to_do: str = "") -> Finding:
    """Return an error as what is wrong, with its own hint and exit code."""
    return wrong(name, str(error), error.hint or to_do, error.exit_code)


def unseen(name: str, why: object, to_do: str) -> Finding:
    """Return that nobody could look."""
    return warning(name, f"could not look: {why}", to_do)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 when nothing is wrong, else the code with which a run would end first."""
    codes = {finding.exit_code for finding in findings if finding.state is Verdict.WRONG}
    return next((code for code in _ORDER if code in codes), 0)
