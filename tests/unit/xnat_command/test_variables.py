"""The XNAT command heeds every option of download.py by its variable, or refuses it by name."""

import click
import pytest

import download
from tcia_xnat.container_command import variables
from tcia_xnat.container_command.variables import OPTIONS, REFUSED, given_values, read_options, unknown
from tcia_xnat.core.errors import UsageError

HEEDED = {str(option.name) for option in OPTIONS}


def test_no_option_of_download_is_ignored() -> None:
    named = {str(option.name) for option in download.download.params if isinstance(option, click.Option)}
    assert named - {"version"} == HEEDED | set(REFUSED)
    assert not HEEDED & set(REFUSED)


def test_without_variables_the_defaults_are_those_of_download() -> None:
    of_download = download.download.make_context("download.py", []).params
    assert {name: value for name, value in read_options({}).items() if name in HEEDED} == {
        name: value for name, value in of_download.items() if name in HEEDED
    }


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("LIMIT", "1", 1),
        ("ARCHIVE", "0", False),
        ("ARCHIVE", "true", True),
        ("SESSION_LABEL", "X_{StudyDate}", "X_{StudyDate}"),
        ("TRANSFERS", "4.0", 4),
        ("TRANSFERS", "64", 64),
        ("BWLIMIT", "20M", 20e6),
        ("THUMBNAILS", "off", 0),
        ("EXISTING", "APPEND", "append"),
        ("DRY_RUN", "True", True),
        ("DRY_RUN", "no", False),
        ("SUBJECT_LABEL", "-x", "-x"),
        ("SHARD", "1/4", "1/4"),
    ],
)
def test_a_variable_is_read_as_its_option(name: str, value: str, meant: object) -> None:
    assert read_options({f"TCIA_XNAT_{name}": value})[name.lower()] == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETRIES", "abc"),
        ("TRANSFERS", "100"),
        ("TRANSFERS", "0"),
        ("TRANSFERS", "1.5"),
        ("SPOOL_DIR", "/nonexistent"),
        ("ARCHIVE", "perhaps"),
        ("SOURCE", "pacs"),
        ("BWLIMIT", "fast"),
        ("THUMBNAILS", "1"),
        ("MAX_OUTAGE", "-1"),
        *((name.upper(), "1") for name in REFUSED),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"TCIA_XNAT_{name}\\b") as refused:
        read_options({f"TCIA_XNAT_{name}": value})
    assert refused.value.hint


def test_what_the_service_left_blank_or_unresolved_is_not_set() -> None:
    made = given_values({"A": " ", "B": "#QUERY#", "C": " 4 ", "D": ""})
    assert made == {"C": "4"}


def test_an_unknown_variable_is_told() -> None:
    (told,) = unknown({"TCIA_XNAT_TRANSFER": "4", "TCIA_XNAT_MANIFEST_NAME": "m.tcia", "TCIA_XNAT_QUERY": "x"})
    assert "did you mean TCIA_XNAT_TRANSFERS?" in told
    assert list(unknown({"TCIA_XNAT_WORKDIR": "x"}))  # of another program: no use here


def test_the_carrier_of_the_options_does_nothing() -> None:
    assert variables.COMMAND.make_context("ingest", []).params["transfers"] == 4
