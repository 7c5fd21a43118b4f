"""CJ-3, CJ-9 to CJ-13: who feeds what, and where outputs go; and each way in which that might be broken."""

import re

import pytest

from tests.command.case import (
    DERIVED,
    FILE,
    FILE_NAME,
    GONE,
    HANDLER,
    MANIFEST,
    OUT,
    PROJECT,
    PROJECT_ID,
    RESOURCE,
    TARGET,
    WRAPPER,
    assert_found,
    at,
    document,
)

VALUE, FILES = "provides-value-for-command-input", "provides-files-for-command-mount"


def test_cj_03_what_is_fed_exists_and_is_fed_once() -> None:
    assert_found("CJ-3", (*PROJECT_ID, VALUE), ((*PROJECT_ID, VALUE), "project"))
    assert_found("CJ-3", (*RESOURCE, FILES), ((*RESOURCE, FILES), "in"))
    assert_found("CJ-3", (*WRAPPER, "derived-inputs"), ((*PROJECT_ID, VALUE), "manifest-name"))
    assert_found("CJ-3", (*WRAPPER, "derived-inputs"), ((*FILE, FILES), "manifest"))


@pytest.mark.parametrize("kind", ["Project", "Subject", "string", "Directory"])
def test_cj_03_a_project_and_what_is_no_folder_feed_no_mount(kind: str) -> None:
    assert_found("CJ-3", (*PROJECT, FILES), ((*PROJECT, FILES), "manifest"), ((*PROJECT, "type"), kind))


def test_cj_09_the_manifest_is_mounted_as_it_is_and_out_is_written() -> None:
    assert_found("CJ-9", (*MANIFEST, "writable"), ((*MANIFEST, "writable"), True))
    assert_found("CJ-9", (*MANIFEST, "writable"), ((*MANIFEST, "writable"), GONE))
    assert_found("CJ-9", (*OUT, "writable"), ((*OUT, "writable"), False))
    assert_found("CJ-9", (*OUT, "writable"), ((*OUT, "writable"), GONE))
    assert_found("CJ-9", (*MANIFEST, "name"), ((*RESOURCE, FILES), GONE))
    assert_found("CJ-9", (*OUT, "name"), ((*RESOURCE, FILES), "out"))
    assert_found("CJ-9", (*MANIFEST, "name"), ((*RESOURCE, FILES), GONE), ((*FILE, FILES), "manifest"))
    assert_found("CJ-9", ("mounts",), ((*OUT, "name"), "output"))
    assert_found("CJ-9", ("mounts",), ((*MANIFEST, "name"), "input"))


@pytest.mark.parametrize("path", ["", " ", ".", "./", "/report", "..", "../x", "a/../..", "#SOURCE#"])
def test_cj_09_an_output_is_a_folder_below_its_mount(path: str) -> None:
    assert_found("CJ-9", ("outputs", 0, "path"), (("outputs", 0, "path"), path))


def test_cj_09_an_output_has_no_glob_and_is_not_required() -> None:
    assert_found("CJ-9", ("outputs", 0, "glob"), (("outputs", 0, "glob"), "*.json"))
    assert_found("CJ-9", ("outputs", 0, "required"), (("outputs", 0, "required"), True))
    assert_found("CJ-9", ("outputs", 0, "mount"), (("outputs", 0, "mount"), "manifest"))


NAMES = ["a.tcia", "A.TCIA", "b c.tcia", "e+1.tcia"]
OTHER_NAMES = [
    "xtcia",
    "manifest (1).tcia",
    "it's.tcia",
    'say "hi".tcia',
    "sub/a.tcia",
    "a;b.tcia",
    "a&&b.tcia",
    "a||b.tcia",
    "a`b`.tcia",
    "foo.tcia.bak",
    "TCIA_catalog.xml",
    "ä.tcia",
    ".tcia",
    "a.tcia\n",
    "a.csv",
]


def matched(matcher: str, key: str, values: list[str]) -> list[str]:
    """Return the values that XNAT's filter keeps: `=~` matches the whole of a value, `==` is plain.

    See xnat-container-command.md §1.5.
    """
    read = re.fullmatch(r"@\.(\w+) (?:=~ /(?P<regex>.*)/(?P<flags>[i]*)|== '(?P<text>[^']*)')", matcher)
    assert read is not None
    assert read[1] == key
    if read["regex"] is None:
        return [value for value in values if value == read["text"]]
    flags = re.IGNORECASE if read["flags"] else re.NOFLAG
    return [value for value in values if re.fullmatch(read["regex"], value, flags)]


def test_cj_10_the_file_matcher_takes_manifests_that_a_launch_survives() -> None:
    matcher = at(document(), FILE)["matcher"]
    assert matched(matcher, "name", [*NAMES, *OTHER_NAMES]) == NAMES
    assert not any(mark in name for name in NAMES for mark in "'\";`(/|&")


def test_cj_10_the_evaluator_sees_a_careless_matcher() -> None:
    assert matched("@.name =~ /.*?.tcia/", "name", [*NAMES, *OTHER_NAMES]) != NAMES
    assert "xtcia" in matched("@.name =~ /.*?.tcia/", "name", OTHER_NAMES)


