"""IDC's buckets through s5cmd with a manifest, as IDC's own downloads run it (tcia-nbia-and-idc.md §1.5, §7.3)."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox.index import Row
from sandbox.sandbox import Sandbox

S5CMD = Path(sys.executable).with_name("s5cmd")


@pytest.fixture
def series(archives: Sandbox) -> Sequence[Row]:
    query = "SELECT * FROM nbia WHERE instanceCount BETWEEN 8 AND 40 ORDER BY SeriesInstanceUID LIMIT 2"
    return archives.index.nbia(query)


@pytest.fixture
def manifest(series: Sequence[Row], tmp_path: Path) -> Path:
    """Return a manifest as IDC's portal makes it: comments first, a folder per series."""
    lines = ["# To download the files in this manifest, run it with s5cmd"]
    lines += [f"cp {row['series_aws_url']} {tmp_path / row['SeriesInstanceUID']}/" for row in series]
    made = tmp_path / "manifest.s5cmd"
    made.write_text("".join(f"{line}\n" for line in lines))
    return made


def run(archives: Sandbox, manifest: Path) -> subprocess.CompletedProcess[str]:
    url = archives.environment["TCIA_XNAT_IDC_URL"]
    options = ["--no-sign-request", "--retry-count", "0", "--endpoint-url", url]
    return subprocess.run(
        [S5CMD, *options, "run", manifest], capture_output=True, text=True, check=False, env={}, timeout=60
    )


def test_a_manifest_brings_every_image(
    archives: Sandbox, manifest: Path, series: Sequence[Row], tmp_path: Path
) -> None:
    done = run(archives, manifest)
    assert (done.returncode, done.stderr) == (0, "")
    for row in series:
        files = sorted((tmp_path / row["SeriesInstanceUID"]).iterdir())
        found = {hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() for file in files}
        assert len(files) == row["instanceCount"]
        assert found == {archives.images.md5(row, number) for number in range(1, row["instanceCount"] + 1)}


def test_what_is_there_is_not_fetched_again(archives: Sandbox, manifest: Path) -> None:
    assert run(archives, manifest).returncode == 0
    manifest.write_text(manifest.read_text().replace("cp ", "sync "))
    done = run(archives, manifest)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_that_is_gone_is_an_error(archives: Sandbox, manifest: Path, series: Sequence[Row]) -> None:
    gone = "00000000-0000-4000-8000-000000000000"
    manifest.write_text(manifest.read_text().replace(series[0]["crdc_series_uuid"], gone))
    done = run(archives, manifest)
    assert done.returncode == 1
    assert "no object found" in done.stderr
