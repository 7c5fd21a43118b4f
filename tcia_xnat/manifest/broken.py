"""What is said of lines that cannot be used, and of those that were passed over."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import Rejected

_SHOWN_LINES, _SHOWN_CHARACTERS, _NUMBERED_LINES = 3, 80, 20  # a UID has 64 characters


def wrong_lines(name: str, lines: Sequence[Rejected]) -> ManifestError:
    """Return the error that names the lines of a list which should hold a UID and do not."""
    return ManifestError(
        f"{name} has {no_uids(lines)}",
        "mend or delete the line: a series whose UID is broken would be lost without a word",
    )


def no_uids(lines: Sequence[Rejected]) -> str:
    """Say what stands where a UID should, the first lines in their words, the others by their numbers."""
    shown = "; ".join(f"line {one.line}: {_short(one.text)!r}" for one in lines[:_SHOWN_LINES])
    others = lines[_SHOWN_LINES:]
    more = f"; and {len(others)} more: {_numbers(others)}" if others else ""
    return f"a UID that is none, {shown}{more}"


def passed_over(rejected: Iterable[Rejected]) -> list[str]:
    """Return what is to be said of lines that were not used: one line for each file and reason."""
    grouped: dict[tuple[str, str], list[Rejected]] = defaultdict(list)
    for one in rejected:
        grouped[one.file, one.reason].append(one)
    return [f"{file}: {_numbers(lines)} passed over: {reason}" for (file, reason), lines in grouped.items()]


def _numbers(lines: Sequence[Rejected]) -> str:
    numbers = ", ".join(str(one.line) for one in lines[:_NUMBERED_LINES])
    word = "line" if len(lines) == 1 else "lines"
    return f"{word} {numbers}{', …' if len(lines) > _NUMBERED_LINES else ''}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