def test_cj_10_the_resource_matcher_takes_one_label() -> None:
    matcher = at(document(), RESOURCE)["matcher"]
    assert matched(matcher, "label", ["TCIA", "tcia", "TCIA_INGEST", "MANIFEST_ORIGINAL"]) == ["TCIA"]


@pytest.mark.parametrize("matcher", [r"@.name =~ /.*\.tcia/", "@.name == '^x^'", "", " "])
def test_cj_10_matchers_that_mean_something_else(matcher: str) -> None:
    assert_found("CJ-10", (*FILE, "matcher"), ((*FILE, "matcher"), matcher))
    assert_found("CJ-10", (*RESOURCE, "matcher"), ((*RESOURCE, "matcher"), matcher))


def test_cj_10_matchers_that_are_never_applied_or_missing() -> None:
    assert_found("CJ-10", (*TARGET, "matcher"), ((*TARGET, "matcher"), "[A-Z]+"))
    assert_found("CJ-10", (*FILE, "matcher"), ((*FILE, "matcher"), GONE))


def test_cj_11_files_are_found_by_address_and_their_name_is_derived() -> None:
    prop = "derived-from-xnat-object-property"
    assert_found("CJ-11", (*FILE, prop), ((*FILE, prop), "name"))
    assert_found("CJ-11", (*FILE, "name"), ((*FILE_NAME, prop), "uri"))
    assert_found("CJ-11", (*FILE, "name"), (FILE_NAME, GONE))


def test_cj_11_derived_inputs_follow_what_they_are_derived_from() -> None:
    origin = "derived-from-wrapper-input"
    resource, file = at(document(), RESOURCE), at(document(), FILE)
    assert_found("CJ-11", (*RESOURCE, origin), (RESOURCE, file), (FILE, resource))
    for wrong in ("manifest-file", "nothing", ""):
        assert_found("CJ-11", (*FILE, origin), ((*FILE, origin), wrong))


@pytest.mark.parametrize(
    ("path", "origin"),
    [(FILE, "project"), (FILE, "context-project-id"), (FILE_NAME, "context-project-id"), (RESOURCE, "project-file")],
)
def test_cj_11_what_is_in_what(path: tuple[str | int, ...], origin: str) -> None:
    odd = {"name": "project-file", "type": "File", "derived-from-wrapper-input": "project", "matcher": "x"}
    derived = [odd, *at(document(), DERIVED)]
    moved = (*DERIVED, int(path[-1]) + 1, "derived-from-wrapper-input")
    assert_found("CJ-11", moved, (DERIVED, derived), (moved, origin))


@pytest.mark.parametrize("kind", ["boolean", "number", "Config"])
def test_cj_11_types_that_are_never_derived(kind: str) -> None:
    assert_found("CJ-11", (*PROJECT_ID, "type"), ((*PROJECT_ID, "type"), kind))


def test_cj_12_one_wrapper_on_the_page_of_a_project() -> None:
    assert document()["name"] == "tcia-ingest"
    assert [one["name"] for one in document()["xnat"]] == ["tcia-ingest-project"]
    assert_found("CJ-12", ("xnat",), (("xnat",), []))
    for contexts in ([], ["xnat:subjectData"], ["xnat:projectData", "xnat:subjectData"]):
        assert_found("CJ-12", (*WRAPPER, "contexts"), ((*WRAPPER, "contexts"), contexts))
    for key in ("label", "description"):
        assert_found("CJ-12", (*WRAPPER, key), ((*WRAPPER, key), " "))
        assert_found("CJ-12", (*WRAPPER, key), ((*WRAPPER, key), GONE))


def test_cj_12_one_external_input_with_its_children() -> None:
    external = (*WRAPPER, "external-inputs")
    second = at(document(), PROJECT) | {"name": "second"}
    assert_found("CJ-12", external, ((*external, 1), second))
    assert_found("CJ-12", external, ((*PROJECT, "type"), "Subject"))
    assert_found("CJ-12", external, (external, []))
    assert_found("CJ-12", (*PROJECT, "load-children"), ((*PROJECT, "load-children"), False))


@pytest.mark.parametrize("label", ["TCIA", "tcia", " TCIA "])
def test_cj_13_reports_do_not_join_the_manifests(label: str) -> None:
    assert at(document(), HANDLER)["label"] == "TCIA_INGEST"
    assert_found("CJ-13", (*HANDLER, "label"), ((*HANDLER, "label"), label))


def test_cj_13_the_handler_names_its_parent_and_makes_a_resource() -> None:
    legacy = ((*HANDLER, "as-a-child-of-wrapper-input"), "project")
    assert_found("CJ-13", (*HANDLER, "as-a-child-of"), legacy)
    assert_found("CJ-13", (*HANDLER, "as-a-child-of"), legacy, ((*HANDLER, "as-a-child-of"), GONE))
    assert_found("CJ-13", (*HANDLER, "type"), ((*HANDLER, "type"), "Scan"))
