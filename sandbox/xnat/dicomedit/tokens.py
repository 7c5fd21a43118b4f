"""The words of a DicomEdit script, as DE6Lexer.g4 has them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEX = "[0-9A-Fa-fXx@#]"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t]+|//[^\r\n]*)|(?P<newline>\r?\n)|(?P<text>"(?:\\.|[^"\\])*")
    |(?P<tag>\([ \t]*{_HEX}{{4}}[ \t]*,[ \t]*{_HEX}{{4}}[ \t]*\))|(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d+)?)
    |(?P<sign>:=|\?=|!=|!~|[-=~?:,\[\](){{}}])""",
    re.VERBOSE,
)


class ScriptError(Exception):
    """A script that cannot be read, or fails on an object."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word, and the line that it stands on."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of a script without blanks and comments, then its end.

    Raises
    ------
    ScriptError
    """
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ScriptError(f"line {line}: token recognition error at: '{text[place]}'")
        if found.lastgroup != "space":
            yield Token(str(found.lastgroup), found[0], line)
        place = found.end()
        line += found[0].count("\n")
    yield Token("end", "", line)


def unquoted(text: str) -> str:
    """Return what a text in quotes stands for; a word without quotes is as it is."""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
