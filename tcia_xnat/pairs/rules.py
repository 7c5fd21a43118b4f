"""The rules of the pairs: a table in a TOML file, and what a description is refused for."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from tcia_xnat.core.errors import UsageError

SHIPPED = ("default", "strict", "general")
STANDARD = ("default", "general")
"""The rules that are tried where none are named: the second ones for patients of whom the first find no pair."""

_SHOWN_TERMS = 3
_FOLDER = Path(__file__).parent
_KEYS = {
    "modality": str,
    "match": str,
    "require": list,
    "exclude": list,
    "allow": list,
    "prefer": list,
    "least_images": int,
}
_CALLED: Mapping[type, str] = {str: "text", list: "list", int: "number"}
_LISTS = ("require", "exclude", "allow", "prefer")
_LETTER = r"[^\W\d_]"
_LETTERS, _LETTERS_BEFORE = re.compile(f"{_LETTER}*"), re.compile(f"{_LETTER}*$")
_WORD = re.compile(rf"(?:{_LETTER}|\*)+|\d+")  # "WB_COR2" is WB, COR, 2


class Match(StrEnum):
    """How a term of the rules is looked for in a description."""

    ANYWHERE = "anywhere"  # also inside of a word
    WORDS = "words"  # whole words; * stands for any letters


@dataclass(frozen=True, slots=True)
class SeriesRules:
    """What one half of a pair is.

    Attributes
    ----------
    require
        Terms of which the description must hold one; empty requires nothing.
    exclude
        Terms of which it must hold none.
    allow
        Terms that may stand in it although they hold one of `exclude`: "atten cor" is not coronal.
    prefer
        Terms that decide between several series that pass, the best one first; between equals the one with the most
        images is taken. Empty: several series that pass are no pair.
    least_images
        Least number of images.
    """

    modality: str
    match: Match = Match.ANYWHERE
    require: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    least_images: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a pair; `name` is that of the table."""

    pet: SeriesRules
    ct: SeriesRules
    name: str = ""


def rank(rules: SeriesRules, description: str) -> int:
    """Return the place of the first preferred term that a description holds; their number when it holds none."""
    found = (number for number, term in enumerate(rules.prefer) if _any_of(rules.match, (term,)).search(description))
    return next(found, len(rules.prefer))


def refusal(rules: SeriesRules, description: str) -> str:
    """Return why a description does not pass, in words that follow it; empty when it passes."""
    reasons: list[str] = []
    rest = _any_of(rules.match, rules.allow).sub(" ", description) if rules.allow else description
    if _any_of(rules.match, rules.exclude).search(rest):
        reasons.append(_excluded(rules, rest))
    if rules.require and not _any_of(rules.match, rules.require).search(description):
        reasons.append(_lacking(rules.require))
    return " and ".join(reasons)


def load(name: str) -> Rules:
    """Return rules by name, one of `SHIPPED`, or from a TOML file of the same keys.

    Raises
    ------
    UsageError
        There is no such file, or it is none of rules.
    """
    path = _FOLDER / f"{name}.toml" if name in SHIPPED else Path(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"no rules {name}: {error.strerror}", f"name a file, or {', '.join(SHIPPED)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the rules {name} cannot be read: {error}", _pattern()) from error
    if table.keys() != {"pet", "ct"}:
        raise UsageError(f"the rules {name} have no two tables [pet] and [ct], and nothing else", _pattern())
    pet, ct = (_read(table[half], f"[{half}] of the rules {name}") for half in ("pet", "ct"))
    return Rules(pet, ct, path.stem)


def _read(table: object, where: str) -> SeriesRules:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is no table", _pattern())
    for complaint in _complaints(table):
        raise UsageError(f"{where} {complaint}", _pattern())
    return SeriesRules(
        table["modality"],
        Match(table.get("match", Match.ANYWHERE)),
        **{key: tuple(table.get(key, ())) for key in _LISTS},
        least_images=table.get("least_images", 0),
    )


def _complaints(table: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"has an unknown key {key}" for key in table if key not in _KEYS)
    wrong = [key for key, kind in _KEYS.items() if not isinstance(table.get(key, kind()), kind)]
    yield from (f"needs a {_CALLED[_KEYS[key]]} as {key}" for key in wrong)
    if wrong:
        return
    if not table.get("modality"):
        yield "has no modality"
    if table.get("match", Match.ANYWHERE) not in list(Match):
        yield f"has no match {table['match']!r}: {' or '.join(Match)}"
    terms = [term for key in _LISTS for term in table.get(key, ())]
    yield from (f"has a term that is none: {term!r}" for term in terms if not isinstance(term, str) or not term.strip())


def _pattern() -> str:
    return f"take {_FOLDER / 'default.toml'} as a pattern"


def _lacking(terms: Sequence[str]) -> str:
    shown = ", ".join(map(repr, terms[:_SHOWN_TERMS])) + (", …" if len(terms) > _SHOWN_TERMS else "")
    return f"has {'none of' if len(terms) > 1 else 'no'} {shown}"


def _excluded(rules: SeriesRules, description: str) -> str:
    """Say which term of the table comes first, and in which word it was found if that is longer."""
    found = ((term, re.search(_pattern_of(rules.match, term), description, re.IGNORECASE)) for term in rules.exclude)
    term, place = next((term, place) for term, place in found if place)
    before, after = _LETTERS_BEFORE.search(description[: place.start()]), _LETTERS.match(description[place.end() :])
    word = f"{before[0] if before else ''}{place[0]}{after[0] if after else ''}"
    return f"is excluded by {term!r}" + (f" in {word!r}" if word.lower() != term.lower() else "")


@lru_cache
def _any_of(match: Match, terms: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds any of some terms; none of no terms."""
    return re.compile("|".join(_pattern_of(match, term) for term in terms) or r"(?!)", re.IGNORECASE)


def _pattern_of(match: Match, term: str) -> str:
    if match is Match.ANYWHERE:
        return re.escape(term)
    return r"[\W_]*".join(_whole(word) for word in _WORD.findall(term))


def _whole(word: str) -> str:
    """Return a pattern for a whole word, of digits or of letters and *."""
    if word.isdigit():
        return rf"(?<!\d){word}(?!\d)"
    return rf"(?<!{_LETTER}){word.replace('*', f'{_LETTER}*')}(?!{_LETTER})"
