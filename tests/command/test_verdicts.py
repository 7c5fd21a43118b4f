"""CJ-2: variants whose verdict by the service's own code is known (xnat-container-command.md §6), and any others.

What the service refuses is a finding. So is what it takes and a launch then breaks: we are stricter.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcia_xnat.container_command.check import check
from tests.command.case import (
    DERIVED,
    DRY_RUN,
    FILE,
    GONE,
    HANDLER,
    OUT,
    PROJECT_ID,
    RESOURCE,
    SOURCE,
    TARGET,
    WRAPPER,
    Edit,
    at,
    changed,
    document,
    found,
)

VALUE, FILES = "provides-value-for-command-input", "provides-files-for-command-mount"

TAKEN_BY_THE_SERVICE: dict[str, tuple[str, list[Edit]]] = {
    "unknown key": ("CJ-1", [(("commandline",), "x")]),
    "missing version": ("CJ-14", [(("version",), GONE)]),
    "missing command-line": ("CJ-5", [(("command-line",), GONE)]),
    "duplicate replacement-key": ("CJ-7", [((*TARGET, "replacement-key"), "#SOURCE#")]),
    "variable XNAT_HOST": ("CJ-6", [(("environment-variables", "XNAT_HOST"), "x")]),
    "unknown files target": ("CJ-3", [((*RESOURCE, FILES), "nowhere")]),
    "unknown value target": ("CJ-3", [((*PROJECT_ID, VALUE), "nothing")]),
    "type text": ("CJ-4", [((*TARGET, "type"), "text")]),
    "numbers as texts": ("CJ-15", [(("limit-memory",), "2048")]),
    "boolean default-value": ("CJ-4", [((*DRY_RUN, "default-value"), False)]),
    "legacy key of handlers": (
        "CJ-13",
        [((*HANDLER, "as-a-child-of-wrapper-input"), "project"), ((*HANDLER, "as-a-child-of"), GONE)],
    ),
}
REFUSED_BY_THE_SERVICE: dict[str, tuple[str, list[Edit]]] = {
    "blank image": ("CJ-2", [(("image",), "")]),
    "type Docker": ("CJ-2", [(("type",), "Docker")]),
    "visibility Public": ("CJ-2", [(("visibility",), "Public")]),
    "input name with a blank": ("CJ-2", [((*TARGET, "name"), "a b")]),
    "select-one without values": ("CJ-2", [((*SOURCE, "select-values"), [])]),
    "select-one with a foreign default": ("CJ-2", [((*SOURCE, "default-value"), "x")]),
    "string with select-values": ("CJ-2", [((*TARGET, "select-values"), ["a"])]),
    "selection fed by a wrapper": ("CJ-2", [((*PROJECT_ID, VALUE), "source")]),
    "derived out of order": ("CJ-11", [(RESOURCE, at(document(), FILE)), (FILE, at(document(), RESOURCE))]),
    "unknown type of a wrapper's input": ("CJ-4", [((*PROJECT_ID, "type"), "text")]),
    "unhandled output": ("CJ-2", [((*WRAPPER, "output-handlers"), [])]),
    "handler without label": ("CJ-2", [((*HANDLER, "label"), GONE)]),
    "handler below a property": ("CJ-2", [((*HANDLER, "as-a-child-of"), "context-project-id")]),
    "duplicate mount": ("CJ-2", [((*OUT, "name"), "manifest")]),
    "multiple with a mount": ("CJ-2", [((*RESOURCE, "multiple"), True)]),
    "ulimit 1:2:3": ("CJ-2", [(("ulimits",), {"nofile": "1:2:3"})]),
    "secret to XNAT_PASS": (
        "CJ-2",
        [(("secrets",), [{"source": {}, "destination": {"identifier": "XNAT_PASS"}}])],
    ),
    "no external input": ("CJ-2", [((*WRAPPER, "external-inputs"), [])]),
}
EXCEPTIONS_OF_THE_SERVICE: dict[str, tuple[str, list[Edit]]] = {
    "limit-memory 2g": ("CJ-15", [(("limit-memory",), "2g")]),
    "select-many without default": ("CJ-4", [((*SOURCE, "type"), "select-many"), ((*SOURCE, "default-value"), GONE)]),
}
VERDICTS = TAKEN_BY_THE_SERVICE | REFUSED_BY_THE_SERVICE | EXCEPTIONS_OF_THE_SERVICE


@pytest.mark.parametrize(("rule", "edits"), VERDICTS.values(), ids=VERDICTS.keys())
def test_cj_02_verdicts(rule: str, edits: list[Edit]) -> None:
    assert rule in {one for one, _ in found(changed(*edits))}


def test_cj_02_the_baseline_is_valid() -> None:
    assert not found(document())


def test_cj_02_multiple_with_a_mount_is_wrong_twice() -> None:
    findings = check(json.dumps(changed(((*RESOURCE, "multiple"), True))).encode())
    assert [(one.rule, one.path.rpartition(".")[2]) for one in findings] == [("CJ-2", "multiple")] * 2


@pytest.mark.parametrize("name", TAKEN_BY_THE_SERVICE)
def test_cj_02_what_the_service_takes_breaks_none_of_its_rules(name: str) -> None:
    assert "CJ-2" not in {one for one, _ in found(changed(*TAKEN_BY_THE_SERVICE[name][1]))}


def test_cj_02_what_may_be_given_on_top() -> None:
    extra = {"visibility": "private", "ulimits": {"nofile": "1024:2048"}, "shm-size": 64, "command-metadata": {"a": []}}
    assert not found(changed(*(((key,), value) for key, value in extra.items())))
    assert not found(changed(((*DERIVED, 0, "sensitive"), False), ((*HANDLER, "tags"), ["a"])))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(tree: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401  any JSON
    """Return the path of each value of a document."""
    steps: list[Any] = (
        list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    )
    return [here for step in steps for here in ((*path, step), *places(tree[step], (*path, step)))]


@settings(max_examples=300)
@given(st.sampled_from(places(document())), anything)
def test_cj_02_any_value_anywhere_is_no_exception(path: tuple[str | int, ...], value: object) -> None:
    for one in check(json.dumps(changed((path, value))).encode()):
        assert one.rule.startswith("CJ-")
        assert len(str(one).splitlines()) == 1
        str(one).encode()


@given(st.binary(max_size=100) | anything.map(lambda one: json.dumps(one).encode()))
def test_cj_02_any_bytes_are_no_exception(content: bytes) -> None:
    assert check(content)
