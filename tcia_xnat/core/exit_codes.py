"""The exit codes of all commands. --help, README.md and docs/reference are made from this table."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How a command ended."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member that is its number and knows what it means."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "everything that was asked for is there"
    UNEXPECTED = 1, "unexpected error"
    USAGE = 2, "usage, configuration or manifest"
    MISSING = 3, "some series are not there; the report says which and why"
    SOURCE = 4, "source unreachable"
    XNAT = 5, "XNAT unreachable, login or rights refused"
    SPACE = 6, "not enough space"
    HANGUP = 129, "stopped because the terminal is gone (SIGHUP)"
    INTERRUPT = 130, "stopped by Ctrl-C (SIGINT)"
    TERMINATED = 143, "stopped by SIGTERM"


CONTINUES = "After a stop the report is written, and the same command continues."


def exit_help(*codes: ExitCode, **own: str) -> str:
    """Return the part of a command's help that explains its exit codes.

    Parameters
    ----------
    codes
        With which the command ends; all of them when none is given.
    own
        Name of a code in lower case → what it means for this command, where the table does not say it.
    """
    rows = [f"{code:>5}  {own.get(code.name.lower(), code.meaning)}" for code in codes or tuple(ExitCode)]
    return "\n".join(["\b", "Exit codes:", *rows])  # \b is click's sign for lines to leave as they are
