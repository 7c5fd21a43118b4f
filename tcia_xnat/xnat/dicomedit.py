"""Reader of DicomEdit 4 and 6, the language of XNAT's anonymization scripts. Pure.

It does not run a script. It finds what a script may do in any of its branches: set or delete elements, change UIDs,
reject images. A script that it cannot read whole has unknown effects.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tcia_xnat.xnat.scripts import ScriptEffect

UID_TAGS = {"0020,000D": "StudyInstanceUID", "0020,000E": "SeriesInstanceUID", "0008,0018": "SOPInstanceUID"}
NAMED_TAGS = UID_TAGS | {
    "0010,0010": "PatientName",
    "0010,0020": "PatientID",
    "0008,1030": "StudyDescription",
    "0008,103E": "SeriesDescription",
    "0020,0011": "SeriesNumber",
    "0020,0013": "InstanceNumber",
}
PRIVATE = "private elements"
OTHERS = "other elements"

_MAX_LENGTH = 1_000_000  # characters; longer scripts are not read
_KNOWN_VERSIONS = {"1", "4", "6"}
_GROUP, _HEX = r"[0-9A-Fa-fXx@#]{4}", r"[0-9A-Fa-fXx@#]"
_PLAIN = rf"\(\s*{_GROUP}\s*,\s*{_HEX}{{4}}\s*\)"
_PRIVATE = rf"""\(\s*{_GROUP}\s*,\s*(?:\{{[^}}\n]*\}}|"[^"\n]*")\s*{_HEX}{{2,4}}\s*\)"""
_ELEMENT = rf"(?:{_PRIVATE}|{_PLAIN})(?:\s*\[\s*(?:\d+|%)\s*\])?"
_PATH = rf"(?:[*+.?]\s*/\s*)*{_ELEMENT}(?:\s*/\s*(?:[*+.?]\s*/\s*)*{_ELEMENT})*"
_TOKENS = re.compile(
    rf"""(?P<space>\s+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<path>{_PATH})|(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\d.]*)|(?P<sign>:=|!=|!~|[-=~?:,;\[\](){{}}!&|<>+*./])""",
    re.VERBOSE | re.DOTALL,
)
_TAG = re.compile(rf"\(\s*({_GROUP})\s*,\s*({_HEX}{{4}})\s*\)")
_TAGS_BY_NAME = {name.lower(): tag for tag, name in NAMED_TAGS.items()}
_VALUES = {  # functions that only give a value
    "hashuid", "mapuid", "newuid", "substring", "format", "lowercase", "uppercase", "concatenate", "replace", "match",
    "ismatch", "ispresent", "geturl", "urlencode", "lookup", "hash", "shiftdatebyincrement", "getattribute", "trim",
    "shiftdatetimebyincrement", "shifttimebyincrement", "equals", "notequals", "isblank", "length", "constrain",
}  # fmt: skip
_NAMED_UIDS = {"hashuidlist", "mapreferenceduids"}  # functions that change the UIDs which their arguments name
_SET = {"set", "assign", "assignifexists", "delete", "blank", "remove", "clear"}  # that change what they name
_WORDS = {
    "version",
    "describe",
    "export",
    "hidden",
    "if",
    "else",
    "elseif",
    "true",
    "false",
    "echo",
    "print",
    "println",
}
_PRIVATE_WORDS = {"removeallprivatetags", "retainprivatetags"}
_OTHER_WORDS = {"alterpixels", "shiftdatetimesequencebyincrement", "shiftdatetimesequences", "collapsenestedgroups"}
_VARIABLES = {"project", "subject", "session", "visit", "modalitylabel"}


def read_script(text: object) -> ScriptEffect:
    """Return the effect of a script that is on.

    Parameters
    ----------
    text
        As XNAT sent it. What is no text has an unknown effect.
    """
    if not isinstance(text, str) or text.lstrip()[:1] in {"<", "{"}:
        return ScriptEffect(is_on=True, may_reject=None, unread="XNAT sent something that is no script")
    if len(text) > _MAX_LENGTH:
        return ScriptEffect(is_on=True, may_reject=None, unread=f"it has {len(text)} characters")
    return _Reader(list(_tokens(text))).effect()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else ""

    @property
    def tags(self) -> tuple[str, ...]:
        """Elements of the image itself that a path, a keyword or a text names."""
        if self.kind == "name":
            return (_TAGS_BY_NAME[self.word],) if self.word in _TAGS_BY_NAME else ()
        if self.kind != "string":
            return tuple(_top_level(self.text))
        inside = self.text[1:-1]
        named = [tag for word in re.findall(r"\w+", inside) if (tag := _TAGS_BY_NAME.get(word.lower()))]
        return (*_top_level(inside), *named)


