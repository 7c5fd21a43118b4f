"""Answers of XNAT: whatever they hold, they become typed rows or one of our errors."""

import json
import time

import pytest

from tcia_xnat.core.errors import XnatBusy, XnatUnreachable
from tcia_xnat.xnat import tokens
from tcia_xnat.xnat.answers import Answer, catalog_uids, image_counts, refusal, table

DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "1", DEEP, '{"ResultSet":[]}', '{"ResultSet":{"Result":{}}}', '{"ResultSet":{}}', "<html>"],
)
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(XnatUnreachable, match="no table"):
        table(Answer(200, text))


def test_cells_are_text_whatever_was_sent() -> None:
    row = {"a": None, "b": 3, "c": [1], "d": {"x": 1}, "e": True, "f": "x\ud800", "g": 1.5, "h": float("nan")}
    text = json.dumps({"ResultSet": {"Result": [row, None, [], "x"]}})
    wanted = {"a": "", "b": "3", "c": "", "d": "", "e": "true", "f": "x?", "g": "1.5", "h": "nan"}
    assert table(Answer(200, text)) == [wanted]


@pytest.mark.parametrize("count", ["", "²", "-1", "1e3", "9" * 5000, "three"])
def test_a_count_that_is_none_is_not_counted(count: str) -> None:
    assert image_counts([{"label": "DICOM", "file_count": count, "scan": "1"}], "scan") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a",
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        '<?xml version="1.0" encoding="klingon"?><x/>',
    ],
)
def test_what_is_no_catalog(text: str) -> None:
    with pytest.raises(XnatUnreachable, match="no catalog"):
        catalog_uids(Answer(200, text))


ALIAS = "0a1b2c3d-0000-4000-8000-123456789abc"


@pytest.mark.parametrize(
    "issued",
    [
        DEEP,
        "[]",
        "null",
        json.dumps({"alias": ALIAS, "secret": "s", "estimatedExpirationTime": "nan"}),
        json.dumps({"alias": ALIAS, "secret": ["s"], "estimatedExpirationTime": 1}),
        json.dumps({"alias": "admin", "secret": "s", "estimatedExpirationTime": 1}),
    ],
)
def test_what_is_no_token(issued: str) -> None:
    with pytest.raises(XnatUnreachable, match="no token"):
        tokens.parse(issued)


@pytest.mark.parametrize(("status", "kind"), [(503, XnatUnreachable), (429, XnatUnreachable), (423, XnatBusy)])
def test_the_wait_that_xnat_asks_for_is_carried(status: int, kind: type[Exception]) -> None:
    error = refusal(Answer(status, "busy", retry_after=3.0))
    assert isinstance(error, kind)
    assert error.retry_after == 3.0


@pytest.mark.parametrize("start", ["<", "<h3>", "<title>", "<style", "<p><b>Message</b>"])
def test_a_hostile_error_page_takes_no_time(start: str) -> None:
    started = time.thread_time()  # seconds of CPU: others may be at work on the machine
    assert Answer(500, start * (1 << 18)).reason is not None
    assert time.thread_time() - started < 5
