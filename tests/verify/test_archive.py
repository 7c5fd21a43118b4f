"""What --verify finds in XNAT, and that it changes nothing there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, ask, download, expected, images, manifest, quick, run, several
from tests.verify.case import verify

ADMIN = ("admin", "admin")
PROJECT = "VERIFIED"


@pytest.fixture(scope="module")
def listed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest whose series are in the archive of PROJECT."""
    folder = tmp_path_factory.mktemp("archived")
    path = several(sandbox, folder / "m.tcia")
    assert download(sandbox, path, folder / "out", PROJECT).code == 0
    return path


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.xnat_faults.lift()


def scan_of(sandbox: Sandbox, project: str, uid: str) -> str:
    """Return where XNAT has a series."""
    for session in ask(sandbox, f"/data/projects/{project}/experiments", columns="ID"):
        for scan in ask(sandbox, f"/data/experiments/{session['ID']}/scans", columns="ID,UID"):
            if scan["UID"] == uid:
                return f"/data/experiments/{session['ID']}/scans/{scan['ID']}"
    raise AssertionError(uid)


def large(sandbox: Sandbox, path: Path) -> str:
    return next(uid for uid, count in expected(sandbox, path).images.items() if count == 15)


def test_what_is_there_is_right_and_nothing_is_changed(sandbox: Sandbox, tmp_path: Path, listed: Path) -> None:
    before = images(sandbox, PROJECT)
    asked = len(sandbox.xnat.requests)
    found = verify(sandbox, listed, tmp_path / "out", PROJECT)
    assert (found.code, set(found.signs().values())) == (0, {"="})
    assert {row["SeriesInstanceUID"]: row["found"] for row in found.rows} == expected(sandbox, listed).images
    assert images(sandbox, PROJECT) == before
    paths = [(one.method, one.path_with_query) for one in sandbox.xnat.requests[asked:]]
    changing = [path for method, path in paths if method != "GET" and "JSESSION" not in path]
    assert all("/resources/TCIA_INGEST" in path for path in changing), paths
    assert {path.rsplit("/", 1)[-1].partition("?")[0] for path in changing if "verify-" in path} == {
        "verify.json",
        "verify.csv",
        "verify.html",
    }
    names = {"verify.json", "verify.csv", "verify.html"}
    assert {path.name for path in (tmp_path / "out" / "report").iterdir()} == {"verify", *names}
    assert json.loads((tmp_path / "out" / "report" / "verify.json").read_text())["host"] == sandbox.xnat.url


def test_what_is_missing_and_what_is_beyond(sandbox: Sandbox, tmp_path: Path) -> None:
    uids = list(expected(sandbox, ONE_PATIENT).images)
    assert download(sandbox, manifest(tmp_path / "a.tcia", uids[:2]), tmp_path / "a", "BEYOND").code == 0
    found = verify(sandbox, manifest(tmp_path / "b.tcia", uids[1:3]), tmp_path / "out", "BEYOND")
    assert found.code == 3
    assert found.signs()[uids[1]] == "="
    assert found.signs()[uids[2]] == "-"
    assert {uid for uid, sign in found.signs().items() if sign == "+"} <= {uids[0]}
    only = verify(sandbox, manifest(tmp_path / "c.tcia", uids[1:2]), tmp_path / "out", "BEYOND", "--one-way")
    assert only.code == 0


def test_what_waits_in_the_prearchive_is_missing(sandbox: Sandbox, tmp_path: Path) -> None:
    uid = large(sandbox, ONE_PATIENT)
    path = manifest(tmp_path / "m.tcia", [uid])
    assert download(sandbox, path, tmp_path / "out", "WAITING", "--no-archive").code == 3
    found = verify(sandbox, path, tmp_path / "out", "WAITING")
    assert (found.code, found.signs()) == (3, {uid: "-"})
    assert "prearchive" in found.reasons(uid)


