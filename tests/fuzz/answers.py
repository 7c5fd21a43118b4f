"""Mutators of JSON and XML answers: values of other types, numbers, texts, depth, and bytes that were hit at random."""

import json
import random
from typing import Any

STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e15,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    "",
    " ",
    "abc",
    "../../x",
    "\ud800",
    "\x00\x1b[31m",
    "1." * 40,
    "x" * 5000,
    [],
    {},
    [[1]],
    {"a": {"b": 1}},
)


def mutated_json(value: Any, dice: random.Random) -> bytes:  # noqa: ANN401  JSON
    """Return JSON with a few values replaced, then maybe broken as bytes."""
    for _ in range(dice.randint(1, 4)):
        value = _replaced(value, dice)
    body = json.dumps(value).encode()
    if dice.random() < 0.05:
        depth = dice.randint(10, 100_000)
        body = b"[" * depth + body + b"]" * dice.choice([0, depth])
    return mutated_bytes(body, dice) if dice.random() < 0.4 else body


def mutated_xml(text: str, dice: random.Random) -> bytes:
    """Return XML with a piece repeated, left out or nested, a document type maybe, then maybe broken as bytes."""
    first, last = sorted(dice.randrange(len(text)) for _ in range(2))
    piece = text[first:last]
    changed = dice.choice([text[:first] + text[last:], text[:last] + piece * dice.randint(1, 50) + text[last:], text])
    if dice.random() < 0.2:
        changed = f"<!DOCTYPE x [<!ENTITY a '{'b' * 10}'>]>{changed}&a;"
    if dice.random() < 0.1:
        changed = "<a>" * dice.randint(1, 20_000) + changed
    body = changed.encode()
    return mutated_bytes(body, dice) if dice.random() < 0.5 else body


def mutated_bytes(body: bytes, dice: random.Random) -> bytes:
    """Return bytes of which some were changed, cut off or put in."""
    changed = bytearray(body)
    for _ in range(dice.randint(1, 8)):
        place = dice.randrange(len(changed) + 1)
        kind = dice.randrange(3)
        if kind == 0 and place < len(changed):
            changed[place] = dice.randrange(256)
        elif kind == 1:
            changed[place:place] = dice.randbytes(dice.randint(1, 4))
        else:
            del changed[place : place + dice.randint(1, 20)]
    return bytes(changed)


def _replaced(value: Any, dice: random.Random) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        if dice.random() < 0.15:
            return {name: inner for name, inner in value.items() if name != key}
        return value | {key: _replaced(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        return [*value[:place], _replaced(value[place], dice), *value[place + 1 :]]
    return dice.choice(STRANGE)
