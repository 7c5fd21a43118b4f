"""CJ-4 to CJ-8, CJ-14, CJ-15: values, command line, variables, sizes; and each way in which they might be broken."""

import pytest

from tcia_xnat import __version__
from tests.command.case import (
    DRY_RUN,
    EXISTING,
    FILE,
    GONE,
    HANDLER,
    MANIFEST,
    OUT,
    PROJECT,
    PROJECT_ID,
    SOURCE,
    TARGET,
    TRANSFERS,
    WRAPPER,
    assert_found,
    at,
    changed,
    document,
    found,
)

ENV = "environment-variables"


@pytest.mark.parametrize("kind", ["text", "String", "select", "Project", ""])
def test_cj_04_types_of_inputs(kind: str) -> None:
    assert_found("CJ-4", (*TARGET, "type"), ((*TARGET, "type"), kind))


@pytest.mark.parametrize("kind", ["text", "project", "select-one", ""])
def test_cj_04_types_of_the_wrappers_inputs(kind: str) -> None:
    assert_found("CJ-4", (*FILE, "type"), ((*FILE, "type"), kind))


@pytest.mark.parametrize("mark", [";", "&&", "||", "`", "("])
def test_cj_04_values_that_no_launch_takes(mark: str) -> None:
    value = f"a{mark}b"
    assert_found("CJ-4", (*TARGET, "default-value"), ((*TARGET, "default-value"), value))
    assert_found("CJ-4", (*DRY_RUN, "true-value"), ((*DRY_RUN, "true-value"), value))
    assert_found("CJ-4", (*PROJECT_ID, "default-value"), ((*PROJECT_ID, "default-value"), value))
    assert_found("CJ-4", (*SOURCE, "select-values"), ((*SOURCE, "select-values", 3), value))


def test_cj_04_defaults_are_texts_of_their_type() -> None:
    for wrong in (False, 4, None, ["4"]):
        assert_found("CJ-4", (*TRANSFERS, "default-value"), ((*TRANSFERS, "default-value"), wrong))
    assert_found("CJ-4", (*TRANSFERS, "default-value"), ((*TRANSFERS, "default-value"), "four"))
    assert_found("CJ-4", (*DRY_RUN, "default-value"), ((*DRY_RUN, "default-value"), "no"))
    assert_found("CJ-4", (*TARGET, "true-value"), ((*TARGET, "true-value"), "x"))
    assert_found("CJ-4", (*SOURCE, "select-values[0]"), ((*SOURCE, "select-values", 0), 1))


def test_cj_04_a_select_many_needs_a_default() -> None:
    edits = [((*EXISTING, "type"), "select-many"), ((*EXISTING, "default-value"), GONE)]
    assert_found("CJ-4", (*EXISTING, "default-value"), *edits)


LINES = ["", " ", "ingest $HOME", "ingest #SOURCE#", "ingest # x", "ingest XNAT_PASS", "ingést", "a\nb"]


@pytest.mark.parametrize("line", LINES)
def test_cj_05_the_command_line_is_constant(line: str) -> None:
    assert document()["command-line"] == "ingest"
    assert_found("CJ-5", ("command-line",), (("command-line",), line))


def test_cj_05_no_shell_and_no_key_of_another_form_in_the_command_line() -> None:
    assert document()["override-entrypoint"] is False
    assert_found("CJ-5", ("override-entrypoint",), (("override-entrypoint",), True))
    assert_found("CJ-5", ("command-line",), (("command-line",), GONE))
    template = (("command-line",), "ingest [T]"), ((*TARGET, "replacement-key"), "[T]")
    assert_found("CJ-5", ("command-line",), *template)


@pytest.mark.parametrize("name", ["USER", "PASS", "HOST", "WORKFLOW_ID", "EVENT_ID", "OTHER"])
def test_cj_06_variables_of_xnat_are_left_alone(name: str) -> None:
    assert_found("CJ-6", (ENV,), ((ENV, f"XNAT_{name}"), "x"))


