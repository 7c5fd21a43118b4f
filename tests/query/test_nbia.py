"""Searches at TCIA's server: the same questions, the same answers."""

import csv
from collections.abc import Iterator

import pytest

from sandbox.faults import Fault, answer
from sandbox.sandbox import Sandbox
from tests.query.case import Done, query

ONLY_THERE = "1.2.840.99.7"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("archives")
    extra = [{"SeriesInstanceUID": ONLY_THERE, "StudyInstanceUID": "1.2.840.99"}]
    with Sandbox(folder, collections=["cmb_aml"], pixels=16, extra_series=extra, with_xnat=False) as started:
        yield started


def ask(archives: Sandbox, *arguments: object) -> Done:
    return query(*arguments, **archives.environment)


@pytest.mark.parametrize("command", ["search", "patients", "studies", "sizes", "licences"])
@pytest.mark.parametrize("options", [("-c", "CMB-AML", "-m", "ct"), ("-p", "MSB-01723", "--images-max", "200")])
def test_both_sources_give_the_same_answer(archives: Sandbox, command: str, options: tuple[str, ...]) -> None:
    answers = [ask(archives, command, *options, "--source", source, "--format", "csv") for source in ("idc", "nbia")]
    rows = [list(csv.DictReader(done.lines)) for done in answers]
    assert len(rows[0]) > 0
    assert rows[0] == rows[1]


def test_what_only_tcia_has_is_found_there(archives: Sandbox) -> None:
    assert ask(archives, "search", "--series", ONLY_THERE).lines == []
    assert ask(archives, "search", "--series", ONLY_THERE, "--source", "nbia").lines == [ONLY_THERE]
    assert (
        "NBIA-ONLY-0001" in ask(archives, "search", "--study", "1.2.840.99", "--source", "nbia", "--format", "csv").out
    )


def test_names_of_collections(archives: Sandbox) -> None:
    assert "CMB-AML" in ask(archives, "collections", "--source", "nbia").out
    done = ask(archives, "search", "-c", "CMB-AMI", "--source", "nbia")
    assert (done.code, "did you mean cmb_aml" in done.err) == (2, True)
    assert len(ask(archives, "search", "-c", "cmb_*", "--source", "nbia").lines) == 106


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-p", "MSB-01723,LIDC-9"), "there is no patient LIDC-9"),
        (("--series", f"{ONLY_THERE},1.2.3"), "there is no series 1.2.3"),
        (("--study", "1.2.3"), "there is no study 1.2.3"),
    ],
)
def test_what_tcia_does_not_list_is_named(archives: Sandbox, options: tuple[str, ...], words: str) -> None:
    done = ask(archives, "search", *options, "--source", "nbia")
    assert (done.code, done.out, words in done.err) == (2, "", True), done.err


def test_everything_is_not_asked_for(archives: Sandbox) -> None:
    archives.nbia.forget()
    done = ask(archives, "search", "-m", "CT", "-p", "MSB*", "--source", "nbia")
    assert (done.code, "too much" in done.err) == (2, True)
    assert not any("getSeries" in asked.path_with_query for asked in archives.nbia.requests)


def test_a_server_that_is_not_there(archives: Sandbox) -> None:
    archives.nbia_faults.add(Fault("getSeries", answer(503, "", {"retry-after": "0"}), times=None))
    try:
        done = ask(archives, "search", "-c", "cmb_aml", "--source", "nbia")
    finally:
        archives.nbia_faults.lift()
    assert (done.code, "503" in done.err) == (4, True)
