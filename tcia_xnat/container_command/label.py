"""The image label by which XNAT finds a command: made, read back, compared and replaced (DF-1, DF-2)."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tcia_xnat.container_command.dockerfile import Instruction, instructions, pairs, unquoted
from tcia_xnat.core.errors import UsageError

NAME = "org.nrg.commands"
_LONGEST = 65_535  # bytes of a line at which BuildKit gives up (xnat-container-command.md §2)
_SPECIAL = re.compile(r'(["$\\])')


@dataclass(frozen=True, slots=True)
class _Place:
    """A LABEL instruction that has the label, once or more, and maybe others."""

    instruction: Instruction
    values: tuple[str, ...]
    others: tuple[str, ...]
    in_image: bool


def label_line(document: object) -> str:
    r"""Return the LABEL instruction for a command: one line of ASCII, a list of one command.

    `"`, `$` and `\` get a `\` before them, and nothing else: BuildKit leaves other backslashes alone, and a label that
    is no JSON makes the command vanish without a word.

    Raises
    ------
    UsageError
        The line is too long for a Dockerfile.
    """
    value = json.dumps([document], separators=(",", ":"), allow_nan=False)
    escaped = _SPECIAL.sub(r"\\\1", value)
    line = f'LABEL {NAME}="{escaped}"'
    if len(line) >= _LONGEST:
        raise UsageError(f"the label has {len(line)} bytes, a Dockerfile takes lines below {_LONGEST}", "shorten it")
    return line


def values(dockerfile: str) -> list[str]:
    """Return the label's value as BuildKit reads it, for each time the Dockerfile sets it.

    Raises
    ------
    UsageError
        A value has no end, or holds a variable.
    """
    return [unquoted(value) for place in _places(dockerfile) for value in place.values]


def _places(dockerfile: str) -> Sequence[_Place]:
    """Return where the label is set; a stage before the last FROM does not reach the image."""
    listed = list(instructions(dockerfile))
    last_from = max((one.first for one in listed if one.keyword == "FROM"), default=-1)
    return list(_labels(listed, last_from))


def _labels(listed: Sequence[Instruction], last_from: int) -> Iterator[_Place]:
    for one in listed:
        found = pairs(one.rest) if one.keyword == "LABEL" else []
        values = tuple(value for name, value, _ in found if name == NAME)
        others = tuple(word for name, _, word in found if name != NAME)
        if values:
            yield _Place(one, values, others, one.first > last_from)


def problem(dockerfile: str, document: object) -> str:
    """Return what is wrong with a Dockerfile's label for this command, in words after its name; empty if nothing."""
    places = _places(dockerfile)
    lines = ", ".join(str(place.instruction.first + 1) for place in places for _ in place.values)
    if not places:
        return f"has no label {NAME}"
    if sum(len(place.values) for place in places) > 1:
        return f"has the label {NAME} more than once, in lines {lines}"
    if not places[0].in_image:
        return f"has the label {NAME} in line {lines}, before its last FROM: the image would not have it"
    if not _means(places[0].values[0], document):
        return f"has a label {NAME} in line {lines} that differs from the command"
    if not _is_as_made(places[0].instruction, label_line(document)):
        return f"has the label {NAME} in line {lines} in another form, or together with others"
    return ""


def _means(value: str, document: object) -> bool:
    try:
        return _canonical(json.loads(unquoted(value))) == _canonical([document])
    except (ValueError, RecursionError, UsageError):
        return False


def _is_as_made(instruction: Instruction, line: str) -> bool:
    return f"LABEL {instruction.rest}" == line and instruction.end == instruction.first + 1


def _canonical(document: object) -> str:
    return json.dumps(document, sort_keys=True)  # as text: in Python 1 equals true


def replaced(dockerfile: str, document: object) -> str:
    """Return a Dockerfile that has the label of this command once, in the place of all that were there, or at its end.

    Raises
    ------
    UsageError
        The Dockerfile ends within an instruction, so that nothing can be added.
    """
    line = label_line(document)
    places = _places(dockerfile)
    kept = next((place for place in places if place.in_image), None)
    lines = dockerfile.split("\n")
    for place in reversed(places):
        one = place.instruction
        end = "\r" if lines[one.end - 1].endswith("\r") else ""
        others = [f"LABEL {' '.join(place.others)}"] if place.others else []
        lines[one.first : one.end] = [new + end for new in (*others, *([line] if place is kept else []))]
    text = "\n".join(lines)
    text = text if kept else _appended(text, line)
    if problem(text, document):
        raise UsageError(
            "the label cannot be added to this Dockerfile", "look whether its last instruction is complete"
        )
    return text


def _appended(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return text + (newline if text and not text.endswith("\n") else "") + line + newline