@pytest.mark.parametrize("name", ["lower", "1A", "A B", "", "Ä"])
def test_cj_06_names_of_variables(name: str) -> None:
    assert_found("CJ-6", (ENV,), ((ENV, name), "x"))


@pytest.mark.parametrize("value", ["#SOURCE##SOURCE#", "x #SOURCE#", "#OTHER#", "#", "#project#", "#SOURCE# "])
def test_cj_06_a_variable_has_a_literal_or_one_key(value: str) -> None:
    assert_found("CJ-6", (ENV, "OTHER"), ((ENV, "OTHER"), value))
    assert not found(changed(((ENV, "OTHER"), "literal")))
    assert not found(changed(((ENV, "OTHER"), "#SOURCE#")))
    assert_found("CJ-6", (ENV, "OTHER"), ((ENV, "OTHER"), 1))


def test_cj_06_the_variables_are_one_object_of_texts() -> None:
    assert_found("CJ-6", (ENV,), ((ENV,), []))
    assert_found("CJ-6", (ENV, "A"), ((ENV, "A"), None))


def test_cj_06_the_variables_are_those_those_of_the_tool() -> None:
    words = ["MANIFEST_NAME", "CONTEXT_PROJECT", "TARGET_PROJECT", "SOURCE", "EXISTING", "TRANSFERS", "DRY_RUN"]
    assert document()[ENV] == {f"TCIA_XNAT_{word}": f"#{word}#" for word in words}
    by_name = {one["name"]: one for one in document()["inputs"]}
    assert {one["replacement-key"]: name for name, one in by_name.items()} == {
        f"#{word}#": word.lower().replace("_", "-") for word in words
    }
    kinds = {name: (one["type"], one.get("default-value")) for name, one in by_name.items()}
    assert kinds == {
        "manifest-name": ("string", None),
        "context-project": ("string", None),
        "target-project": ("string", ""),
        "source": ("select-one", "auto"),
        "existing": ("select-one", "skip"),
        "transfers": ("number", "4"),
        "dry-run": ("boolean", "false"),
    }
    assert by_name["source"]["select-values"] == ["auto", "idc", "nbia"]
    assert by_name["existing"]["select-values"] == ["skip", "append", "error"]


def test_cj_06_it_is_said_that_no_project_is_made() -> None:
    tree = document()
    assert "never creates a project" in tree["description"]
    assert "never creates a project" in at(tree, WRAPPER)["description"]
    assert "must exist and be writable" in at(tree, TARGET)["description"]


@pytest.mark.parametrize("key", ["SOURCE", "#source#", "#SOURCE", "##", "#A B#", "[SOURCE]", "#A#B#"])
def test_cj_07_the_form_of_replacement_keys(key: str) -> None:
    edits = [((*SOURCE, "replacement-key"), key), ((ENV, "TCIA_XNAT_SOURCE"), key)]
    assert_found("CJ-7", (*SOURCE, "replacement-key"), *edits)
    assert_found("CJ-7", (*PROJECT, "replacement-key"), ((*PROJECT, "replacement-key"), key))


def test_cj_07_replacement_keys_are_unique_and_all_are_used() -> None:
    key = "replacement-key"
    assert_found("CJ-7", (*TARGET, key), ((*TARGET, key), "#SOURCE#"))
    assert_found("CJ-7", (*TARGET, key), ((*TARGET, key), GONE))
    assert_found("CJ-7", (*PROJECT, key), ((*PROJECT, key), "#SOURCE#"))
    assert_found("CJ-7", (*TARGET, key), ((ENV, "TCIA_XNAT_TARGET_PROJECT"), GONE))
    inner = ((*PROJECT, key), "SOURCE")
    assert_found("CJ-7", (*SOURCE, key), inner)


