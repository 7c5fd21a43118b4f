"""Projects and their resources (xnat-http.md §3, §4, §15.7, §15.9 to §15.11)."""

import hashlib
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests

from sandbox.xnat import Settings
from tests.sandbox.xnat_case import PROJECT, Site, message

FILES = f"/data/projects/{PROJECT}/resources/MANIFEST/files"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        site.server.add_user("stranger", "p")
        site.server.add_user("reader", "p", {PROJECT: "Collaborators"})
        site.server.add_user("member", "p", {PROJECT: "Members"})
        yield site


def ask_as(site: Site, user: str, method: str, path: str, data: bytes = b"") -> requests.Response:
    return requests.request(method, site.server.url + path, data=data, auth=(user, "p"), timeout=30)


# projects


def test_create_answers_200_with_nothing(site: Site) -> None:
    created = site.ask("PUT", "/data/projects/NEW", name="A name", accessibility="private")
    assert (created.status_code, created.content) == (200, b"")
    again = site.ask("PUT", "/data/projects/NEW", description="told later")
    assert (again.status_code, again.content) == (200, b"")
    item = site.ask("GET", "/data/projects/NEW", format="json").json()["items"][0]
    assert item["meta"]["xsi:type"] == "xnat:projectData"
    assert item["data_fields"]["name"] == "A name"
    assert item["data_fields"]["description"] == "told later"
    assert site.ask("HEAD", "/data/projects/NEW").status_code == 200


def test_projects_are_protected_and_auto_archive_unless_told_otherwise(site: Site) -> None:
    site.ask("PUT", "/data/projects/NEW")
    assert site.ask("GET", "/data/projects/NEW/accessibility").text == "protected"
    assert site.ask("GET", "/data/projects/NEW/prearchive_code").text == "4"


def test_unknown_and_unreadable_projects_are_not_there(site: Site) -> None:
    unknown = site.ask("GET", "/data/projects/NONE", format="json")
    assert (unknown.status_code, message(unknown)) == (404, "Unable to find the specified experiment.")
    site.ask("PUT", f"/data/projects/{PROJECT}/accessibility/private")
    hidden = ask_as(site, "stranger", "GET", f"/data/projects/{PROJECT}?format=json")
    assert (hidden.status_code, message(hidden)) == (404, "Unable to find the specified experiment.")
    assert ask_as(site, "reader", "GET", f"/data/projects/{PROJECT}").status_code == 200


def test_refusals_of_new_projects(site: Site) -> None:
    odd = site.ask("PUT", "/data/projects/TCIA%20X")
    assert (odd.status_code, message(odd)) == (417, "Invalid character in project ID.")
    assert site.ask("PUT", "/data/projects/A-B", testHyphen="true").status_code == 417
    other = site.ask("PUT", "/data/projects/A", '<xnat:Project ID="B" xmlns:xnat="http://nrg.wustl.edu/xnat"/>')
    assert other.status_code == 417


def test_names_clash_without_regard_to_case(site: Site) -> None:
    site.ask("PUT", "/data/projects/ONE", name="Lung Study")
    same = site.ask("PUT", f"/data/projects/{PROJECT.lower()}")
    assert same.status_code == 409
    assert message(same).startswith(
        f"Requested new project conflicts with existing projects: Invalid Project Id: '{PROJECT.lower()}' is already"
    )
    named = site.ask("PUT", "/data/projects/TWO", name="LUNG STUDY")
    assert named.status_code == 409
    assert "Invalid Title: 'LUNG STUDY' is already being used." in message(named)


def test_an_unreadable_project_cannot_be_created_again(site: Site) -> None:
    answer = ask_as(site, "stranger", "PUT", f"/data/projects/{PROJECT}")
    assert answer.status_code == 403
    assert message(answer) == "User account doesn't have permission to edit this project."


def test_a_deleted_id_is_burnt(site: Site) -> None:
    site.ask("PUT", "/data/projects/GONE")
    assert site.ask("DELETE", "/data/projects/GONE", removeFiles="true").status_code == 200
    assert site.ask("GET", "/data/projects/GONE").status_code == 404
    again = site.ask("PUT", "/data/projects/GONE")
    assert again.status_code == 403
    assert message(again) == "Project 'GONE' was used in a previously deleted project and cannot be reused."


def test_who_may_create(site: Site) -> None:
    assert ask_as(site, "stranger", "PUT", "/data/projects/MINE").status_code == 200
    site.settings.ui_allow_non_admin_project_creation = False
    refused = ask_as(site, "stranger", "PUT", "/data/projects/OTHER")
    assert refused.status_code == 403
    assert message(refused) == "User stranger doesn't have permission to create projects on this system"


