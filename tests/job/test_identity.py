"""Transfers: who is who, in one run, in two, in any order and on any machine; and what IDC has revised since."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.sandbox import Sandbox
from tests.job.case import ONE_SERIES, ask, download, images, manifest, subjects

STUDY = "1.3.6.1.4.1.14519.77.1"
FIRST, SECOND, OTHER = f"{STUDY}.1", f"{STUDY}.2", "1.3.6.1.4.1.14519.77.2.1"
OF_ONE, OF_TWO = "1.3.6.1.4.1.14519.77.3.1", "1.3.6.1.4.1.14519.77.4.1"  # one PatientID in two collections
PROVENANCE = "/data/experiments/{}/resources/TCIA_PROVENANCE/files/provenance.json"
ADMIN = ("admin", "admin")


def row(uid: str, patient: str, number: int, study: str = STUDY, collection: str = "nbia_only") -> dict[str, Any]:
    return {
        "collection_id": collection,
        "SeriesInstanceUID": uid,
        "StudyInstanceUID": study,
        "PatientID": patient,
        "SeriesNumber": str(number),
        "instanceCount": 2,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    rows = [row(FIRST, "N200", 1), row(SECOND, "N100", 2), row(OTHER, "N200", 1, "1.3.6.1.4.1.14519.77.2")]
    rows += [
        row(OF_ONE, "0001", 1, OF_ONE.removesuffix(".1"), "lung_a"),
        row(OF_TWO, "0001", 1, OF_TWO.removesuffix(".1"), "lung_b"),
    ]
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


def test_collections_that_share_patient_ids_are_kept_apart_by_a_template(site: Sandbox, tmp_path: Path) -> None:
    project, apart = "SHARED", ("--subject-label", "{collection_id}-{PatientID}")
    for nth, uid in enumerate((OF_TWO, OF_ONE)):
        listed = manifest(tmp_path / f"{nth}.tcia", [uid])
        assert download(site, listed, tmp_path / f"out{nth}", project, *apart).code == 0
    both = manifest(tmp_path / "both.tcia", [OF_ONE, OF_TWO])
    again = download(site, both, tmp_path / "elsewhere", project, *apart)
    assert (again.code, set(again.states().values())) == (0, {"present"})
    held = holds(site, project)
    assert {uid: subject for uid, (subject, _) in held.items()} == {OF_ONE: "lung_a-0001", OF_TWO: "lung_b-0001"}
    assert {session for _, session in held.values()} == {"0001", "0001_01"}


def test_collections_that_share_patient_ids_are_told_without_one(site: Sandbox, tmp_path: Path) -> None:
    both = manifest(tmp_path / "both.tcia", [OF_ONE, OF_TWO])
    done = download(site, both, tmp_path / "out", "TOGETHER")
    assert done.code == 0, done.err
    assert "one PatientID in several collections" in done.err
    assert "--subject-label '{collection_id}-{PatientID}'" in done.err
    assert {subject for subject, _ in holds(site, "TOGETHER").values()} == {"0001"}


def test_a_series_that_was_revised_since_is_sent_again_although_its_number_is_equal(
    site: Sandbox, tmp_path: Path
) -> None:
    project, here, elsewhere = "REVISED", tmp_path / "here", tmp_path / "elsewhere"
    assert download(site, ONE_SERIES, here, project).code == 0
    before = images(site, project)
    (experiment,) = ask(site, f"/data/projects/{project}/experiments")
    address = site.xnat.url + PROVENANCE.format(experiment["ID"])
    published = requests.get(address, auth=ADMIN, timeout=10).json()
    older = copy.deepcopy(published)
    (series,) = older["series"]
    series["crdc_series_uuid"] = "00000000-0000-4000-8000-000000000000"
    query = {"inbody": "true", "overwrite": "true"}
    requests.put(address, params=query, json=older, auth=ADMIN, timeout=10).raise_for_status()
    done = download(site, ONE_SERIES, here, project)
    assert (done.code, set(done.states().values())) == (0, {"archived"}), done.err
    assert images(site, project) == before
    assert requests.get(address, auth=ADMIN, timeout=10).json()["series"] == published["series"]
    assert set(download(site, ONE_SERIES, elsewhere, project).states().values()) == {"present"}