LONG = "x" * 256
LONG_PLACES: list[tuple[str | int, ...]] = [
    ("label",),
    ("image",),
    (ENV, "OTHER"),
    (*MANIFEST, "path"),
    (*SOURCE, "select-values", 3),
    (*TARGET, "command-line-flag"),
    (*FILE, "matcher"),
    (*HANDLER, "label"),
]


@pytest.mark.parametrize("path", LONG_PLACES, ids=str)
def test_cj_08_what_a_column_of_xnat_cannot_hold(path: tuple[str | int, ...]) -> None:
    assert_found("CJ-8", path, (path, LONG))
    assert ("CJ-8", ".".join(map(str, path))) not in found(changed((path, LONG[1:])))


def test_cj_08_a_long_name_of_a_variable() -> None:
    assert_found("CJ-8", (ENV, "X" * 20), ((ENV, "X" * 256), "literal"))


def test_cj_08_descriptions_and_defaults_may_be_long() -> None:
    long = [(("description",), LONG), ((*TARGET, "description"), LONG), ((*TARGET, "default-value"), LONG)]
    assert not found(changed(*long, (("command-metadata",), {"x": LONG})))


@pytest.mark.parametrize("name", ["Out", "o_t", "-out", "out-", "o.t", "x" * 64])
def test_cj_08_names_of_mounts_are_names_of_kubernetes(name: str) -> None:
    assert_found("CJ-8", (*OUT, "name"), ((*OUT, "name"), name))
    assert_found("CJ-8", ("name",), (("name",), name))


@pytest.mark.parametrize("path", ["output", "./output", "/#SOURCE#", "/input", "/input/", "/x/../input"])
def test_cj_08_paths_of_mounts_are_absolute_and_distinct(path: str) -> None:
    assert_found("CJ-8", (*OUT, "path"), ((*OUT, "path"), path))


IMAGES = [
    "xnat-tcia-download:2.0.0",
    "xnatworks/xnat-tcia-download:latest",
    "xnatworks/xnat-tcia-download:2.0.1",
    "xnatworks/xnat-tcia-download",
    "xnatworks/xnat-tcia-download@sha256:" + "a" * 64,
    "localhost:5000/x",
    "",
]


@pytest.mark.parametrize("image", IMAGES)
def test_cj_14_the_image_is_the_one_of_this_version(image: str) -> None:
    assert document()["image"] == f"xnatworks/xnat-tcia-download:{__version__}"
    assert_found("CJ-14", ("image",), (("image",), image))
    assert not found(changed((("image",), f"registry.example.org:5000/org/name:{__version__}")))


def test_cj_14_the_version_is_the_packages() -> None:
    assert document()["version"] == __version__
    assert_found("CJ-14", ("version",), (("version",), GONE))
    assert_found("CJ-14", ("version",), (("version",), "9.9.9"), (("image",), "xnatworks/xnat-tcia-download:9.9.9"))


@pytest.mark.parametrize("key", ["reserve-memory", "limit-memory"])
@pytest.mark.parametrize("size", ["2g", "2048", 255, 512.0, True, -1, GONE])
def test_cj_15_memory_is_told_in_mib(key: str, size: object) -> None:
    assert_found("CJ-15", (key,), ((key,), size))


@pytest.mark.parametrize("number", ["2", 0, -1, GONE])
def test_cj_15_processors(number: object) -> None:
    assert_found("CJ-15", ("limit-cpu",), (("limit-cpu",), number))


def test_cj_15_the_reserve_is_within_the_limit() -> None:
    assert_found("CJ-15", ("reserve-memory",), (("reserve-memory",), 4097))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto-remove", False),
        ("container-name", "x"),
        ("network", ""),
        ("ports", {}),
        ("gpus", "1"),
        ("secrets", []),
    ],
)
def test_cj_15_what_not_every_backend_can_do_is_absent(key: str, value: object) -> None:
    assert_found("CJ-15", (key,), ((key,), value))
