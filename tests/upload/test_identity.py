"""Uploads into a project that changes meanwhile, or of which a part waits; see test_every_tree for what is archived."""

import asyncio
from pathlib import Path

import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tcia_xnat.planning.identity.words import with_digest
from tests.job.case import images, in_prearchive, subjects
from tests.upload.case import archived, upload, wanted
from tests.upload.trees import Scan, write

ADMIN = ("admin", "admin")


def some(scan: Scan, *numbers: int) -> dict[str, bytes]:
    return {f"IM{number}.dcm": scan.image(number) for number in numbers}


def test_what_waits_in_the_prearchive_is_compared_by_its_images_too(sandbox: Sandbox, tmp_path: Path) -> None:
    scan = Scan("WAITS", 7150, 1)
    a, b = write(tmp_path / "a", some(scan, 1, 2, 3)), write(tmp_path / "b", some(scan, 1, 2, 4))
    upload(sandbox, tmp_path / "w", a, "WAITS", "--no-archive")
    done = upload(sandbox, tmp_path / "w", b, "WAITS")
    assert done.code == 0, done.err
    assert archived(sandbox, "WAITS") == {"WAITS": {scan.series_instance_uid: 4}}


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
