"""Transfers: a study with series of two PatientIDs is a session for each, in one run, in two, and in any order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ask, download, images, manifest, subjects

STUDY = "1.3.6.1.4.1.14519.77.1"
FIRST, SECOND, OTHER = f"{STUDY}.1", f"{STUDY}.2", "1.3.6.1.4.1.14519.77.2.1"


def row(uid: str, patient: str, number: int, study: str = STUDY) -> dict[str, Any]:
    return {
        "SeriesInstanceUID": uid,
        "StudyInstanceUID": study,
        "PatientID": patient,
        "SeriesNumber": str(number),
        "instanceCount": 2,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    rows = [row(FIRST, "N200", 1), row(SECOND, "N100", 2), row(OTHER, "N200", 1, "1.3.6.1.4.1.14519.77.2")]
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, extra_series=rows, collections=["cmb_aml"], pixels=16) as sandbox:
        yield sandbox


def holds(site: Sandbox, project: str) -> dict[str, tuple[str, str]]:
    found = {image.series_instance_uid: image.session for image in images(site, project)}
    of = subjects(site, project)
    return {uid: (of[session], session) for uid, session in found.items()}


@pytest.mark.parametrize("runs", [[[FIRST, SECOND]], [[SECOND, OTHER], [SECOND, FIRST]]])
def test_a_study_of_two_patients_is_a_session_for_each(site: Sandbox, tmp_path: Path, runs: list[list[str]]) -> None:
    project = f"TWO{len(runs)}"
    for nth, uids in enumerate(runs):
        done = download(site, manifest(tmp_path / f"{nth}.tcia", uids), tmp_path / f"out{nth}", project)
        assert done.code == 0, done.err
    held = holds(site, project)
    assert {uid: held[uid][0] for uid in held} == {
        uid: {FIRST: "N200", SECOND: "N100", OTHER: "N200"}[uid] for uids in runs for uid in uids
    }
    assert held[SECOND][1] == "N100"
    again = download(site, manifest(tmp_path / "all.tcia", [SECOND, FIRST]), tmp_path / "elsewhere", project)
    assert (again.code, set(again.states().values())) == (0, {"present"})
    assert not ask(site, f"/data/prearchive/projects/{project}")


def test_a_part_of_such_a_study_that_the_index_does_not_explain_is_refused(site: Sandbox, tmp_path: Path) -> None:
    assert download(site, manifest(tmp_path / "a.tcia", [FIRST]), tmp_path / "out", "PART").code == 0
    done = download(site, manifest(tmp_path / "b.tcia", [SECOND]), tmp_path / "out", "PART")
    assert (done.code, "--same-patient N200=N100" in done.out + done.err) == (3, True)
    assert holds(site, "PART") == {FIRST: ("N200", "N200")}
