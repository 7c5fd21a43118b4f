"""command.json read strictly: UTF-8, each key once, no key and no kind of value that XNAT does not know (CJ-1)."""

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from tcia_xnat.container_command.document import Command, Finding, Node, below

_WRONG = object()  # a value of the wrong kind; its field keeps the default
_OWN_FIELDS = {one.name for one in fields(Node)}
_KINDS: dict[object, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    bool: ((bool,), "true or false, without quotes"),
    int: ((int,), "a whole number, without quotes"),
    float: ((int, float), "a number, without quotes"),
}
_RULES = {  # kinds of values that a requirement of its own asks for
    "default-value": "CJ-4",
    "select-values": "CJ-4",
    "true-value": "CJ-4",
    "false-value": "CJ-4",
    "environment-variables": "CJ-6",
    "reserve-memory": "CJ-15",
    "limit-memory": "CJ-15",
    "limit-cpu": "CJ-15",
}

N = TypeVar("N", bound=Node)


def parse(content: bytes) -> tuple[Any, list[Finding]]:
    """Return the JSON of a file, None when it is none, and what is wrong with it.

    XNAT's reader also takes comments and single quotes, and the last of two equal keys; here they are mistakes
    (xnat-container-command.md §1.1).
    """
    reading = _Pairs()
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=reading.unique,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        return None, [Finding("CJ-1", "", f"byte {error.start} is not UTF-8")]
    except (ValueError, RecursionError) as error:
        return None, [Finding("CJ-1", "", f"this is not JSON: {error}")]
    return document, reading.findings


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Makes objects of their pairs, and notes keys that come twice."""

    findings: list[Finding] = field(default_factory=list)

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            if key in made:
                self.findings.append(Finding("CJ-1", "", f"the key {json.dumps(key)} comes twice in one object"))
            made[key] = value
        return made


def read(document: object) -> tuple[Command, list[Finding]]:
    """Return a document as far as its keys and values are known, and what is wrong with them."""
    reader = _Reader()
    if not isinstance(document, dict):
        return Command(), [Finding("CJ-1", "", "a command is one object, { … }")]
    return reader.node(Command, document, ""), reader.findings


def _known(kind: type[Node]) -> Mapping[str, tuple[str, Any]]:
    """Return each key of an object, with the field for it and the kind of its value."""
    hints = get_type_hints(kind)
    names = (one.name for one in fields(kind) if one.name not in _OWN_FIELDS)
    return {name.replace("_", "-"): (name, _without_none(hints[name])) for name in names}


def _without_none(hint: Any) -> Any:  # noqa: ANN401  a type hint
    is_union = type(None) in get_args(hint)
    return next(one for one in get_args(hint) if one is not type(None)) if is_union else hint


@dataclass(frozen=True, slots=True)
class _Reader:
    """Fills the classes of `document`; what does not fit is noted and left out."""

    findings: list[Finding] = field(default_factory=list)

    def node(self, kind: type[N], raw: Mapping[str, Any], at: str) -> N:
        known, read = _known(kind), {}
        for key, value in raw.items():
            if key not in known:
                self._note("CJ-1", below(at, key), _unknown(key, known))
                continue
            name, hint = known[key]
            read[name] = self.value(hint, value, below(at, key), _RULES.get(key, "CJ-1"))
        fitting = {name: value for name, value in read.items() if value is not _WRONG}
        return kind(at=at, given=frozenset(raw), **fitting)

    def value(self, hint: Any, raw: object, at: str, rule: str) -> Any:  # noqa: ANN401  as the hint says
        if hint is object:
            return raw
        if get_origin(hint) is tuple:
            return self._list(get_args(hint)[0], raw, at, rule)
        if get_origin(hint) is dict:
            return self._texts(raw, at, rule)
        if hint not in _KINDS:
            return self.node(hint, raw, at) if isinstance(raw, dict) else self._wrong(rule, at, "an object, { … }")
        return self._plain(hint, raw, at, rule)

    def _plain(self, hint: Any, raw: object, at: str, rule: str) -> object:  # noqa: ANN401  a type hint
        classes, wanted = _KINDS[hint]
        fits = isinstance(raw, classes) and (hint is bool or not isinstance(raw, bool))
        return raw if fits else self._wrong(rule, at, wanted)

    def _list(self, hint: Any, raw: object, at: str, rule: str) -> object:  # noqa: ANN401  a type hint
        if not isinstance(raw, list):
            return self._wrong(rule, at, "a list, [ … ]")
        read = [self.value(hint, one, f"{at}[{number}]", rule) for number, one in enumerate(raw)]
        return tuple(one for one in read if one is not _WRONG)

    def _texts(self, raw: object, at: str, rule: str) -> object:
        if not isinstance(raw, dict):
            return self._wrong(rule, at, "an object, { … }")
        read = {key: self._plain(str, value, below(at, key), rule) for key, value in raw.items()}
        return {key: value for key, value in read.items() if value is not _WRONG}

    def _wrong(self, rule: str, at: str, wanted: str) -> object:
        self._note(rule, at, f"this must be {wanted}")
        return _WRONG

    def _note(self, rule: str, at: str, message: str) -> None:
        self.findings.append(Finding(rule, at, message))


def _unknown(key: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"XNAT drops this key without a word{f'; is it {near[0]}?' if near else ''}"
