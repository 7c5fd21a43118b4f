"""The report of real runs: pictures, also in later runs; kept in XNAT whatever came of the run."""

import base64
import contextlib
import io
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, ONE_SERIES, ask, command, download, environment, expected, quick, resource, run
from tests.report.case import by_id, elements, parsed, text


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    for rules in (sandbox.nbia_faults, sandbox.idc_faults, sandbox.xnat_faults):
        rules.lift()


PICTURES = {"TCIA_XNAT_THUMBNAILS": "96"}


def page_in_xnat(sandbox: Sandbox, project: str) -> str:
    """Return report.html as XNAT has it."""
    rows = ask(sandbox, f"/data/projects/{project}/resources/TCIA_INGEST/files")
    (name,) = (row["URI"].split("/files/")[1] for row in rows if row["Name"] == "report.html")
    return resource(sandbox, project, "TCIA_INGEST", name).decode()


def pictures(page: str) -> list[bytes]:
    """Return the pictures of a page, in its order."""
    sources = [image.get("src", "") for image in elements(parsed(page), "img")]
    return [base64.b64decode(source.partition("base64,")[2]) for source in sources]


@pytest.mark.parametrize("source", ["idc", "nbia"])
def test_the_picture_is_that_of_the_slice_in_the_middle(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    project = f"MIDDLE_{source}"
    done = download(sandbox, ONE_SERIES, tmp_path / "out", project, "--source", source, "--thumbnails", "32")
    assert done.code == 0, done.err
    (picture,) = pictures(page_in_xnat(sandbox, project))
    files = sorted((sandbox.directory / "xnat" / "archive" / project).rglob("*.dcm"))
    slices = sorted((pydicom.dcmread(file) for file in files), key=lambda image: float(image.ImagePositionPatient[2]))
    assert len(slices) == 3
    seen = np.asarray(Image.open(io.BytesIO(picture)).convert("L")).astype(float)
    assert seen.shape == (32, 32)
    unlike = []
    for image in slices:
        low, high = np.percentile(image.pixel_array, (1, 99))  # this series has no window
        shown = np.clip((image.pixel_array - low) / (high - low), 0, 1) * 255
        wanted = np.asarray(Image.fromarray(shown.astype(np.uint8)).resize((32, 32), Image.Resampling.BICUBIC))
        unlike.append(float(np.abs(seen - wanted).mean()))
    assert unlike.index(min(unlike)) == 1
    assert min(unlike) < 12


def test_a_later_run_shows_the_pictures_of_earlier_ones(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "LATER_PAGE", "--limit", "3", **PICTURES).code == 0
    assert len(pictures((tmp_path / "out/report/report.html").read_text())) == 3
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "LATER_PAGE", **PICTURES).code == 0
    first = pictures((tmp_path / "out/report/report.html").read_text())
    assert len(first) == len(expected(sandbox, ONE_PATIENT).images) == 8
    again = download(sandbox, ONE_PATIENT, tmp_path / "out", "LATER_PAGE", **PICTURES)
    assert "0 new, 8 were there" in again.out
    assert pictures((tmp_path / "out/report/report.html").read_text()) == first


def test_no_pictures_when_none_are_wanted(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_SERIES, tmp_path / "out", "PLAIN", "--thumbnails", "off").code == 0
    assert not pictures((tmp_path / "out/report/report.html").read_text())
    assert not (tmp_path / "out/state/pictures").exists()


@pytest.mark.parametrize("given", ["8", "1000", "large", "-1", ""])
def test_thumbnails_that_make_no_sense(sandbox: Sandbox, tmp_path: Path, given: str) -> None:
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "NEVER", "--thumbnails", given)
    assert done.code == 2
    assert "off, or pixels from 32 to 512" in done.err


def test_a_run_in_which_series_fail_says_which_and_what_next(sandbox: Sandbox, tmp_path: Path) -> None:
    hit = next(iter(expected(sandbox, ONE_PATIENT).images))
    sandbox.nbia_faults.add(Fault(f"getImage.*{re.escape(hit)}", faults.answer(404), times=None))
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "SOME_FAIL", "--source", "nbia", *quick())
    assert done.code == 3
    page = page_in_xnat(sandbox, "SOME_FAIL")
    assert page == (tmp_path / "out/report/report.html").read_text()
    missing = text(by_id(parsed(page), "missing"))
    assert hit in missing
    assert str(tmp_path / "out/report/failed.tcia") in missing
    assert done.report["verdict"] == text(next(elements(parsed(page), "h1")))
    assert sum(cause["count"] for cause in done.report["causes"]) == sum(
        row["state"] != "archived" for row in done.rows
    )


def test_a_run_that_is_stopped_leaves_its_page_in_xnat(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    rule = Fault("services/import", faults.stall(), first=2, times=None)
    sandbox.xnat_faults.add(rule)
    process = subprocess.Popen(
        command(ONE_PATIENT, tmp_path / "out", "STOPPED_PAGE", "--transfers", "1"),
        env=environment(sandbox),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not rule.hits:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    (header,) = elements(parsed(page_in_xnat(sandbox, "STOPPED_PAGE")), "header")
    assert "The run ended early: stopped on request." in text(header)


def workers(parent: int) -> list[Path]:
    """Return the processes that draw for another one, as folders of /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            child = (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
            if child and b"tcia_xnat.thumbnails.worker" in (folder / "cmdline").read_bytes():
                found.append(folder)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_run(sandbox: Sandbox, tmp_path: Path, number: signal.Signals) -> None:
    rule = Fault("services/import", faults.stall(), first=2, times=None)
    sandbox.xnat_faults.add(rule)
    process = subprocess.Popen(
        command(ONE_PATIENT, tmp_path / "out", f"OUTLIVED{number}"),
        env=environment(sandbox, **PICTURES),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (rule.hits and workers(process.pid)):
        assert process.poll() is None
        time.sleep(0.02)
    drawing = workers(process.pid)
    process.send_signal(number)
    process.communicate(timeout=60)
    ends = time.monotonic() + 10
    while any(folder.exists() for folder in drawing):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_run_to_disk_has_a_page_with_pictures_too(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(sandbox, out, ONE_PATIENT, out, **PICTURES)
    assert done.code == 0, done.err
    page = (out / "report/report.html").read_text()
    tree = parsed(page)
    assert len(pictures(page)) == 8
    assert text(next(elements(tree, "h1"))) == "All 8 series are on disk: 8 new, 0 were there."
    assert f"folder {out}" in text(next(elements(tree, "header")))
    assert "XNAT" not in text(by_id(tree, "missing"))
    assert done.report["timeline"]["steps"]["import"]["count"] == 8
