"""What reaches a terminal or a log: texts of strangers made harmless, in letters that the stream has."""

import io
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tcia_xnat.console.sanitize import harmless

_IN_ASCII = str.maketrans("…·━─", "~-=-")  # one cell for one cell
_ASCII_LOCALES = {"C", "POSIX"}
TABLE_BOX = box.Box(str(box.SIMPLE_HEAD), ascii=True)  # rich need not take another: its lines are put into ASCII here
WIDE = 4096  # columns where nobody looks: a log breaks its lines itself


def is_unicode(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream shows more than ASCII.

    Python writes UTF-8 also where the locale is C; whoever sets that has no other letters.
    """
    locale = environment.get("LC_ALL") or environment.get("LANG") or ""
    if isinstance(stream, io.StringIO):
        return True
    return stream.encoding.lower().startswith("utf") and locale not in _ASCII_LOCALES


def console(stream: TextIO, **options: Any) -> Console:  # noqa: ANN401  those of rich's Console
    """Return a console that shows any text and never fails at one; `options` are those of rich's Console."""
    shown = stream if is_unicode(stream) else _AsciiStream(stream)
    settings: dict[str, Any] = {"file": shown, "highlight": False, "markup": False, "emoji": False}
    return _Console(**settings | options)


def results(stream: TextIO) -> Console:
    """Return the console for results, wide enough for its tables when it is no terminal."""
    return console(stream) if stream.isatty() else console(stream, width=WIDE)


def line_writer(stream: TextIO) -> Callable[[str], None]:
    """Return what writes one line at once, in letters that the stream has."""
    shown = stream if is_unicode(stream) else _AsciiStream(stream)

    def write(line: str) -> None:
        shown.write(f"{line}\n")
        shown.flush()

    return write


class _Console(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled: rich would end the process with 1, whatever the run came to."""
        raise  # noqa: PLE0704  rich calls this while it handles the error

    def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002  as rich has it
        """Leave the cursor: a second Ctrl-C ends the process at once, and nobody would bring it back."""
        del show
        return False


class _AsciiStream:
    """A stream whose terminal knows no other letters."""

    encoding = "ascii"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.translate(_IN_ASCII).encode("ascii", "replace").decode())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever else a stream has
        return getattr(self._stream, name)
