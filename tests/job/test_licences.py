"""Licences and citations follow the data into the project."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tcia_xnat.sources.idc.client import IDCClient
from tests.job.case import ONE_SERIES, Done, ask, download, images, manifest, resource, run

FREE = next(line for line in ONE_SERIES.read_text().splitlines() if line[:1].isdigit())
BOUND = "1.2.840.99.8"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    extra = {
        "SeriesInstanceUID": BOUND,
        "StudyInstanceUID": "1.2.840.99",
        "license_short_name": "CC BY-NC 4.0",
        "source_DOI": "10.7937/only.nbia",
    }
    folder = tmp_path_factory.mktemp("mixed")
    with Sandbox(folder, collections=["cmb_aml"], pixels=16, extra_series=[extra]) as started:
        yield started


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return manifest(tmp_path / "mixed.tcia", [FREE, BOUND])


def warned(done: Done) -> bool:
    return (
        re.search(r"^warning: 1 series may not be used commercially \(CC BY-NC 4.0\)", done.err, re.MULTILINE)
        is not None
    )


def test_they_are_in_the_report_and_in_the_project(mixed: Sandbox, listed: Path, tmp_path: Path) -> None:
    done = download(mixed, listed, tmp_path / "out", "LICENCES")
    assert done.code == 0, done.err
    with (done.report_dir / "licences.csv").open(newline="") as file:
        rows = {row["SeriesInstanceUID"]: row for row in csv.DictReader(file)}
    version = IDCClient(index=mixed.environment["TCIA_XNAT_IDC_INDEX"]).get_idc_version()
    assert (rows[FREE]["licence"], rows[FREE]["source"], rows[FREE]["idc_version"]) == ("CC BY 4.0", "idc", version)
    assert (rows[FREE]["source_DOI"], rows[FREE]["non_commercial"]) == ("10.7937/pcte-6m66", "no")
    assert (rows[BOUND]["licence"], rows[BOUND]["source"], rows[BOUND]["idc_version"]) == ("CC BY-NC 4.0", "nbia", "")
    assert (rows[BOUND]["source_DOI"], rows[BOUND]["non_commercial"]) == ("10.7937/only.nbia", "yes")
    kept = {row["Name"]: row["URI"] for row in ask(mixed, "/data/projects/LICENCES/resources/TCIA_INGEST/files")}
    for name, word in (("LICENSES.md", "Not for commercial use: CC BY-NC 4.0"), ("CITATION.bib", "10.7937/pcte-6m66")):
        text = resource(mixed, "LICENCES", "TCIA_INGEST", kept[name].split("/files/")[1]).decode()
        assert word in text
        assert text == (done.report_dir / name).read_text()


def test_a_warning_comes_before_what_may_not_be_used(mixed: Sandbox, listed: Path, tmp_path: Path) -> None:
    mixed.nbia.forget()
    assert warned(run(mixed, tmp_path / "out", listed, "--dry-run", XNAT_HOST=""))
    done = download(mixed, listed, tmp_path / "out", "WARNED", "--quiet")
    assert warned(done)
    again = download(mixed, listed, tmp_path / "out", "WARNED")
    assert (again.code, warned(again)) == (0, False)  # nothing is fetched


@pytest.mark.parametrize("wanted", ["commercial", "CC BY", "CC BY 4.0, CC BY 3.0"])
def test_a_filter_leaves_them_out_by_name(mixed: Sandbox, listed: Path, tmp_path: Path, wanted: str) -> None:
    project = re.sub(r"\W+", "_", wanted)
    mixed.nbia.forget()
    plan = run(mixed, tmp_path / "out", listed, "--dry-run", "--licence-filter", wanted, XNAT_HOST="")
    assert (plan.code, warned(plan)) == (0, False)
    for words in (
        "To send: 1 series",
        "Left out because of their licence: 1 series",
        BOUND,
        "its licence is CC BY-NC 4.0",
    ):
        assert words in plan.out
    done = download(mixed, listed, tmp_path / "out", project, TCIA_XNAT_LICENCE_FILTER=wanted)
    assert done.code == 0, done.err
    assert done.states() == {FREE: "archived", BOUND: "filtered"}
    assert "1 series is in the archive: 1 new, 0 were there. 1 series was left out" in done.out
    assert {image.series_instance_uid for image in images(mixed, project)} == {FREE}
    assert not (done.report_dir / "failed.tcia").exists()
    assert BOUND not in (done.report_dir / "licences.csv").read_text()
    assert not any("getImage" in asked.path_with_query for asked in mixed.nbia.requests)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("CC-BX", "there is no licence 'CC-BX'"),
        ("CC BY-NC-ND", "leaves out all 2 series"),
    ],
)
def test_a_filter_that_leaves_nothing_is_an_error(
    mixed: Sandbox, listed: Path, tmp_path: Path, wanted: str, words: str
) -> None:
    done = run(mixed, tmp_path / "out", listed, "--dry-run", "--licence-filter", wanted, XNAT_HOST="")
    assert (done.code, words in done.err) == (2, True)


def test_filters_that_are_given_twice_both_count(mixed: Sandbox, listed: Path, tmp_path: Path) -> None:
    options = ("--dry-run", "--licence-filter", "CC-BY-4.0", "--licence-filter", "CC BY-NC 4.0")
    done = run(mixed, tmp_path / "out", listed, *options, XNAT_HOST="")
    assert (done.code, "To send: 2 series" in done.out) == (0, True)


def test_without_the_filter_the_rest_follows(mixed: Sandbox, listed: Path, tmp_path: Path) -> None:
    assert download(mixed, listed, tmp_path / "out", "LATER", "--licence-filter", "CC BY").code == 0
    done = download(mixed, listed, tmp_path / "out", "LATER")
    assert done.states() == {FREE: "present", BOUND: "archived"}