def test_an_image_that_xnat_has_lost_and_a_session_of_somebody_else(sandbox: Sandbox, tmp_path: Path) -> None:
    uid = large(sandbox, ONE_PATIENT)
    path = manifest(tmp_path / "m.tcia", [uid])
    assert download(sandbox, path, tmp_path / "out", "LOST").code == 0
    files = f"{scan_of(sandbox, 'LOST', uid)}/resources/DICOM/files"
    name = ask(sandbox, files)[0]["Name"]
    requests.delete(f"{sandbox.xnat.url}{files}/{name}", auth=ADMIN, timeout=10).raise_for_status()
    found = verify(sandbox, path, tmp_path / "out", "LOST")
    assert (found.code, found.signs()) == (3, {uid: "*"})
    assert "14 images, 15 expected" in found.reasons(uid)
    kept = f"{sandbox.xnat.url}{files.split('/scans/', maxsplit=1)[0]}/resources/TCIA_PROVENANCE/files/provenance.json"
    record = requests.get(kept, auth=ADMIN, timeout=10).json() | {"patient_id": "SOMEBODY"}
    query = {"inbody": "true", "overwrite": "true"}
    requests.put(kept, json=record, params=query, auth=ADMIN, timeout=10).raise_for_status()
    found = verify(sandbox, path, tmp_path / "out", "LOST")
    assert (found.code, found.signs()) == (3, {uid: "@"})
    assert "of PatientID SOMEBODY" in found.reasons(uid)
    assert "14 images, 15 expected" in found.reasons(uid)
    assert "under another patient's subject" in found.out


def test_images_that_only_nbia_can_name(tmp_path: Path) -> None:
    (uid,) = [line for line in ONE_PATIENT.read_text().splitlines() if line[:1].isdigit()][:1]
    path = manifest(tmp_path / "m.tcia", [uid])
    with Sandbox(tmp_path / "s", collections=["cmb_aml"], pixels=16, hidden_from_idc=[uid]) as sandbox:
        assert download(sandbox, path, tmp_path / "out", "NAMED").code == 0
        assert verify(sandbox, path, tmp_path / "out", "NAMED").code == 0
        (catalog,) = (sandbox.directory / "xnat" / "archive" / "NAMED").rglob("SCANS/*/DICOM/*_catalog.xml")
        text = catalog.read_text()
        first = re.findall(r' UID="(2\.25[^"]*)"', text)[0]
        catalog.write_text(text.replace(f' UID="{first}"', ' UID="1.2.3"'))
        found = verify(sandbox, path, tmp_path / "out", "NAMED")
        assert (found.code, found.signs()) == (3, {uid: "*"})
        assert f"1 image is missing, first {first}" in found.reasons(uid)


def test_a_session_that_xnat_cannot_tell_of(sandbox: Sandbox, tmp_path: Path, listed: Path) -> None:
    uid = large(sandbox, listed)
    scan = re.escape(scan_of(sandbox, PROJECT, uid))
    sandbox.xnat_faults.add(Fault(f"GET {scan}/", faults.answer(500, "<h3>broken</h3>"), times=None))
    found = verify(sandbox, listed, tmp_path / "out", PROJECT, *quick())
    assert found.code == 3
    assert {one for one, sign in found.signs().items() if sign == "!"} == {uid}
    assert set(found.signs().values()) == {"=", "!"}


@pytest.mark.parametrize("project", ["NOT_THERE", "a/b"])
def test_a_project_that_is_not_there(sandbox: Sandbox, tmp_path: Path, listed: Path, project: str) -> None:
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out", project, "--verify")
    assert (done.code, done.out) == (2, "")
    assert "project" in done.err


def test_identifiers_and_queries_in_the_place_of_a_manifest(sandbox: Sandbox, tmp_path: Path) -> None:
    uid = large(sandbox, ONE_PATIENT)
    assert download(sandbox, uid, tmp_path / "out", "WORDS").code == 0
    query = f"SELECT SeriesInstanceUID FROM index WHERE SeriesInstanceUID = '{uid}'"  # noqa: S608  own words
    done = run(sandbox, tmp_path / "out", tmp_path / "out", "WORDS", "--query", query, "--verify")
    assert done.code == 0, done.err
    assert f"=  {uid}" in done.out
    (file,) = ask(sandbox, "/data/projects/WORDS/resources/MANIFEST_ORIGINAL/files")
    assert file["Name"] == f"{uid}.tcia"
    planned = run(sandbox, tmp_path / "out", "--query", query, "--dry-run")
    assert "To send: 1 series, 15 images" in planned.out
    unknown = run(sandbox, tmp_path / "new", "MSB-0783", tmp_path / "new")
    assert (unknown.code, unknown.out) == (2, "")
    assert "MSB-07839" in unknown.err
    assert not (tmp_path / "new").exists()
