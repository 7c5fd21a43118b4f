r"""The instructions of a Dockerfile and the pairs of its LABELs, as BuildKit reads them (xnat-container-command.md §2).

Within double quotes a backslash escapes `"`, `$` and `\` only; before all else it stands for itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tcia_xnat.core.errors import UsageError

_ESCAPE_DIRECTIVE = re.compile(r"\A(?:[ \t]*#[ \t]*\w+[ \t]*=.*\n)*?[ \t]*#[ \t]*escape[ \t]*=[ \t]*`", re.IGNORECASE)
_COMMENT_OR_BLANK = re.compile(r"\s*(#.*)?")
_CONTINUED = re.compile(r"(?P<kept>(?:.*[^\\])?)\\[ \t]*", re.DOTALL)
_HEREDOC = re.compile(r"(?:^|\s)\d*<<(?P<tabs>-?)(?P<quote>[\"']?)(?P<name>\w+)(?P=quote)")
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*(?:"|\\?$)|'[^']*(?:'|$)|\\.|\\$|[^\s"'\\])+""", re.DOTALL)
_PIECE = re.compile(
    r"""
    "(?P<double>(?:\\.|[^"\\])*)"   # escapes of three characters
    | '(?P<single>[^']*)'           # no escapes
    | \\(?P<escaped>.)              # outside of quotes: any character
    | (?P<plain>[^"'\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r'\\(["$\\])')
_VARIABLE = re.compile(r"(?<!\\)(?:\\\\)*\$")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its keyword in capitals, the rest on one line, and its lines from `first` to before `end`."""

    keyword: str
    rest: str
    first: int
    end: int


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile; its lines are counted from 0, and end where a line feed is.

    Raises
    ------
    UsageError
        The Dockerfile has another escape character than the backslash.
    """
    if _ESCAPE_DIRECTIVE.match(text):
        raise UsageError("the Dockerfile makes ` its escape character", "delete its line # escape=`")
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    number = 0
    while number < len(lines):
        first = number
        logical, number = _logical_line(lines, first)
        keyword, rest = (*logical.split(maxsplit=1), "", "")[:2]
        if keyword:
            number = _after_heredocs(lines, keyword.upper(), rest, number)
            yield Instruction(keyword.upper(), rest.rstrip(), first, number)


def _logical_line(lines: Sequence[str], number: int) -> tuple[str, int]:
    """Return the line that starts here with the lines that continue it, and the number of the line after them."""
    parts: list[str] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        if _COMMENT_OR_BLANK.fullmatch(line):
            if parts:
                continue  # comments and blank lines do not end an instruction that goes on
            break
        continued = _CONTINUED.fullmatch(line)
        parts.append(continued["kept"] if continued else line)
        if not continued:
            break
    return "".join(parts), number


def _after_heredocs(lines: Sequence[str], keyword: str, rest: str, number: int) -> int:
    """Return the number of the line after the documents that an instruction takes from the lines below it."""
    if keyword not in {"RUN", "COPY", "ADD"}:
        return number
    for found in _HEREDOC.finditer(rest):
        while number < len(lines) and (lines[number].lstrip("\t") if found["tabs"] else lines[number]) != found["name"]:
            number += 1
        number = min(number + 1, len(lines))
    return number


def pairs(rest: str) -> list[tuple[str, str, str]]:
    """Return what follows LABEL as (name, value, word): name unquoted, value and word as they are written."""
    words = _WORD.findall(rest)
    if words and "=" not in words[0]:  # the older form: LABEL name value
        return [(_name(words[0]), rest[len(words[0]) :].strip(), rest)]
    return [(_name(word.partition("=")[0]), word.partition("=")[2], word) for word in words]


def _name(word: str) -> str:
    return word.replace('"', "").replace("'", "")


def unquoted(word: str) -> str:
    """Return what BuildKit makes of a word.

    Raises
    ------
    UsageError
        A quote does not end, or a variable would be replaced.
    """
    made, position = [], 0
    while position < len(word):
        found = _PIECE.match(word, position)
        if not found:
            raise UsageError(f"a quote does not end: {word[position : position + 40]!r}")
        made.append(_piece(found))
        position = found.end()
    return "".join(made)


def _piece(found: re.Match[str]) -> str:
    if found["double"] is not None:
        if _VARIABLE.search(found["double"]):
            raise UsageError(r"a $ has no \ before it: a build puts the value of a variable there")
        return _ESCAPED.sub(r"\1", found["double"])
    if found["plain"] == "$":
        raise UsageError(r"a $ has no \ before it: a build puts the value of a variable there")
    return next(found[kind] for kind in ("single", "escaped", "plain") if found[kind] is not None)
