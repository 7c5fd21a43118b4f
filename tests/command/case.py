"""The real command.json, and variants of it."""

import copy
import json
from pathlib import Path
from typing import Any

from tcia_xnat.container_command.check import check

TOP = Path(__file__).resolve().parents[2]
COMMAND_JSON = TOP / "command.json"
GONE = object()
"""In the place of a value: the key or item is taken away."""

Edit = tuple[tuple[str | int, ...], Any]
WRAPPER = ("xnat", 0)
PROJECT = (*WRAPPER, "external-inputs", 0)
DERIVED = (*WRAPPER, "derived-inputs")
PROJECT_ID, RESOURCE, FILE, FILE_NAME = ((*DERIVED, number) for number in range(4))
HANDLER = (*WRAPPER, "output-handlers", 0)
CONTEXT_INPUT, NAME_INPUT, TARGET, SOURCE, EXISTING, TRANSFERS, DRY_RUN = (("inputs", number) for number in range(7))
MANIFEST, OUT = (("mounts", number) for number in range(2))


def document() -> dict[str, Any]:
    """Return the real command.json, parsed."""
    loaded: dict[str, Any] = json.loads(COMMAND_JSON.read_bytes())
    return loaded


def at(tree: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401  any JSON
    """Return what stands at a path."""
    for step in path:
        tree = tree[step]
    return tree


def changed(*edits: Edit) -> dict[str, Any]:
    """Return the real command with other values at some paths."""
    tree = document()
    for path, value in edits:
        *way, last = path
        parent = at(tree, tuple(way))
        if value is GONE:
            del parent[last]
        elif isinstance(parent, list) and last == len(parent):
            parent.append(copy.deepcopy(value))
        else:
            parent[last] = copy.deepcopy(value)
    return tree


def found(tree: object) -> set[tuple[str, str]]:
    """Return rule and path of each finding."""
    return {(one.rule, one.path) for one in check(json.dumps(tree).encode())}


def shown(path: tuple[str | int, ...]) -> str:
    """Return a path as findings show it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def assert_found(rule: str, path: tuple[str | int, ...] | str, *edits: Edit) -> None:
    """Assert that the real command has no finding, and with these edits the one that is told."""
    where = path if isinstance(path, str) else shown(path)
    assert not found(document())
    assert (rule, where) in found(changed(*edits))
