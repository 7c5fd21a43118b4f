"""CJ-1: what is not strict JSON, and keys and values that XNAT would drop or change without a word."""

import pytest

from tcia_xnat.container_command.check import check
from tests.command.case import (
    COMMAND_JSON,
    CONTEXT_INPUT,
    HANDLER,
    MANIFEST,
    PROJECT,
    RESOURCE,
    TARGET,
    WRAPPER,
    Edit,
    assert_found,
)

TEXT = COMMAND_JSON.read_bytes()


def test_the_real_command_has_no_finding() -> None:
    assert check(TEXT) == ()


EVERY_LEVEL = [(), CONTEXT_INPUT, MANIFEST, ("outputs", 0), WRAPPER, PROJECT, RESOURCE, HANDLER]


@pytest.mark.parametrize("path", EVERY_LEVEL, ids=str)
@pytest.mark.parametrize("key", ["requierd", "user_settable", "ipc-mode", "at", "given"])
def test_cj_01_an_unknown_key_at_any_level(path: tuple[str | int, ...], key: str) -> None:
    assert_found("CJ-1", (*path, key), ((*path, key), "x"))


def test_cj_01_a_key_of_another_level() -> None:
    assert_found("CJ-1", (*TARGET, "user-settable"), ((*TARGET, "user-settable"), True))
    assert_found("CJ-1", (*PROJECT, "multiple"), ((*PROJECT, "multiple"), True))
    assert_found("CJ-1", 'inputs[0]."a b\\n"', ((*CONTEXT_INPUT, "a b\n"), 1))


@pytest.mark.parametrize(
    "content",
    [
        TEXT.replace(b'"version": "2.0.0"', b'"version": "2.0.0", "version": "2.0.0"'),
        TEXT.replace(b'"mount": "out"', b'"mount": "out", "mount": "out"'),
        TEXT.replace(b'"path": "report"', b'"path": "report",'),
        TEXT.replace(b'"path": "report"', b"'path': 'report'"),
        TEXT.replace(b'"path": "report"', b'"path": "report" // where'),
        TEXT.replace(b"2.0,", b"NaN,"),
        TEXT.replace(b"2.0,", b"1e999,"),
        TEXT.replace(b"from the Imaging", b"f\xfcr Imaging"),
        b"\xef\xbb\xbf" + TEXT,
        TEXT.decode().encode("utf-16"),
        b"",
        b"null",
        b"[" + TEXT + b"]",
        b"[" * 100_000,
        b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_cj_01_what_is_not_strict_json_in_utf_8(content: bytes) -> None:
    assert content != TEXT
    findings = check(content)
    assert "CJ-1" in {one.rule for one in findings}
    assert all("\n" not in str(one) for one in findings)


KINDS: dict[str, Edit] = {
    "text": (("name",), 1),
    "null": (("label",), None),
    "list": (("inputs",), {}),
    "object": (("inputs", 0), "x"),
    "texts": ((*WRAPPER, "contexts"), "xnat:projectData"),
    "boolean": ((*MANIFEST, "writable"), "false"),
    "number for boolean": ((*CONTEXT_INPUT, "required"), 1),
}


@pytest.mark.parametrize("edit", KINDS.values(), ids=KINDS.keys())
def test_cj_01_a_value_of_another_kind(edit: Edit) -> None:
    assert_found("CJ-1", edit[0], edit)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"1", b"\xff"])
def test_cj_01_what_is_no_object_is_told_once(content: bytes) -> None:
    assert [(one.rule, one.path) for one in check(content)] == [("CJ-1", "")]
