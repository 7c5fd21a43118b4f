"""Whatever JSON and XML of others hold: one error for each reader, within its own words."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tcia_xnat.core.errors import Error, ManifestError, UsageError
from tcia_xnat.core.foreign import parse_json, parse_xml
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest.json_rows import parse_rows
from tcia_xnat.manifest.table import parse_table
from tcia_xnat.manifest.wrapper import parse_wrapper
from tcia_xnat.preflight import site
from tcia_xnat.preflight.project import import_filter
from tcia_xnat.sources.local.choice import read_excluded_folders
from tcia_xnat.xnat.answers import Answer
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.prearchive import Prearchive
from tcia_xnat.xnat.preferences import read_scripts
from tcia_xnat.xnat.project import XnatProject, find_project
from tcia_xnat.xnat.roles import ask_rights

HOSTILE = {
    "deep": "[" * 200_000,
    "deep objects": '{"a":' * 200_000,
    "a long number": "9" * 5000,
    "infinite": "1e999",
    "half a pair": '"\\ud800"',
    "null": "null",
    "list": "[[]]",
    "items": '{"items": [[]]}',
    "a list as ID": '{"items": [{"data_fields": {"ID": ["x"]}}]}',
    "a number as ID": '{"items": [{"data_fields": {"ID": 7}}]}',
    "nothing": "",
    "a document with a type": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "a document of another kind": "<a><scan/><scan ID='1'/></a>",
    "deep documents": "<a>" * 50_000,
}


class Telling:
    """An XNAT that says the same to everything."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.patience = Patience(RetryPolicy(1), lambda _seconds: None)
        self.user = "somebody"

    def ask(self, *_asked: object, **_more: object) -> Answer:
        return Answer(200, self._text)


READERS: dict[str, Callable[[XnatConnection], object]] = {
    "a project": lambda xnat: find_project(xnat, "P"),
    "a session": lambda xnat: XnatProject(xnat, "P").experiment_id("/data/x"),
    "rights": lambda xnat: ask_rights(xnat, "P"),
    "scripts": lambda xnat: read_scripts(xnat, "P"),
    "version": site.version,
    "logins": lambda xnat: site.session_cap(xnat, "somebody"),
    "a filter of the site": site.import_filter,
    "a filter of the project": lambda xnat: import_filter(xnat, "P"),
    "a session in the prearchive": lambda xnat: Prearchive(xnat, "P").scans("/prearchive/projects/P/1/S"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("said", HOSTILE)
def test_what_xnat_says_ends_in_a_value_or_an_error_of_ours(name: str, said: str) -> None:
    try:
        READERS[name](cast("XnatConnection", Telling(HOSTILE[said])))
    except Error:
        return


@pytest.mark.parametrize("said", [HOSTILE["deep"], HOSTILE["deep objects"], HOSTILE["a long number"], b"\xff"])
def test_json_that_is_none_is_a_value_error(said: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(said)


@pytest.mark.parametrize(
    "said",
    [
        "<a>",
        '<?xml version="1.0" encoding="klingon"?><a/>',
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ],
)
def test_xml_that_is_none_or_has_entities_is_a_value_error(said: str) -> None:
    with pytest.raises(ValueError, match="it is no XML"):
        parse_xml(said)
    if "ENTITY" in said:
        with pytest.raises(ValueError, match="it is no XML"):
            parse_xml(said, may_have_type=True)


def test_files_of_users_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read as JSON"):
        parse_rows(HOSTILE["deep"], "m.json")
    with pytest.raises(ManifestError, match="cannot be read as a table, line 2"):
        parse_table("SeriesInstanceUID,x\n1.2.3," + "a" * 2_000_000 + "\n", "m.csv")
    with pytest.raises(ManifestError, match="is XML"):
        parse_wrapper("<a>" + "<b>" * 50_000, "m.xml")
    config = tmp_path / "exclude.json"
    config.write_text(HOSTILE["deep"])
    with pytest.raises(UsageError, match="cannot be read as JSON"):
        read_excluded_folders(config)


def test_a_document_type_alone_makes_no_wrapper_unreadable() -> None:
    text = "<!DOCTYPE jnlp><jnlp><argument>1.2.3|C|P|</argument></jnlp>"
    with pytest.raises(ManifestError) as raised:
        parse_wrapper(text, "m.jnlp")
    assert "is XML, which holds no list" not in str(raised.value)