def test_post_creates_by_document(site: Site) -> None:
    body = (
        '<xnat:Project ID="POSTED" xmlns:xnat="http://nrg.wustl.edu/xnat"><xnat:name>Posted</xnat:name></xnat:Project>'
    )
    assert site.ask("POST", "/data/projects", body).text == "/data/projects/POSTED"
    assert site.ask("POST", "/data/projects", body).status_code == 409
    assert site.ask("POST", "/data/projects").status_code == 417


def test_accessibility(site: Site) -> None:
    path = f"/data/projects/{PROJECT}/accessibility"
    assert ask_as(site, "stranger", "GET", path).text == "protected"
    assert ask_as(site, "stranger", "PUT", f"{path}/public").status_code == 403
    assert site.ask("PUT", f"{path}/private").status_code == 200
    hidden = ask_as(site, "stranger", "GET", path)
    assert (hidden.status_code, message(hidden)) == (404, f"Could not find the project with ID '{PROJECT}'")
    site.ask("PUT", f"{path}/public")
    assert ask_as(site, "stranger", "GET", f"/data/projects/{PROJECT}").status_code == 200


@pytest.mark.parametrize(("sent", "stored"), [("0", "0"), ("4", "4"), ("5", "5"), ("true", "1"), ("false", "0")])
def test_prearchive_code(site: Site, sent: str, stored: str) -> None:
    path = f"/data/projects/{PROJECT}/prearchive_code"
    assert site.ask("PUT", f"{path}/{sent}").status_code == 200
    assert site.ask("GET", path).text == stored


def test_prearchive_code_refuses(site: Site) -> None:
    path = f"/data/projects/{PROJECT}/prearchive_code"
    assert site.ask("PUT", f"{path}/manual").status_code == 400
    assert ask_as(site, "reader", "PUT", f"{path}/4").status_code == 403
    site.settings.project_allow_auto_archive = False
    assert site.ask("PUT", f"{path}/4").status_code == 403
    assert site.ask("PUT", f"{path}/0").status_code == 200
    assert site.ask("PUT", f"/data/projects/{PROJECT}/quarantine_code/1").status_code == 200
    assert site.ask("GET", f"/data/projects/{PROJECT}/quarantine_code").text == "1"
    assert site.ask("GET", f"/data/projects/{PROJECT}/no_such_thing").status_code == 400


def test_members(site: Site) -> None:
    users = f"/data/projects/{PROJECT}/users"
    site.ask("PUT", f"/data/projects/{PROJECT}/accessibility/private")
    assert site.ask("PUT", f"{users}/Members/stranger").status_code == 200
    assert ask_as(site, "stranger", "GET", f"/data/projects/{PROJECT}").status_code == 200
    assert {row["login"]: row["displayname"] for row in site.rows(users)}["stranger"] == "Members"
    assert site.ask("DELETE", f"{users}/Members/stranger").status_code == 200
    assert ask_as(site, "stranger", "GET", f"/data/projects/{PROJECT}").status_code == 404
    assert ask_as(site, "member", "PUT", f"{users}/Owners/member").status_code == 403


def test_rest_is_another_name_for_data(site: Site) -> None:
    assert site.ask("GET", f"/REST/projects/{PROJECT}").status_code == 200
    assert site.ask("GET", f"/data/archive/projects/{PROJECT}").status_code == 200
    missing = site.ask("GET", "/data/no/such/page")
    assert missing.status_code == 404
    message(missing)


# resources


def test_resources_are_made_once(site: Site) -> None:
    path = f"/data/projects/{PROJECT}/resources/TCIA"
    missing = site.ask("GET", path)
    assert (missing.status_code, message(missing)) == (404, "Unable to find the specified catalog.")
    assert site.ask("PUT", path, format="CSV").status_code == 200
    again = site.ask("PUT", path)
    assert (again.status_code, message(again)) == (409, "Specified resource already exists.")
    assert "<cat:Catalog" in site.ask("GET", path).text
    [row] = site.rows(f"/data/projects/{PROJECT}/resources")
    assert row["label"] == "TCIA"
    assert row["element_name"] == "xnat:resourceCatalog"
    assert (row["format"], row["file_count"]) == ("CSV", "0")
    assert site.ask("GET", f"/data/projects/{PROJECT}/resources/{row['xnat_abstractresource_id']}").status_code == 200
    assert ask_as(site, "reader", "PUT", f"/data/projects/{PROJECT}/resources/X").status_code == 403
    assert site.ask("DELETE", path).status_code == 200
    assert site.ask("DELETE", path).status_code == 200
    assert site.rows(f"/data/projects/{PROJECT}/resources") == []


