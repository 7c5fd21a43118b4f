"""Who may run the tool: owners, members, nobody else; and a project by its alias, and shared sessions, end to end."""

from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, Done, ask, assert_holds, download, expected, images, run
from tests.upload.case import upload
from tests.upload.trees import Scan, write

SECRET = "w0rd" + "-of-tests"
ADMIN = ("admin", "admin")


def put(sandbox: Sandbox, path: str, body: str = "", **query: str) -> None:
    requests.put(sandbox.xnat.url + path, data=body, params=query, auth=ADMIN, timeout=30).raise_for_status()


def made(sandbox: Sandbox, project: str, role: str = "") -> str:
    """Make a private project, and a user with a role in it; return the name of the user."""
    put(sandbox, f"/data/projects/{project}", accessibility="private")
    put(sandbox, f"/data/projects/{project}/prearchive_code/0")
    if not role:
        return "admin"
    user = f"{project}-user"
    sandbox.xnat.add_user(user, SECRET, {project: role})
    return user


def download_as(sandbox: Sandbox, user: str, output: Path, project: str, *options: str) -> Done:
    return download(sandbox, ONE_PATIENT, output, project, *options, XNAT_USER=user, XNAT_PASS=SECRET)


def imports(sandbox: Sandbox, start: int) -> int:
    return sum("services/import" in asked.path_with_query for asked in sandbox.xnat.requests[start:])


def test_a_member_brings_in_everything_and_keeps_the_report_on_disk(sandbox: Sandbox, tmp_path: Path) -> None:
    user = made(sandbox, "MEMBER", "Members")
    done = download_as(sandbox, user, tmp_path / "out", "MEMBER")
    assert done.code == 0, done.err
    assert_holds(sandbox, "MEMBER", expected(sandbox, ONE_PATIENT))
    assert done.err.count("only owners may write to the project") + done.out.count("only owners may write") == 1
    assert ask(sandbox, "/data/projects/MEMBER/resources") == []
    assert (tmp_path / "out" / "MANIFEST_MODIFIED" / ONE_PATIENT.name).read_text()
    assert (tmp_path / "out" / "MANIFEST_ORIGINAL" / ONE_PATIENT.name).read_bytes() == ONE_PATIENT.read_bytes()
    again = download_as(sandbox, user, tmp_path / "again", "MEMBER")
    assert (again.code, set(again.states().values())) == (0, {"present"})


def test_a_member_uploads_and_keeps_the_lists_on_disk(sandbox: Sandbox, tmp_path: Path) -> None:
    user = made(sandbox, "MEMBERSUPLOADS", "Members")
    tree = write(tmp_path / "tree", Scan("A", 1, 1, images=2).all_images())
    done = upload(sandbox, tmp_path / "work", tree, "MEMBERSUPLOADS", XNAT_USER=user, XNAT_PASS=SECRET)
    assert done.code == 0, done.err
    assert (done.err + done.out).count("only owners may write to the project") == 1
    assert {path.name for path in (tmp_path / "work" / "UPLOAD").iterdir()} == {
        "tree.json",
        "tree.csv",
        "layout.json",
    }
    assert len(images(sandbox, "MEMBERSUPLOADS")) == 2


@pytest.mark.parametrize("role", ["Collaborators", "read,create"])
def test_who_may_not_archive_is_refused_before_a_byte_moves(sandbox: Sandbox, tmp_path: Path, role: str) -> None:
    project = f"READ{len(role)}"
    user = made(sandbox, project, role)
    before = len(sandbox.xnat.requests)
    done = download_as(sandbox, user, tmp_path / "out", project)
    assert done.code == 5
    assert "this user may read project" in done.err
    assert "make this user a member or owner" in done.err
    assert imports(sandbox, before) == 0
    checked = run(sandbox, tmp_path / "out", "--check", project, XNAT_USER=user, XNAT_PASS=SECRET)
    assert checked.code == 5
    assert "this user may read project" in checked.out
    dry = download_as(sandbox, user, tmp_path / "out", project, "--dry-run")
    assert dry.code == 5


def test_an_xnat_that_tells_no_rights_is_tried(sandbox: Sandbox, tmp_path: Path) -> None:
    user = made(sandbox, "OLDER", "Members")
    for page in (r"data/projects\?permissions", "xapi/access/projects"):
        sandbox.xnat_faults.add(Fault(f"GET /{page}", faults.answer(404, "<html>no</html>"), times=None))
    try:
        done = download_as(sandbox, user, tmp_path / "out", "OLDER")
    finally:
        sandbox.xnat_faults.lift()
    assert done.code == 0, done.err
    assert_holds(sandbox, "OLDER", expected(sandbox, ONE_PATIENT))
    assert (done.err + done.out).count("only owners may write to the project") == 1


def test_a_project_by_its_alias(sandbox: Sandbox, tmp_path: Path) -> None:
    made(sandbox, "REAL")
    put(sandbox, "/data/projects/REAL", alias="NICK")
    dry = download(sandbox, ONE_PATIENT, tmp_path / "out", "NICK", "--dry-run")
    assert (dry.code, "project REAL (given as NICK)" in dry.out) == (0, True)
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "NICK")
    assert done.code == 0, done.err
    assert_holds(sandbox, "REAL", expected(sandbox, ONE_PATIENT))
    assert (done.report["project"], done.report["given_project"]) == ("REAL", "NICK")
    assert "(given as NICK)" in (done.report_dir / "report.html").read_text()
    again = download(sandbox, ONE_PATIENT, tmp_path / "out", "REAL")
    assert (again.code, set(again.states().values())) == (0, {"present"})
    verified = download(sandbox, ONE_PATIENT, tmp_path / "out", "NICK", "--verify")
    assert verified.code == 0, verified.err + verified.out


def test_nothing_is_merged_into_a_session_that_is_only_shared(sandbox: Sandbox, tmp_path: Path) -> None:
    made(sandbox, "OWNS")
    made(sandbox, "BORROWS")
    assert download(sandbox, ONE_PATIENT, tmp_path / "first", "OWNS").code == 0
    [first, *_] = ask(sandbox, "/data/projects/OWNS/experiments")
    put(sandbox, f"/data/experiments/{first['ID']}/projects/BORROWS", label="LENT")
    held = len(images(sandbox, "OWNS"))
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "BORROWS")
    assert done.code == 3
    reasons = {row["reason"] for row in done.rows if row["state"] == "failed"}
    assert reasons == {"its study is shared into this project from project OWNS, as session LENT"}
    assert len(images(sandbox, "OWNS")) == held
    assert "LENT" not in {image.session for image in images(sandbox, "BORROWS")}


def test_scripts_and_template_are_told_before_the_first_byte(sandbox: Sandbox, tmp_path: Path) -> None:
    made(sandbox, "HASHED")
    put(sandbox, "/xapi/anonymize/projects/HASHED", 'version "6.6"\nhashUIDList["(0020,000D)"]\n')
    rule = Fault("GET /xapi/siteConfig/dicomFileNameTemplate", faults.answer(200, '"${StudyInstanceUID}"'), times=None)
    sandbox.xnat_faults.add(rule)
    try:
        dry = download(sandbox, ONE_PATIENT, tmp_path / "out", "HASHED", "--dry-run")
    finally:
        sandbox.xnat_faults.lift()
    assert dry.code == 0, dry.err
    assert "anonymization script of the project: on, changes StudyInstanceUID" in dry.out
    assert "${StudyInstanceUID} gives several images one name" in dry.out
