"""CJ-2: every rule of the service is kept, and the checker sees each way to break it."""

import pytest

from tests.command.case import (
    DERIVED,
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
    assert_found,
    at,
    changed,
    document,
    found,
)

ENV = "environment-variables"


SERVICE: dict[str, tuple[tuple[str | int, ...], Edit]] = {
    "blank name": (("name",), (("name",), " ")),
    "image without tag": (("image",), (("image",), "org/name")),
    "type": (("type",), (("type",), "singularity")),
    "visibility": (("visibility",), (("visibility",), "Public")),
    "schema-version": (("schema-version",), (("schema-version",), "2")),
    "ulimit": (("ulimits",), (("ulimits",), {"nofile": "1:2:3"})),
    "mount without name": ((*OUT, "name"), ((*OUT, "name"), "")),
    "mount without path": ((*OUT, "path"), ((*OUT, "path"), "")),
    "two mounts of a name": ((*OUT, "name"), ((*OUT, "name"), "manifest")),
    "input without name": ((*TARGET, "name"), ((*TARGET, "name"), GONE)),
    "name with a blank": ((*TARGET, "name"), ((*TARGET, "name"), "target project")),
    "two inputs of a name": ((*TARGET, "name"), ((*TARGET, "name"), "source")),
    "delimiter": ((*TARGET, "multiple-delimiter"), ((*TARGET, "multiple-delimiter"), "tab")),
    "nothing to select": ((*SOURCE, "select-values"), ((*SOURCE, "select-values"), GONE)),
    "select-values of a string": ((*TARGET, "select-values"), ((*TARGET, "select-values"), ["a"])),
    "default is none of them": ((*SOURCE, "default-value"), ((*SOURCE, "default-value"), "AUTO")),
    "output without name": (("outputs", 0, "name"), (("outputs", 0, "name"), "")),
    "output with a bad name": (("outputs", 0, "name"), (("outputs", 0, "name"), "a b")),
    "output without mount": (("outputs", 0, "mount"), (("outputs", 0, "mount"), GONE)),
    "output of an unknown mount": (("outputs", 0, "mount"), (("outputs", 0, "mount"), "in")),
    "unhandled output": ((*WRAPPER, "output-handlers"), ((*WRAPPER, "output-handlers"), [])),
    "wrapper without name": ((*WRAPPER, "name"), ((*WRAPPER, "name"), "")),
    "two wrappers of a name": (("xnat", 1, "name"), (("xnat", 1), at(document(), WRAPPER))),
    "no external input": ((*WRAPPER, "external-inputs"), ((*WRAPPER, "external-inputs"), [])),
    "wrapper input without name": ((*FILE, "name"), ((*FILE, "name"), "")),
    "wrapper input with a bad name": ((*FILE, "name"), ((*FILE, "name"), "a.b")),
    "one name in both lists": ((*PROJECT_ID, "name"), ((*PROJECT_ID, "name"), "project")),
    "setup without mount": ((*FILE, "via-setup-command"), ((*FILE, "via-setup-command"), "x:1")),
    "a selection is fed": (
        (*PROJECT_ID, "provides-value-for-command-input"),
        ((*PROJECT_ID, "provides-value-for-command-input"), "source"),
    ),
    "multiple to a mount": ((*RESOURCE, "multiple"), ((*RESOURCE, "multiple"), True)),
    "multiple to nobody": ((*FILE, "multiple"), ((*FILE, "multiple"), True)),
    "output into what is multiple": (
        (*HANDLER, "as-a-child-of"),
        (DERIVED, [at(document(), PROJECT_ID) | {"multiple": True, "name": "project"}]),
    ),
    "handler without name": ((*HANDLER, "name"), ((*HANDLER, "name"), "")),
    "handler of no output": ((*HANDLER, "accepts-command-output"), ((*HANDLER, "accepts-command-output"), "x")),
    "handler of nobody's child": ((*HANDLER, "as-a-child-of"), ((*HANDLER, "as-a-child-of"), "x")),
    "handler before its parent": ((*HANDLER, "as-a-child-of"), ((*HANDLER, "as-a-child-of"), "report-resource")),
    "handler below an id": ((*HANDLER, "as-a-child-of"), ((*HANDLER, "as-a-child-of"), "context-project-id")),
    "handler type": ((*HANDLER, "type"), ((*HANDLER, "type"), "resource")),
    "handler without label": ((*HANDLER, "label"), ((*HANDLER, "label"), "")),
    "a secret named as XNAT's": (
        ("secrets", 0, "destination"),
        (("secrets",), [{"destination": {"type": "environment-variable", "identifier": "XNAT_PASS"}}]),
    ),
    "a secret named as a variable": (
        ("secrets", 0, "destination"),
        (("secrets",), [{"destination": {"type": "environment-variable", "identifier": "TCIA_XNAT_SOURCE"}}]),
    ),
}


@pytest.mark.parametrize(("path", "edit"), SERVICE.values(), ids=SERVICE.keys())
def test_cj_02_what_the_service_refuses(path: tuple[str | int, ...], edit: Edit) -> None:
    assert_found("CJ-2", path, edit)


@pytest.mark.parametrize("kind", ["docker-setup", "docker-wrapup"])
def test_cj_02_a_setup_command_has_nothing_of_its_own(kind: str) -> None:
    keys = ["mounts", "inputs", "outputs", "xnat", ENV]
    tree = changed((("type",), kind), (("ports",), {"80": "80"}), (("secrets",), [{}]))
    assert {("CJ-2", key) for key in [*keys, "ports", "secrets"]} <= found(tree)


def test_cj_02_a_select_many_may_start_with_a_list() -> None:
    many = [((*SOURCE, "type"), "select-many"), ((*SOURCE, "default-value"), '["auto", "idc"]')]
    assert not found(changed(*many))
    assert_found("CJ-2", (*SOURCE, "default-value"), many[0], ((*SOURCE, "default-value"), '["auto", "x"]'))
    assert_found("CJ-2", (*SOURCE, "default-value"), many[0], ((*SOURCE, "default-value"), "[auto"))