def test_files_are_stored_listed_and_sent_back(site: Site) -> None:
    content = b"SeriesInstanceUID,session label\n"
    stored = site.ask("PUT", f"{FILES}/list.csv", content, inbody="true", content="MANIFEST", tags="a,b")
    assert (stored.status_code, stored.content) == (200, b"")
    [row] = site.rows(FILES)
    assert (row["Name"], row["Size"]) == ("list.csv", str(len(content)))
    assert row["digest"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (row["collection"], row["file_content"], row["file_tags"]) == ("MANIFEST", "MANIFEST", "a,b")
    assert site.ask("GET", row["URI"]).content == content
    assert (site.directory / "archive" / PROJECT / "resources" / "MANIFEST" / "list.csv").read_bytes() == content
    [resource] = site.rows(f"/data/projects/{PROJECT}/resources")
    assert (resource["file_count"], resource["file_size"]) == ("1", str(len(content)))


def test_a_file_that_is_there_is_kept_and_the_answer_is_200(site: Site) -> None:
    site.ask("PUT", f"{FILES}/a.txt", b"first", inbody="true")
    second = site.ask("PUT", f"{FILES}/a.txt", b"second", inbody="true")
    assert (second.status_code, second.json()) == (200, {"duplicates": ["a.txt"]})
    assert second.headers["Content-Type"].startswith("text/html")
    assert site.ask("GET", f"{FILES}/a.txt").content == b"first"
    third = site.ask("PUT", f"{FILES}/a.txt", b"third", inbody="true", overwrite="true")
    assert (third.status_code, third.content) == (200, b"")
    assert site.ask("GET", f"{FILES}/a.txt").content == b"third"


def test_without_the_right_nothing_is_stored_and_the_answer_is_200(site: Site) -> None:
    answer = ask_as(site, "reader", "PUT", f"{FILES}/a.txt?inbody=true", data=b"x")
    assert (answer.status_code, answer.content) == (200, b"")
    assert site.rows(f"/data/projects/{PROJECT}/resources") == []
    assert ask_as(site, "member", "PUT", f"{FILES}/a.txt?inbody=true", data=b"x").status_code == 200
    assert site.rows(f"/data/projects/{PROJECT}/resources") == []


def test_forms_and_refusals_of_files(site: Site) -> None:
    form = {"whatever": ("named.txt", b"in a form")}
    url = site.server.url + FILES
    assert site.session.put(url, files=form, timeout=30).status_code == 200
    assert site.ask("GET", f"{FILES}/named.txt").content == b"in a form"
    assert site.session.put(f"{url}?inbody=true", files=form, timeout=30).status_code == 500
    assert site.ask("PUT", f"{FILES}/empty.txt", b"", inbody="true").status_code == 400
    assert site.ask("PUT", f"{FILES}/no.txt", iter([b"x"]), inbody="true").status_code == 500
    unknown = site.ask("PUT", "/data/projects/NONE/resources/R/files/a", b"x", inbody="true")
    assert (unknown.status_code, message(unknown)) == (404, "Unable to identify project")


def test_deleting_files(site: Site) -> None:
    site.ask("PUT", f"{FILES}/a.txt", b"x", inbody="true")
    assert ask_as(site, "reader", "DELETE", f"{FILES}/a.txt").status_code == 403
    assert site.ask("DELETE", f"{FILES}/a.txt").status_code == 200
    missing = site.ask("DELETE", f"{FILES}/a.txt")
    assert (missing.status_code, message(missing)) == (404, "No matched files")
    assert site.ask("DELETE", f"{FILES}/a.txt", **{"accept-not-found": "true"}).status_code == 204


def test_a_file_name_cannot_lead_out_of_its_resource(site: Site) -> None:
    answer = site.ask("PUT", f"{FILES}/..%2F..%2F..%2Fout.txt", b"x", inbody="true")
    assert answer.status_code == 400
    assert not (site.directory / "archive" / "out.txt").exists()


def test_zips_are_unpacked_and_packed(site: Site) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/1.txt", b"one")
        archive.writestr("2.txt", b"two")
    site.ask("PUT", f"{FILES}/x.zip", packed.getvalue(), inbody="true", extract="true")
    assert {row["Name"] for row in site.rows(FILES)} == {"1.txt", "2.txt"}
    assert site.ask("GET", f"{FILES}/a/1.txt").content == b"one"
    with zipfile.ZipFile(BytesIO(site.ask("GET", FILES, format="zip").content)) as archive:
        names = sorted(name.rpartition("/files/")[2] for name in archive.namelist())
    assert names == ["2.txt", "a/1.txt"]


def test_state_survives_a_restart(tmp_path: Path) -> None:
    with Site(tmp_path, Settings(default_prearchive_code=0)) as site:
        site.ask("PUT", f"{FILES}/a.txt", b"x", inbody="true")
        uri = site.sent()
        cookie = site.session.cookies["JSESSIONID"]
    with Site(tmp_path) as again:
        assert [row["Name"] for row in again.rows(FILES)] == ["a.txt"]
        assert again.status(uri) == "RECEIVING"
        url = f"{again.server.url}/data/auth"
        assert requests.get(url, cookies={"JSESSIONID": cookie}, timeout=30).status_code == 401
