"""A real manifest into XNAT; what came of it is read from XNAT's disk."""

import json
import re
from pathlib import Path

import duckdb
import pytest

from sandbox.sandbox import Sandbox
from tcia_xnat.sources.idc.client import index_path
from tests.job.case import (
    ONE_PATIENT,
    ONE_SERIES,
    WHOLE,
    ask,
    assert_holds,
    download,
    expected,
    images,
    manifest,
    projects,
    resource,
    run,
    subjects,
)


def test_the_whole_collection(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, WHOLE, tmp_path / "out", "WHOLE")
    assert done.code == 0, done.err
    wanted = expected(sandbox, WHOLE)
    assert (len(wanted.images), sum(wanted.images.values())) == (52, 2868)
    assert_holds(sandbox, "WHOLE", wanted)
    of = subjects(sandbox, "WHOLE")
    assert (len(of), len(set(of.values()))) == (16, 9)
    assert "All 52 series are in the archive: 52 new" in done.out
    assert done.report["exit_code"] == 0
    assert len(done.rows) == 52
    assert set(done.states().values()) == {"archived"}


def test_both_sources_give_the_same_archive(tmp_path: Path) -> None:
    found = {}
    for source in ("idc", "nbia"):
        with Sandbox(tmp_path / source, collections=["cmb_aml"], pixels=16) as sandbox:
            done = download(sandbox, WHOLE, tmp_path / f"out-{source}", "SAME", "--source", source)
            assert done.code == 0, done.err
            asked = {"idc": sandbox.s3.bytes_sent, "nbia": sandbox.nbia.bytes_sent}
            assert asked.pop(source) > 0
            assert not any(asked.values())
            assert {row["source"] for row in done.rows} == {source}
            assert_holds(sandbox, "SAME", expected(sandbox, WHOLE))
            folder = sandbox.directory / "xnat" / "archive" / "SAME"
            found[source] = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.dcm")}
    assert found["idc"] == found["nbia"]


def test_the_same_command_again_transfers_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "AGAIN").code == 0
    before = images(sandbox, "AGAIN")
    sandbox.s3.forget()
    sandbox.nbia.forget()
    imports = _imports(sandbox)
    for folder in ("out", "elsewhere"):  # with the ledger and without
        done = download(sandbox, ONE_PATIENT, tmp_path / folder, "AGAIN")
        assert (done.code, set(done.states().values())) == (0, {"present"})
        assert "0 new, 8 were there" in done.out
    assert not sandbox.s3.requests
    assert not sandbox.nbia.requests
    assert _imports(sandbox) == imports
    assert images(sandbox, "AGAIN") == before


def _imports(sandbox: Sandbox) -> list[str]:
    asked = [asked.path_with_query for asked in sandbox.xnat.requests]
    return [path for path in asked if path.startswith(("/data/services/import", "/data/services/archive"))]


def test_a_part_first_and_the_rest_later(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "PARTS", "--limit", "3").code == 0
    first = images(sandbox, "PARTS")
    assert 0 < len(first) < sum(expected(sandbox, ONE_PATIENT).images.values())
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "PARTS")
    assert done.code == 0, done.err
    assert_holds(sandbox, "PARTS", expected(sandbox, ONE_PATIENT))


def test_the_manifests_are_kept_in_the_project(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "KEPT").code == 0
    assert resource(sandbox, "KEPT", "MANIFEST_ORIGINAL", ONE_PATIENT.name) == ONE_PATIENT.read_bytes()
    modified = resource(sandbox, "KEPT", "MANIFEST_MODIFIED", ONE_PATIENT.name).decode()
    header = ONE_PATIENT.read_text().split("ListOfSeriesToDownload=\n")[0]
    assert modified.startswith(header)
    listed = dict(re.findall(r"^([\d.]+),(\S+)$", modified, re.MULTILINE))
    wanted = expected(sandbox, ONE_PATIENT)
    assert listed == {uid: session for uid, (_, session) in wanted.sessions.items()}
    again = tmp_path / "modified.tcia"  # what we write is a manifest, too
    again.write_text(modified)
    assert "8 were there" in download(sandbox, again, tmp_path / "out", "KEPT").out


