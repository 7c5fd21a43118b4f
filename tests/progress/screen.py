"""The tool on a terminal of a given size, and what the terminal then shows."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte

_SECONDS = 120
_BYTES = 1 << 16


@dataclass
class Terminal:
    """A terminal emulator with what was written to it.

    Attributes
    ----------
    frames
        Every screen that differed from the one before, as lines of text.
    raw
        All bytes.
    """

    columns: int
    lines: int
    frames: list[list[str]] = field(default_factory=list)
    raw: bytes = b""
    code: int | None = None

    def __post_init__(self) -> None:
        self._screen = pyte.HistoryScreen(self.columns, self.lines, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)

    def feed(self, data: bytes) -> None:
        self.raw += data
        self._stream.feed(data)
        shown = [line.rstrip() for line in self._screen.display]
        if not self.frames or self.frames[-1] != shown:
            self.frames.append(shown)

    def text(self) -> str:
        """Everything that scrolled by, and the last screen."""
        above = ["".join(line[column].data for column in range(self.columns)) for line in self._screen.history.top]
        return "\n".join([*above, *self._screen.display])


def on_terminal(
    arguments: Sequence[str],
    columns: int,
    environment: Mapping[str, str],
    *,
    lines: int = 24,
    cwd: Path | None = None,
    stdout: int | None = None,
    watch: Callable[[Terminal, int], None] = lambda _terminal, _pid: None,
) -> Terminal:
    """Run a command on a terminal to its end; `watch` sees each screen and the process's id."""
    terminal = Terminal(columns, lines)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    variables = {name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        arguments, stdin=theirs, stdout=stdout or theirs, stderr=theirs, env=variables, cwd=cwd, start_new_session=True
    )
    os.close(theirs)
    while data := _read(ours):
        terminal.feed(data)
        watch(terminal, process.pid)
    os.close(ours)
    terminal.code = process.wait(_SECONDS)
    return terminal


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _BYTES)
    except OSError:  # the other end is closed
        return b""
