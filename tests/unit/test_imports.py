"""The floors of the house: a package imports from lower floors only, and no module lies beside the packages."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import tcia_xnat

ROOT = Path(tcia_xnat.__file__).parent

FLOORS = (
    ("core", "console"),  # values, errors, retry, cancellation; what a terminal shows
    ("manifest", "staging", "web"),  # lists of series; spool and zip stream; what all HTTP clients share
    ("xnat", "thumbnails", "progress"),
    ("planning",),  # pure: catalog, identity, completeness, plan
    ("sources",),  # idc, nbia, local: client and Source of each
    ("destinations", "request"),
    ("transfer",),
    ("report",),
    ("jobs", "plan_view", "cli"),
    ("verify", "preflight", "query", "pairs", "container_command"),
)
"""Packages, the lowest floor first."""
FLOOR_OF = {package: number for number, floor in enumerate(FLOORS) for package in floor}


def modules() -> dict[str, Path]:
    """Return every module by its dotted name below `tcia_xnat`."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that a text imports, also inside of functions."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "tcia_xnat" and rest:
                yield rest if rest in known else rest.rpartition(".")[0]


def arrows() -> dict[tuple[str, str], str]:
    """Return every arrow from one package to another, and the import that is an example of it."""
    known, found = modules(), {}
    for name, path in known.items():
        for other in imports(path.read_text(encoding="utf-8"), known):
            pair = name.partition(".")[0], other.partition(".")[0]
            if all(pair) and pair[0] != pair[1]:
                found[pair] = f"tcia_xnat.{name} imports tcia_xnat.{other}"
    return found


def test_no_module_lies_beside_the_packages() -> None:
    assert {path.name for path in ROOT.glob("*.py")} <= {"__init__.py", "api.py"}
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(FLOOR_OF)


def test_imports_lead_to_lower_floors() -> None:
    upward = [said for (here, there), said in arrows().items() if FLOOR_OF[there] > FLOOR_OF[here]]
    assert not upward, upward


def test_packages_of_one_floor_go_round_in_no_circle() -> None:
    level = {pair: said for pair, said in arrows().items() if FLOOR_OF[pair[0]] == FLOOR_OF[pair[1]]}
    circles = [f"{said}; {level[pair[::-1]]}" for pair, said in level.items() if pair[::-1] in level]
    assert not circles, circles
    assert not {there for _, there in level} & {here for here, _ in level}, level


def test_there_are_ten_floors_at_most() -> None:
    assert len(FLOORS) <= 10


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from tcia_xnat.core import errors", "core.errors"),
        ("def f():\n    from tcia_xnat.core.errors import Error", "core.errors"),
        ("import tcia_xnat.core.errors", "core.errors"),
        ("from tcia_xnat import web", "web"),
    ],
)
def test_every_form_of_import_is_seen(source: str, found: str) -> None:
    assert list(imports(source, modules())) == [found]