def test_a_csv_of_studies_and_series(sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = expected(sandbox, ONE_SERIES)
    (uid,) = wanted.images
    listed = tmp_path / "series.csv"
    listed.write_text(f"study_instance_uid,series_instance_uid\n1.2.3,{uid}\n")
    done = download(sandbox, listed, tmp_path / "out", "CSV")
    assert done.code == 0, done.err
    assert_holds(sandbox, "CSV", wanted)


def test_a_series_that_nobody_knows_stops_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    unknown = "1.2.840.99.1"
    listed = manifest(tmp_path / "m.tcia", [unknown, *expected(sandbox, ONE_SERIES).images])
    done = download(sandbox, listed, tmp_path / "out", "UNKNOWN")
    assert done.code == 3
    assert unknown in done.out
    assert done.states()[unknown] == "unavailable"
    assert_holds(sandbox, "UNKNOWN", expected(sandbox, ONE_SERIES))
    assert unknown in (done.report_dir / "failed.tcia").read_text()


def test_what_idc_lacks_comes_from_nbia(tmp_path: Path) -> None:
    (hidden,) = [line for line in ONE_SERIES.read_text().splitlines() if line[:1].isdigit()]
    with Sandbox(tmp_path / "s", collections=["cmb_aml"], pixels=16, hidden_from_idc=[hidden]) as sandbox:
        done = download(sandbox, ONE_SERIES, tmp_path / "out", "REST")
        assert done.code == 0, done.err
        assert [row["source"] for row in done.rows] == ["nbia"]
        assert len(images(sandbox, "REST")) == 3


@pytest.mark.parametrize("options", [(), ("--source", "nbia")])
def test_a_dry_run_changes_nothing(sandbox: Sandbox, tmp_path: Path, options: tuple[str, ...]) -> None:
    before, sent = projects(sandbox), sandbox.s3.bytes_sent
    done = download(sandbox, WHOLE, tmp_path / "out", "DRY", "--dry-run", *options)
    assert done.code == 0, done.err
    assert "To send: 52 series, 2,868 images" in done.out
    for words in ("CC BY 4.0", "MSB-01723_04", "16 sessions"):
        assert words in done.out
    assert (projects(sandbox), sandbox.s3.bytes_sent) == (before, sent)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_needs_no_xnat_and_no_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    asked = len(sandbox.xnat.requests)
    done = run(sandbox, tmp_path / "out", WHOLE, "--dry-run", XNAT_HOST="")
    assert done.code == 0, done.err
    assert "no XNAT was asked" in done.out
    assert len(sandbox.xnat.requests) == asked


def test_no_archive_leaves_the_session_in_the_prearchive(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "LATER", "--no-archive")
    assert (done.code, set(done.states().values())) == (3, {"held"})
    assert not images(sandbox, "LATER")
    assert not ask(sandbox, "/data/projects/LATER/subjects")
    sandbox.s3.forget()
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "LATER")
    assert done.code == 0, done.err
    assert not sandbox.s3.requests  # it was there: only archived now
    assert_holds(sandbox, "LATER", expected(sandbox, ONE_SERIES))


def test_without_arguments_the_manifests_at_hand_are_listed(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest(tmp_path / "mine.tcia", expected(sandbox, ONE_SERIES).images)
    done = run(sandbox, tmp_path / "out")
    assert done.code == 0
    for count, name in ((52, WHOLE.name), (8, ONE_PATIENT.name), (1, ONE_SERIES.name), (1, "mine.tcia")):
        assert re.search(rf"^ *{count} series  .*{name}$", done.out, re.MULTILINE)


def test_a_large_collection_is_planned_from_the_embedded_index_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    with duckdb.connect() as database:
        query = "SELECT SeriesInstanceUID FROM read_parquet(?) WHERE collection_id = 'breast_cancer_screening_dbt'"
        uids = [uid for (uid,) in database.execute(query, [str(index_path())]).fetchall()]
    listed = manifest(tmp_path / "dbt.tcia", uids)
    nowhere = {"TCIA_XNAT_NBIA_URL": "http://127.0.0.1:9/x", "TCIA_XNAT_IDC_URL": "http://127.0.0.1:9"}
    done = run(sandbox, tmp_path / "out", listed, "--dry-run", XNAT_HOST="", TCIA_XNAT_IDC_INDEX="", **nowhere)
    assert done.code == 0, done.err
    assert "To send: 22,032 series" in done.out


def test_the_report_of_each_run_is_kept_in_the_project(sandbox: Sandbox, tmp_path: Path) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "REPORT")
    rows = ask(sandbox, "/data/projects/REPORT/resources/TCIA_INGEST/files")
    names = {"report.json", "report.csv", "licences.csv", "LICENSES.md", "CITATION.bib", "report.html"}
    assert {row["Name"] for row in rows} == names
    name = next(row["URI"].split("/files/")[1] for row in rows if row["Name"] == "report.json")
    assert re.fullmatch(r"run-\d{8}T\d{6}Z/report\.json", name)
    assert json.loads(resource(sandbox, "REPORT", "TCIA_INGEST", name)) == done.report
    assert "10.7937/pcte-6m66" in (done.report_dir / "licences.csv").read_text()
