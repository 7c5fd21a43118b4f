"""Anonymisation scripts of an XNAT, in whole runs: changed UIDs end in one copy, rejected images with their cause."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tests.job.case import ONE_PATIENT, ask, download, expected, images, in_prearchive, manifest, quick
from tests.verify.case import verify

ADMIN = ("admin", "admin")
HASH_ALL = 'version "6.1"\n' + "".join(
    f"{tag} := hashUID[{tag}]\n" for tag in ("(0020,000D)", "(0020,000E)", "(0008,0018)")
)
HASH_SOP = 'version "6.1"\n(0008,0018) := hashUID[(0008,0018)]\n'
HASH_SERIES = 'version "6.1"\n(0020,000E) := hashUID[(0020,000E)]\n'
HASH_STUDY = 'version "6.1"\n(0020,000D) := hashUID[(0020,000D)]\n'
REJECT_SECOND = 'version "6.6"\n(0020,0013) = "2" ? reject\n'


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def site(tmp_path: Path, settings: Settings) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox", xnat=settings, collections=["cmb_aml"], pixels=16, max_instances=3) as sandbox:
        yield sandbox


@pytest.fixture
def listed(site: Sandbox, tmp_path: Path) -> Path:
    """Write a manifest of two series of three images in one study."""
    wanted = expected(site, ONE_PATIENT)
    sessions: dict[tuple[str, str], list[str]] = {}
    for uid, count in wanted.images.items():
        if count == 3:
            sessions.setdefault(wanted.sessions[uid], []).append(uid)
    return manifest(tmp_path / "m.tcia", max(sessions.values(), key=len)[:2])


def set_project_script(site: Sandbox, project: str, script: str) -> None:
    url = site.xnat.url
    requests.put(f"{url}/data/projects/{project}", auth=ADMIN, timeout=10).raise_for_status()
    path = f"{url}/xapi/anonymize/projects/{project}"
    headers = {"Content-Type": "text/plain"}
    requests.put(path, data=script, headers=headers, auth=ADMIN, timeout=10).raise_for_status()
    requests.put(f"{path}/enabled", params={"enable": "true"}, auth=ADMIN, timeout=10).raise_for_status()


def sessions(site: Sandbox, project: str) -> int:
    return len({row["ID"] for row in ask(site, f"/data/projects/{project}/experiments")})


@pytest.mark.parametrize(
    ("where", "script"),
    [
        ("project", HASH_ALL),
        ("site", HASH_ALL),
        ("project", HASH_SOP),
        ("project", HASH_SERIES),
        ("site", HASH_SERIES),
        ("project", HASH_STUDY),
    ],
)
def test_changed_uids_end_in_one_copy_and_a_repeat_sends_nothing(  # noqa: PLR0917  fixtures and parameters
    site: Sandbox, settings: Settings, tmp_path: Path, listed: Path, where: str, script: str
) -> None:
    if where == "project":
        set_project_script(site, "HASHED", script)
    else:
        settings.sitewide_anonymization_script = script
    total = sum(expected(site, listed).images.values())
    done = download(site, listed, tmp_path / "out", "HASHED", *quick())
    assert (done.code, set(done.states().values())) == (0, {"archived"}), done.out + done.err
    if script == HASH_ALL:
        assert all("changed the UIDs" in row["notes"] for row in done.rows)
    for output in ("out", "lost", "other machine"):
        if output == "lost":
            shutil.rmtree(tmp_path / "out" / "state")
        done = download(site, listed, tmp_path / output.replace("lost", "out"), "HASHED", *quick())
        assert (done.code, set(done.states().values())) == (0, {"present"}), done.out + done.err
        assert (sessions(site, "HASHED"), len(images(site, "HASHED"))) == (1, total)
        assert not in_prearchive(site, "HASHED")
    found = verify(site, listed, tmp_path / "out", "HASHED")
    assert (found.code, set(found.signs().values())) == (0, {"="}), found.out


@pytest.mark.parametrize(
    ("script", "part"), [(HASH_ALL, 0), (HASH_ALL, 1), (HASH_ALL, None), (HASH_SERIES, 1), (HASH_STUDY, 1)]
)
def test_a_run_killed_before_it_kept_the_provenance_leaves_a_session_that_is_recognized(
    site: Sandbox,
    tmp_path: Path,
    listed: Path,
    script: str,
    part: int | None,  # of the series that the next run asks for; None asks for all
) -> None:
    set_project_script(site, "KILLED", script)
    done = download(site, listed, tmp_path / "out", "KILLED", *quick())
    assert done.code == 0, done.out + done.err
    [row] = ask(site, "/data/projects/KILLED/experiments")
    record = f"{site.xnat.url}/data/experiments/{row['ID']}/resources/TCIA_PROVENANCE"
    requests.delete(record, params={"removeFiles": "true"}, auth=ADMIN, timeout=10).raise_for_status()
    before = images(site, "KILLED")
    asked = listed if part is None else manifest(tmp_path / "part.tcia", [list(expected(site, listed).images)[part]])
    done = download(site, asked, tmp_path / "elsewhere", "KILLED", *quick("--dry-run"))
    assert done.code == 0, done.out + done.err
    assert requests.get(record, auth=ADMIN, timeout=10).status_code == 404
    for manifest_ in (asked, listed):
        done = download(site, manifest_, tmp_path / f"{manifest_.stem} again", "KILLED", *quick())
        assert (done.code, set(done.states().values())) == (0, {"present"}), done.out + done.err
        assert images(site, "KILLED") == before
        assert requests.get(f"{record}/files/provenance.json", auth=ADMIN, timeout=10).ok
    assert not in_prearchive(site, "KILLED")


@pytest.mark.parametrize("where", ["project", "site"])
def test_rejected_images_end_with_their_cause_and_may_be_accepted(
    site: Sandbox, settings: Settings, tmp_path: Path, listed: Path, where: str
) -> None:
    if where == "project":
        set_project_script(site, "REJECTED", REJECT_SECOND)
    else:
        settings.sitewide_anonymization_script = REJECT_SECOND
    done = download(site, listed, tmp_path / "out", "REJECTED", *quick())
    assert done.code == 3
    assert all("2 of its 3 images after two sends" in row["reason"] for row in done.rows), done.rows
    assert f"the {where}'s anonymisation script may reject images" in done.out
    assert "--accept-rejected" in done.out
    again = download(site, listed, tmp_path / "out", "REJECTED", *quick())
    assert again.code == 3
    assert all("not sent again" in row["reason"] for row in again.rows)
    done = download(site, listed, tmp_path / "out", "REJECTED", *quick("--accept-rejected"))
    assert done.code == 0, done.out + done.err
    assert all(row["images"] == "2" and "1 of its 3 images" in row["notes"] for row in done.rows)
    assert len(images(site, "REJECTED")) == 4
    assert not in_prearchive(site, "REJECTED")


@pytest.mark.parametrize("where", ["project", "site"])
def test_a_series_that_is_rejected_whole_keeps_no_other_from_the_archive(
    site: Sandbox, settings: Settings, tmp_path: Path, listed: Path, where: str
) -> None:
    uids = list(expected(site, listed).images)
    script = f'version "6.6"\n(0020,000E) = "{uids[1]}" ? reject\n'
    if where == "project":
        set_project_script(site, "WHOLE", script)
    else:
        settings.sitewide_anonymization_script = script
    sent = 0
    for machine, words in (("out", "0 of its 3 images after two sends"), ("another", "not sent again")):
        sent = len(site.xnat.requests)
        done = download(site, listed, tmp_path / machine, "WHOLE", *quick())
        assert done.code == 3, done.out + done.err
        assert done.states()[uids[0]] in {"archived", "present"}
        (failed,) = [row for row in done.rows if row["SeriesInstanceUID"] == uids[1]]
        assert words in failed["reason"]
        assert "--accept-rejected" in failed["hint"]
    assert not any("services/import" in one.path_with_query for one in site.xnat.requests[sent:])
    done = download(site, listed, tmp_path / "out", "WHOLE", *quick("--accept-rejected"))
    assert done.code == 0, done.out + done.err
    assert "XNAT left out 3 of its 3 images" in done.rows[1]["notes"] + done.rows[0]["notes"]
    assert len(images(site, "WHOLE")) == 3
    assert not in_prearchive(site, "WHOLE")


def test_a_template_that_is_not_unique_loses_nothing(
    site: Sandbox, settings: Settings, tmp_path: Path, listed: Path
) -> None:
    settings.dicom_file_name_template = "${StudyInstanceUID}-${SeriesNumber}"
    done = download(site, listed, tmp_path / "out", "NAMES", *quick())
    assert done.code == 0, done.out + done.err
    assert len(images(site, "NAMES")) == 6
