"""tciaclient.py as people run it: what it prints, what it saves, how it ends."""

import csv
import inspect
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from sandbox.faults import Fault, answer
from sandbox.index import Row
from sandbox.sandbox import Sandbox
from tcia_xnat.cli.tcia_commands import DOWNLOADS, QUERIES
from tcia_xnat.manifest import read
from tcia_xnat.sources.nbia.client import TCIAClient

SCRIPT = Path(__file__).resolve().parents[2] / "tciaclient.py"


@pytest.fixture(scope="module")
def row(archives: Sandbox) -> Row:
    query = "SELECT * FROM nbia WHERE instanceCount BETWEEN 3 AND 12 AND Modality = 'MR' ORDER BY SeriesInstanceUID"
    return archives.index.nbia(query)[0]


def run(archives: Sandbox, folder: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | archives.environment | {"TCIA_XNAT_RETRY_WAIT": "0", "PYTHONUTF8": "1"} | changed
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=variables, cwd=folder, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def out(archives: Sandbox, folder: Path, *arguments: str) -> str:
    done = run(archives, folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_series_as_json_csv_and_table(archives: Sandbox, row: Row, tmp_path: Path) -> None:
    asked = ("get-series", "--collection", "CMB-AML", "--modality", "MR")
    query = "SELECT * FROM nbia WHERE Modality = 'MR' ORDER BY SeriesInstanceUID"
    expected = [one["SeriesInstanceUID"] for one in archives.index.nbia(query)]
    as_json = json.loads(out(archives, tmp_path, *asked, "--format", "json"))
    as_csv = list(csv.DictReader(io.StringIO(out(archives, tmp_path, *asked, "--format", "csv"))))
    as_table = out(archives, tmp_path, *asked).splitlines()
    assert [one["SeriesInstanceUID"] for one in as_json] == expected
    assert [one["SeriesInstanceUID"] for one in as_csv] == expected
    assert as_csv[0]["LicenseURI"] == as_json[0]["LicenseURI"] == "https://creativecommons.org/licenses/by/4.0/"
    assert as_table[0].split()[:2] == ["Collection", "PatientID"]
    assert [line.split()[-1] for line in as_table[2:]] == expected
    assert row["SeriesInstanceUID"] in expected


def test_values_and_metadata(archives: Sandbox, row: Row, tmp_path: Path) -> None:
    assert out(archives, tmp_path, "get-collection-values", "--format", "csv") == "Collection\nCMB-AML\n"
    uid = ("--series-instance-uid", row["SeriesInstanceUID"])
    found = json.loads(out(archives, tmp_path, "get-series-metadata", *uid, *uid, "--format", "json"))
    assert {one["PatientID"] for one in found} == {row["PatientID"]}
    new = ("get-new-studies-in-patient-collection", "--collection", "CMB-AML", "--from-date", "2020-01-01")
    assert row["StudyInstanceUID"] in out(archives, tmp_path, *new)


def test_a_series_that_is_unknown_among_others_is_named(archives: Sandbox, row: Row, tmp_path: Path) -> None:
    uids = ("--series-instance-uid", row["SeriesInstanceUID"], "--series-instance-uid", "1.2.3")
    done = run(archives, tmp_path, "get-series-metadata", *uids, "--format", "json")
    assert (done.returncode, len(json.loads(done.stdout))) == (3, 1)
    assert "NBIA does not offer 1.2.3" in done.stderr


def test_a_manifest_comes_out_as_it_is(archives: Sandbox, tmp_path: Path) -> None:
    text = out(archives, tmp_path, "get-manifest-for-collection", "--collection", "CMB-AML", "--no-include-annotation")
    (tmp_path / "all.tcia").write_text(text)
    rows = archives.index.nbia("SELECT SeriesInstanceUID FROM nbia ORDER BY 1")
    assert list(read(tmp_path / "all.tcia").series_instance_uids) == [one["SeriesInstanceUID"] for one in rows]
    assert "includeAnnotation=false\n" in text


def test_nothing_found(archives: Sandbox, tmp_path: Path) -> None:
    asked = ("get-series", "--collection", "Nobody's")
    done = run(archives, tmp_path, *asked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "NBIA has nothing of that kind.\n")
    assert out(archives, tmp_path, *asked, "--format", "json") == "[]\n"
    assert out(archives, tmp_path, *asked, "--format", "csv").startswith("Collection,PatientID,")


def test_files_are_saved_and_named(archives: Sandbox, row: Row, tmp_path: Path) -> None:
    uid = row["SeriesInstanceUID"]
    of_series, into = ("--series-instance-uid", uid), ("--download-path", "made/here")
    assert out(archives, tmp_path, "get-image", *of_series) == f"{uid}.zip\n"
    assert out(archives, tmp_path, "get-dcm-image", *of_series, *into, "--file-name", "a.zip") == "made/here/a.zip\n"
    for path in (tmp_path / f"{uid}.zip", tmp_path / "made" / "here" / "a.zip"):
        with zipfile.ZipFile(path) as archive:
            assert sum(name.endswith(".dcm") for name in archive.namelist()) == row["instanceCount"]
    sop = out(archives, tmp_path, "get-sop-instance-uids", *of_series, "--format", "csv").splitlines()[1]
    assert out(archives, tmp_path, "get-single-image", *of_series, "--sop-instance-uid", sop) == f"{sop}.dcm\n"
    assert (tmp_path / f"{sop}.dcm").read_bytes() == archives.images.image(row, 1)
    assert {path.name for path in tmp_path.iterdir()} == {f"{uid}.zip", f"{sop}.dcm", "made"}


def test_errors_are_a_line_a_hint_and_a_code(archives: Sandbox, row: Row, tmp_path: Path) -> None:
    uid = ("--series-instance-uid", row["SeriesInstanceUID"])
    (tmp_path / "file").write_text("")
    for code, arguments, says in (
        (3, ("get-image", "--series-instance-uid", "1.2"), "error: NBIA does not offer series 1.2 to the public"),
        (3, ("get-image-other", *uid), "error: NBIA sent a zip without any file for"),
        (2, ("get-image", *uid, "--download-path", "file/in"), "error: file/in/"),
        (2, ("get-series", "--nbia-url", "nowhere"), "error: nowhere is no address of NBIA's services"),
        (2, ("get-updated-series", "--from-date", "01/02/2020"), "Error: Invalid value for '--from-date'"),
        (2, ("get-series", "--collection", "A", "--collection", "B"), "Error: --collection is given 2 times"),
        (2, ("get-image",), "Error: Missing option '--series-instance-uid'"),
        (4, ("get-series", "--nbia-url", "http://127.0.0.1:9", "--retries", "1"), "error: NBIA cannot be reached"),
    ):
        done = run(archives, tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_may_pass_is_tried_again_and_told(archives: Sandbox, tmp_path: Path) -> None:
    archives.nbia_faults.add(Fault("/getCollectionValues", answer(503, "busy")))
    done = run(archives, tmp_path, "get-collection-values", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "Collection\nCMB-AML\n")
    assert done.stderr == "NBIA's getCollectionValues answered 503: busy; tried again in 0 s\n"


def test_whoever_reads_may_stop_reading(archives: Sandbox, tmp_path: Path) -> None:
    for form in ("json", "csv", "table"):
        command = [sys.executable, str(SCRIPT), "get-all-sop-class-definition", "--format", form]
        with subprocess.Popen(
            command, env=os.environ | archives.environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.close()
            assert running.stderr.read() == b""
        assert running.returncode == 141


def test_every_method_of_the_client_is_a_command() -> None:
    methods = {
        name for name, _ in inspect.getmembers(TCIAClient, inspect.isfunction) if name.startswith(("get_", "contents_"))
    }
    assert {name.replace("-", "_") for name in [*QUERIES, *DOWNLOADS]} == methods
    for name, query in QUERIES.items():
        parameters = inspect.signature(getattr(TCIAClient, name.replace("-", "_"))).parameters
        needed = {one.name for one in parameters.values() if one.default is one.empty} - {"self"}
        assert (set(query.needed), set(query.may)) == (needed, set(parameters) - needed - {"self"})


def test_help_is_quick_and_complete(archives: Sandbox, tmp_path: Path) -> None:
    began = time.monotonic()
    shown = out(archives, tmp_path, "--help")
    assert time.monotonic() - began < 2  # half a second on a machine that does nothing else
    assert all(name in shown for name in [*QUERIES, *DOWNLOADS])
    heavy = "import sys, tciaclient; print({'requests', 'pydicom', 'rich', 'pandas', 'duckdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert os.access(SCRIPT, os.X_OK)
