"""Several manifests in one run: each is kept as it was given, each series comes once, lines passed over are named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tcia_xnat.manifest import read
from tests.job.case import ONE_PATIENT, ONE_SERIES, download, images, resource, run


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, collections=["cmb_aml"], pixels=16, max_instances=3) as started:
        yield started


def test_several_manifests_in_one_run(sandbox: Sandbox, tmp_path: Path) -> None:
    (uid,) = read(ONE_SERIES).series_instance_uids
    first, others = read(ONE_PATIENT).series_instance_uids[0], tmp_path / "mine.csv"
    others.write_text(f"Series ID,n\n{uid},1\n{first},2\n,3\n")
    done = download(sandbox, f"{ONE_SERIES},{others}", tmp_path / "out", "SEVERAL", "--limit", "2")
    assert done.code == 0
    assert "mine.csv: line 4 passed over: a row without a series\n" in done.err
    assert {image.series_instance_uid for image in images(sandbox, "SEVERAL")} == {uid, first}
    assert resource(sandbox, "SEVERAL", "MANIFEST_ORIGINAL", ONE_SERIES.name) == ONE_SERIES.read_bytes()
    assert resource(sandbox, "SEVERAL", "MANIFEST_ORIGINAL", "mine.csv") == others.read_bytes()
    modified = resource(sandbox, "SEVERAL", "MANIFEST_MODIFIED", f"{ONE_SERIES.stem}_and_1_more.tcia").decode()
    header, listed = modified.split("ListOfSeriesToDownload=\n")
    assert header in ONE_SERIES.read_text()
    assert [line.split(",")[0] for line in listed.splitlines()] == [uid, first]
    assert done.report["rejected_lines"] == [
        {"line": 4, "text": ",3", "reason": "a row without a series", "file": "mine.csv"}
    ]


def test_what_failed_can_be_asked_for_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """failed.tcia is a manifest, also when it holds folders and studies that nobody knows."""
    uuid, (uid,) = "0a1b2c3d-0000-4000-8000-123456789abc", read(ONE_SERIES).series_instance_uids
    (tmp_path / "m.s5cmd").write_text(f"cp s3://idc-open-data/{uuid}/* .\n{uid}\n")
    row = sandbox.index.nbia_series(uid)
    assert row is not None
    (tmp_path / "m.csv").write_text(f"StudyInstanceUID\n1.2.3\n{row['StudyInstanceUID']}\n")
    done = download(sandbox, f"{tmp_path / 'm.s5cmd'},{tmp_path / 'm.csv'}", tmp_path / "out", "AGAIN")
    assert done.code == 3
    failed = tmp_path / "out" / "report" / "failed.tcia"
    assert [line for line in failed.read_text().splitlines() if not line.startswith("#")][-2:] == [uuid, "1.2.3"]
    again = run(sandbox, tmp_path / "out", failed, "--dry-run")
    assert again.code == 3
    assert "Not available: 2 series" in again.out