class _Reader:
    """Collects what the statements of a script may do, wherever they stand in it."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        end = _Token("end", "", 0)
        self._tokens = [end, *tokens, end]
        self._changed: list[str] = []
        self._uids: set[str] = set()
        self._rejects = False
        self._unread = ""
        self._variables = set(_VARIABLES)

    def effect(self) -> ScriptEffect:
        self._read_variables()
        for place, token in enumerate(self._tokens[1:-1], start=1):
            self._read(place, token)
        return ScriptEffect(
            is_on=True,
            changed=tuple(dict.fromkeys(self._changed)),
            changed_uids=frozenset(self._uids),
            may_reject=True if self._rejects else None if self._unread else False,
            unread=self._unread,
        )

    def _read_variables(self) -> None:
        for first, second in pairwise(self._tokens):
            if (second.text == ":=" and first.kind == "name") or first.word in {"describe", "export"}:
                self._variables.add(first.word if second.text == ":=" else second.word)

    def _read(self, place: int, token: _Token) -> None:
        before, after = self._tokens[place - 1], self._tokens[place + 1]
        if token.kind == "unreadable":
            self._cannot_read(token)
        elif token.text == ":=":
            self._change(before.tags)
            if before.kind not in {"path", "name"}:
                self._cannot_read(token)
        elif token.text == "-":
            self._change(after.tags)
            if after.kind not in {"path", "number"} and not after.tags:
                self._cannot_read(token)
        elif token.kind == "name":
            self._read_name(place, token)

    def _read_name(self, place: int, token: _Token) -> None:
        word = token.word
        if word == "reject":
            self._rejects = True
        elif word == "version":
            self._read_version(self._tokens[place + 1])
        elif word in _NAMED_UIDS | _SET:
            self._read_change(place, token)
        elif word in _PRIVATE_WORDS:
            self._changed.append(PRIVATE)
        elif word in _OTHER_WORDS:
            self._changed.append(OTHERS)
        elif word not in _WORDS | _VALUES | self._variables | _TAGS_BY_NAME.keys():
            self._cannot_read(token)

    def _read_version(self, version: _Token) -> None:
        if version.text.strip("\"'").partition(".")[0] not in _KNOWN_VERSIONS:
            self._unread = self._unread or f"version {version.text} is not known"

    def _read_change(self, place: int, token: _Token) -> None:
        """Read a function that changes what its arguments name; without a name in them, what it changes is unknown."""
        tags = [tag for argument in self._arguments(place) for tag in argument.tags]
        self._change(tags)
        if not tags:
            self._cannot_read(token)

    def _arguments(self, place: int) -> Iterator[_Token]:
        depth = 0
        for token in self._tokens[place + 1 :]:
            depth += {"[": 1, "]": -1}.get(token.text, 0)
            if depth <= 0:
                return
            if token.kind in {"path", "string", "name"}:
                yield token

    def _change(self, tags: Iterable[str]) -> None:
        for tag in tags:
            self._changed.append(tag)
            self._uids.update(name for known, name in UID_TAGS.items() if _covers(tag, known))

    def _cannot_read(self, token: _Token) -> None:
        self._unread = self._unread or f"line {token.line} cannot be read: {token.text[:40]}"


def _tokens(text: str) -> Iterator[_Token]:
    """Split a script; white space and comments are left out."""
    place, line = 0, 1
    while place < len(text):
        found = _TOKENS.match(text, place)
        kind, piece = (found.lastgroup or "", found[0]) if found else ("unreadable", text[place])
        if kind not in {"space", "comment"}:
            yield _Token(kind, piece, line)
        place += len(piece)
        line += piece.count("\n")


def _top_level(path: str) -> Iterator[str]:
    """Yield the tags that a path, or a text with paths in it, names; elements inside of a sequence are not those meant.

    `*`, `+`, `.` and `?` stand for any sequence, also for none.
    """
    for found in re.finditer(_PATH, path):
        parts = re.split(r"/", found[0])
        named = [part for part in parts if part.strip() not in {"*", "+", ".", "?"}]
        if tag := _TAG.search(named[0]):
            yield f"{tag[1]},{tag[2]}".upper()


def _covers(pattern: str, tag: str) -> bool:
    """Whether a tag with wildcards (X any digit, @ an even one, # an odd one) means another."""
    sets = {"X": "0123456789ABCDEF", "@": "02468ACE", "#": "13579BDF"}
    return all(digit in sets.get(wild, wild) for wild, digit in zip(pattern, tag, strict=True))
