"""Uploads into a project that holds something: nobody becomes somebody else, and no image is left behind."""

import asyncio
from pathlib import Path

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tcia_xnat.planning.identity.words import with_digest
from tests.job.case import ask, images, in_prearchive, subjects
from tests.sandbox.xnat_case import zipped
from tests.upload.case import archived, assert_holds, upload, wanted
from tests.upload.trees import Scan, write

ADMIN = ("admin", "admin")


def some(scan: Scan, *numbers: int) -> dict[str, bytes]:
    return {f"IM{number}.dcm": scan.image(number) for number in numbers}


@pytest.mark.parametrize(
    ("machine", "first", "second"), [("same", (1, 2, 3), (4, 5)), ("another", (1, 2, 3), (1, 2, 4))]
)
def test_a_second_delivery_of_a_series_arrives(
    sandbox: Sandbox, tmp_path: Path, machine: str, first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    scan = Scan("SETS", 7100 + sum(second), 1)
    project = f"SETS_{machine}_{sum(second)}"
    a, b = write(tmp_path / "a", some(scan, *first)), write(tmp_path / "b", some(scan, *second))
    assert upload(sandbox, tmp_path / "w", a, project).code == 0
    done = upload(sandbox, tmp_path / ("w" if machine == "same" else "v"), b, project)
    assert (done.code, set(done.states().values())) == (0, {"archived"}), done.err
    assert archived(sandbox, project) == {"SETS": {scan.series_instance_uid: len({*first, *second})}}
    for tree in (a, b):
        again = upload(sandbox, tmp_path / "u", tree, project)
        assert (again.code, set(again.states().values())) == (0, {"present"}), again.err


def test_what_waits_in_the_prearchive_is_compared_by_its_images_too(sandbox: Sandbox, tmp_path: Path) -> None:
    scan = Scan("WAITS", 7150, 1)
    a, b = write(tmp_path / "a", some(scan, 1, 2, 3)), write(tmp_path / "b", some(scan, 1, 2, 4))
    upload(sandbox, tmp_path / "w", a, "WAITS", "--no-archive")
    done = upload(sandbox, tmp_path / "w", b, "WAITS")
    assert done.code == 0, done.err
    assert archived(sandbox, "WAITS") == {"WAITS": {scan.series_instance_uid: 4}}


def test_a_study_that_is_anothers_is_refused_and_the_other_studies_go_to_their_own_patient(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    mine, theirs, new = Scan("FIRST", 7200, 1), Scan("SECOND", 7200, 2), Scan("SECOND", 7201, 1)
    a = write(tmp_path / "a", mine.all_images())
    b = write(tmp_path / "b/x", theirs.all_images()).parent
    write(tmp_path / "b/y", new.all_images())
    assert upload(sandbox, tmp_path / "w", a, "TWOPATIENTS").code == 0
    for workdir in ("w", "elsewhere"):
        done = upload(sandbox, tmp_path / workdir, b, "TWOPATIENTS")
        assert done.code == 3
        assert "of PatientID FIRST; the PatientID of these images is SECOND" in done.out + done.err
        assert "--same-patient FIRST=SECOND" in done.out + done.err
        assert done.states()[theirs.series_instance_uid] == "failed"
        assert archived(sandbox, "TWOPATIENTS") == wanted({"FIRST": [mine], "SECOND": [new]})
        assert subjects(sandbox, "TWOPATIENTS") == {"FIRST": "FIRST", "SECOND": "SECOND"}
        assert not in_prearchive(sandbox, "TWOPATIENTS")
    done = upload(sandbox, tmp_path / "w", b, "TWOPATIENTS", "--same-patient", "FIRST=SECOND")
    assert done.code == 0, done.err
    assert archived(sandbox, "TWOPATIENTS") == wanted({"FIRST": [mine, theirs], "SECOND": [new]})
    assert "--same-patient" in upload(sandbox, tmp_path / "x", b, "TWOPATIENTS").out


def test_ids_that_clean_alike_or_differ_by_case_are_two_subjects_on_every_machine(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    scans = [Scan(name, 7300 + nth, 1) for nth, name in enumerate(("7/5", "7^5", "Ida", "IDA"))]
    for scan in scans:
        write(tmp_path / "whole" / str(scan.study), scan.all_images())
        alone = write(tmp_path / str(scan.study), scan.all_images())
        done = upload(sandbox, tmp_path / f"w{scan.study}", alone, "ALIKE")
        assert done.code == 0, done.err
    found = subjects(sandbox, "ALIKE")
    assert len({subject.lower() for subject in found.values()}) == len(scans)
    one_run = upload(sandbox, tmp_path / "w", tmp_path / "whole", "ALIKE1")
    assert "not called after their patient" in one_run.err + one_run.out
    assert len({subject.lower() for subject in subjects(sandbox, "ALIKE1").values()}) == len(scans)
    again = upload(sandbox, tmp_path / "w2", tmp_path / "whole", "ALIKE")
    assert (again.code, set(again.states().values())) == (0, {"present"})
    assert subjects(sandbox, "ALIKE") == found


@pytest.mark.parametrize("kinds", [("CT", "PT"), ("RTSTRUCT", "CT")])
def test_what_xnat_would_not_add_is_known_before_the_first_byte_and_gets_a_session_of_its_own(
    sandbox: Sandbox, tmp_path: Path, kinds: tuple[str, str]
) -> None:
    project = f"KINDS_{kinds[0]}"
    study = 7400 + len(kinds[0])
    first, second = (Scan("KIND", study, nth, modality=kind) for nth, kind in enumerate(kinds, 1))
    a, b = write(tmp_path / "a", first.all_images()), write(tmp_path / "b", second.all_images())
    assert upload(sandbox, tmp_path / "w", a, project).code == 0
    done = upload(sandbox, tmp_path / "w", b, project)
    assert (done.code, "--split-session" in done.out + done.err) == (3, True)
    assert not ask(sandbox, f"/data/prearchive/projects/{project}")
    done = upload(sandbox, tmp_path / "w", b, project, "--split-session")
    assert done.code == 0, done.err
    assert archived(sandbox, project) == wanted({"KIND": [first], "KIND_01": [second]})
    assert set(subjects(sandbox, project).values()) == {"KIND"}
    again = upload(sandbox, tmp_path / "elsewhere", b, project)
    assert (again.code, set(again.states().values())) == (0, {"present"})


def test_a_session_of_somebody_else_in_the_prearchive_is_named_and_left_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    scan = Scan("CURATED", 7500, 1)
    tree = write(tmp_path / "a", scan.all_images())
    requests.put(f"{sandbox.xnat.url}/data/projects/FOREIGN", auth=ADMIN, timeout=10).raise_for_status()
    query = {
        "import-handler": "DICOM-zip", "inbody": "true", "rename": "true", "prevent_auto_commit": "true",
        "PROJECT_ID": "FOREIGN", "SUBJECT_ID": "THEIRS", "EXPT_LABEL": "REVIEW",
    }  # fmt: skip
    url = f"{sandbox.xnat.url}/data/services/import"
    body = zipped({"1.dcm": scan.image(1)})
    headers = {"Content-Type": "application/zip"}
    requests.post(url, params=query, data=body, headers=headers, auth=ADMIN, timeout=30).raise_for_status()
    done = upload(sandbox, tmp_path / "w", tree, "FOREIGN")
    assert (done.code, "this tool has not made" in done.out + done.err, "REVIEW" in done.out + done.err) == (
        3,
        True,
        True,
    )
    assert not images(sandbox, "FOREIGN")
    assert len(in_prearchive(sandbox, "FOREIGN")) == 1


def test_a_study_of_two_patients_is_a_session_for_each_and_two_people_of_one_patient_id_are_noted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second, later = Scan("PAIR_A", 7600, 1), Scan("PAIR_B", 7600, 2), Scan("PAIR_A", 7601, 1, date="20210101")
    for scan, born in ((first, "19400101"), (second, ""), (later, "19900101")):
        born_then = {"PatientBirthDate": born} if born else {}
        files = {f"{number}.dcm": scan.image(number, **born_then) for number in range(1, 4)}
        write(tmp_path / f"t/{scan.study}_{scan.number}", files)
    done = upload(sandbox, tmp_path / "w", tmp_path / "t", "PAIR", "--layout", "headers")
    assert done.code == 0, done.out
    assert_holds(sandbox, "PAIR", {"PAIR_A": [first], "PAIR_B": [second], "PAIR_A_01": [later]})
    assert subjects(sandbox, "PAIR") == {"PAIR_A": "PAIR_A", "PAIR_B": "PAIR_B", "PAIR_A_01": "PAIR_A"}
    (note,) = done.report["notes"]
    assert "PAIR_A (other birth dates, see" in note
    assert note in done.err


def test_a_subject_that_another_run_makes_in_other_letters_at_the_same_time_is_not_joined(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    url = f"{sandbox.xnat.url}/data/projects/ATONCE"
    requests.put(url, auth=ADMIN, timeout=10).raise_for_status()
    theirs, ours = Scan("Otto", 7701, 1), Scan("OTTO", 7702, 1)
    write(tmp_path / "a", ours.all_images())

    async def just_after(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope, receive, send)  # the plan is made, and then the other run makes its subject
        await asyncio.to_thread(requests.put, f"{url}/subjects/{theirs.patient}", auth=ADMIN, timeout=10)

    sandbox.xnat_faults.add(Fault("GET /data/projects/ATONCE/subjects", just_after))
    done = upload(sandbox, tmp_path / "w", tmp_path / "a", "ATONCE")
    assert (done.code, "another run has made subject Otto meanwhile" in done.out) == (3, True), done.out + done.err
    assert not images(sandbox, "ATONCE")
    assert not in_prearchive(sandbox, "ATONCE")
    assert upload(sandbox, tmp_path / "w", tmp_path / "a", "ATONCE").code == 0
    assert archived(sandbox, "ATONCE") == wanted({"OTTO": [ours]})
    assert subjects(sandbox, "ATONCE") == {"OTTO": with_digest("OTTO", "OTTO")}
