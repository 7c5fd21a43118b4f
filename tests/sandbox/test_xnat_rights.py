"""Roles, aliases, sharing, and addresses that mean several scans, as XNAT's makers test them.

Sources: XNAT's own REST tests (NrgXnat/xnat-rest-tests) and the source of XNAT 1.8.11.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.xnat_case import EXPERIMENTS, PROJECT, Site, dicom, message

P = f"/data/projects/{PROJECT}"
FILE = f"{P}/resources/R/files/a.txt"
SESSION = f"{P}/subjects/S1/experiments/E1"
ROLES = {"owner": "Owners", "member": "Members", "collaborator": "Collaborators", "adder": "read,create"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        site.ask("PUT", f"{P}/accessibility/private")
        for user in ("stranger", *ROLES):
            site.server.add_user(user, "p", {PROJECT: ROLES[user]} if user in ROLES else {})
        yield site


def ask_as(
    site: Site,
    user: str,
    method: str,
    path: str,
    data: bytes = b"",
    **query: Any,  # noqa: ANN401  as requests takes them
) -> requests.Response:
    return requests.request(
        method, site.server.url + path, params=query, data=data, auth=(user, "p"), timeout=30, allow_redirects=False
    )


def statuses(site: Site, users: list[str], method: str, path: str, data: bytes = b"", **query: Any) -> dict[str, int]:  # noqa: ANN401  as requests takes them
    return {user: ask_as(site, user, method, path, data, **query).status_code for user in users}


# aliases


def test_check_008_a_project_is_found_by_its_alias(site: Site) -> None:
    made = site.ask("PUT", P, format="xml", req_format="qs", alias="NICK")
    assert made.status_code == 200
    found = site.ask("GET", "/data/projects/NICK", format="json").json()["items"][0]["data_fields"]
    assert found["ID"] == PROJECT
    uri = site.sent(project="NICK", PROJECT_ID="NICK")
    assert uri.startswith(f"/data/prearchive/projects/{PROJECT}/")
    assert site.rows("/data/projects/NICK/resources") == []


def test_configuration_and_scripts_take_the_id_only(site: Site) -> None:
    site.ask("PUT", P, alias="NICK")
    assert site.ask("GET", "/xapi/anonymize/projects/NICK/enabled").status_code == 404
    assert site.ask("GET", f"/xapi/anonymize/projects/{PROJECT}/enabled").status_code == 200
    assert site.ask("GET", "/data/projects/NICK/config/seriesImportFilter/config").status_code == 404


# protected and public projects


def test_check_029_to_031_a_stranger_sees_a_protected_project_and_may_change_nothing(site: Site) -> None:
    site.ask("PUT", f"{P}/accessibility/protected")
    assert ask_as(site, "stranger", "GET", f"{P}/accessibility").text == "protected"
    assert ask_as(site, "stranger", "GET", P, format="json").status_code == 200
    assert ask_as(site, "stranger", "GET", EXPERIMENTS, format="json").status_code == 404
    refused = [
        ask_as(site, "stranger", "PUT", f"{P}/accessibility/public"),
        ask_as(site, "stranger", "DELETE", P),
        ask_as(site, "stranger", "PUT", P, description="mine"),
        ask_as(site, "stranger", "PUT", f"{P}/subjects/S9"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4


def test_a_public_project_is_read_by_everybody_and_written_by_no_stranger(site: Site) -> None:
    site.ask("PUT", f"{P}/accessibility/public")
    assert ask_as(site, "stranger", "GET", EXPERIMENTS, format="json").status_code == 200
    assert ask_as(site, "stranger", "PUT", f"{P}/subjects/S9").status_code == 403


# members


def test_check_032_member_put_of_project_resource_stores_nothing(site: Site) -> None:
    for user in ("member", "collaborator", "adder"):
        answer = ask_as(site, user, "PUT", FILE, b"x", inbody="true")
        assert (answer.status_code, answer.content) == (200, b"")
    assert site.rows(f"{P}/resources") == []
    ask_as(site, "owner", "PUT", FILE, b"x", inbody="true")
    assert [row["label"] for row in site.rows(f"{P}/resources")] == ["R"]


def test_check_033_member_put_of_an_empty_project_resource(site: Site) -> None:
    assert statuses(site, ["member", "owner"], "PUT", f"{P}/resources/R") == {"member": 403, "owner": 200}


def test_check_034_member_put_of_prearchive_code_and_alias(site: Site) -> None:
    assert statuses(site, ["member", "owner"], "PUT", f"{P}/prearchive_code/4") == {"member": 403, "owner": 200}
    assert statuses(site, ["member", "owner"], "PUT", P, alias="NICK") == {"member": 403, "owner": 200}


def test_check_035_member_builds_archives_and_deletes_in_the_prearchive(site: Site) -> None:
    other = site.sent({"1.dcm": dicom(StudyInstanceUID="1.2.9")}, session="E9", EXPT_LABEL="E9")
    assert ask_as(site, "member", "DELETE", other).status_code == 200
    uri = site.sent()
    assert ask_as(site, "member", "POST", uri, action="build").status_code == 200
    query: dict[str, Any] = {"src": uri.removeprefix("/data"), "auto-archive": "false"}
    assert ask_as(site, "member", "POST", "/data/services/archive", **query).status_code == 200


def test_check_036_member_writes_a_resource_of_a_session(site: Site) -> None:
    site.archived()
    path = f"{SESSION}/resources/R/files/a.txt"
    assert ask_as(site, "member", "PUT", path, b"x", inbody="true").status_code == 200
    assert site.ask("GET", path).content == b"x"
    ask_as(site, "collaborator", "PUT", f"{SESSION}/resources/R/files/b.txt", b"x", inbody="true")
    assert site.ask("GET", f"{SESSION}/resources/R/files/b.txt").status_code == 404


def test_check_037_only_owners_delete_sessions(site: Site) -> None:
    site.archived()
    users = ["collaborator", "member", "owner"]
    assert statuses(site, users, "DELETE", SESSION) == {"collaborator": 403, "member": 403, "owner": 200}


def test_check_038_who_may_relabel_a_session(site: Site) -> None:
    site.archived()
    users = ["stranger", "collaborator", "member"]
    expected = {"stranger": 404, "collaborator": 403, "member": 200}
    assert statuses(site, users, "PUT", SESSION, label="E2") == expected
    assert [row["label"] for row in site.rows(EXPERIMENTS)] == ["E2"]
    assert len(site.rows(f"{P}/subjects/S1/experiments/E2/scans/3/resources/DICOM/files")) == 1


@pytest.mark.parametrize("named", ["Members", "member", f"{PROJECT}_member"])
def test_check_039_roles_by_their_names(site: Site, named: str) -> None:
    assert site.ask("PUT", f"{P}/users/{named}/stranger").status_code == 200
    assert ask_as(site, "stranger", "GET", P).status_code == 200
    assert {row["login"]: row["displayname"] for row in site.rows(f"{P}/users")}["stranger"] == "Members"
    assert site.ask("DELETE", f"{P}/users/{named}/stranger").status_code == 200
    assert ask_as(site, "stranger", "GET", P).status_code == 404


def test_check_040_a_collaborator_imports_and_may_do_nothing_more(site: Site) -> None:
    uri = site.sent()
    query: dict[str, Any] = {"src": uri.removeprefix("/data"), "auto-archive": "false"}
    refused = [
        ask_as(site, "collaborator", "POST", uri, action="build"),
        ask_as(site, "collaborator", "POST", "/data/services/archive", **query),
        ask_as(site, "collaborator", "DELETE", uri),
        ask_as(site, "adder", "POST", uri, action="build"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4


def test_check_052_only_owners_configure_a_project(site: Site) -> None:
    users = ["stranger", "collaborator", "member", "owner"]
    for path in (f"{P}/config/tool/path", f"/xapi/anonymize/projects/{PROJECT}"):
        found = statuses(site, users, "PUT", path, b"contents")
        assert {user: status // 100 for user, status in found.items()} == dict(zip(users, [4, 4, 4, 2], strict=True))
        assert found["member"] == 403


def test_check_053_the_configuration_of_a_hidden_project_is_not_there(site: Site) -> None:
    site.ask("PUT", f"{P}/config/tool/path", b"contents")
    found = statuses(site, ["stranger", "collaborator"], "GET", f"{P}/config/tool/path", contents="true")
    assert found == {"stranger": 404, "collaborator": 200}


# asking for rights


@pytest.mark.parametrize(
    ("permission", "users"),
    [
        ("read", {"admin", "owner", "member", "collaborator", "adder"}),
        ("create", {"admin", "owner", "member", "adder"}),
        ("edit", {"admin", "owner", "member"}),
        ("delete", {"admin", "owner"}),
    ],
)
def test_the_projects_in_which_a_user_may_do_something(site: Site, permission: str, users: set[str]) -> None:
    site.ask("PUT", f"{P}/accessibility/public")
    query: dict[str, Any] = {"permissions": permission, "dataType": "xnat:subjectData"}
    may = {"admin"} if {"id": PROJECT, "secondary_id": PROJECT} in site.rows("/data/projects", **query) else set()
    for user in ("stranger", *ROLES):
        rows = ask_as(site, user, "GET", "/data/projects", **query).json()["ResultSet"]["Result"]
        may |= {user} if any(row["id"] == PROJECT for row in rows) else set()
    assert may == users
    assert ask_as(site, "owner", "GET", "/data/projects", permissions="own").status_code == 500


def test_the_role_in_each_project(site: Site) -> None:
    def role(user: str) -> list[str]:
        return [row["role"] for row in ask_as(site, user, "GET", "/xapi/access/projects").json()]

    assert [role(user) for user in ("owner", "member", "collaborator")] == [["Owners"], ["Members"], ["Collaborators"]]
    assert role("stranger") == []


# shared sessions


def test_a_shared_session_is_listed_under_its_label_there_with_its_own_project(site: Site) -> None:
    site.archived()
    site.ask("PUT", "/data/projects/OTHER", accessibility="private")
    assert ask_as(site, "member", "PUT", f"{SESSION}/projects/OTHER", label="THERE").status_code == 403
    assert site.ask("PUT", f"{SESSION}/projects/OTHER", label="THERE").status_code == 200
    [row] = site.rows("/data/projects/OTHER/experiments", columns="ID,label,project,UID")
    assert (row["label"], row["project"], row["UID"]) == ("THERE", PROJECT, "1.2.826.1")
    assert site.ask("GET", "/data/projects/OTHER/experiments/THERE").status_code == 200
    assert [row["label"] for row in site.rows(EXPERIMENTS)] == ["E1"]


def test_nothing_is_merged_into_a_shared_session(site: Site) -> None:
    site.archived()
    site.ask("PUT", "/data/projects/OTHER")
    site.ask("PUT", f"{SESSION}/projects/OTHER")
    more = {"2.dcm": dicom(2)}
    uri = site.built(more, project="OTHER", PROJECT_ID="OTHER")
    answer = site.archive(uri, overwrite="append")
    assert answer.status_code == 500
    assert "Invalid modification of session project via archive process." in message(answer)
    assert [row["file_count"] for row in site.rows(f"{SESSION}/scans/ALL/resources")] == ["1"]


# addresses of scans


def test_the_address_of_a_scan_also_means_those_of_this_type(site: Site) -> None:
    first = dicom(1, SeriesInstanceUID="1.2.826.1.3", SeriesNumber="2", SeriesDescription="Thorax")
    second = dicom(1, SeriesInstanceUID="1.2.826.1.4", SeriesNumber="7", SeriesDescription="2")
    site.archived({"1.dcm": first, "2.dcm": second})
    assert len(site.rows(f"{SESSION}/scans/2/resources/DICOM/files")) == 2
    assert {row["cat_id"] for row in site.rows(f"{SESSION}/scans/2/resources")} == {"2", "7"}
    [only] = [row for row in site.rows(f"{SESSION}/scans/ALL/resources") if row["cat_id"] == "2"]
    number = only["xnat_abstractresource_id"]
    assert len(site.rows(f"{SESSION}/scans/ALL/resources/{number}/files")) == 1
    assert site.ask("GET", f"{SESSION}/scans/ALL/resources/{number}").status_code == 200


# counting


@pytest.mark.parametrize("status", [400, 403, 500])
def test_refreshing_may_be_refused(site: Site, status: int) -> None:
    site.archived()
    resource = site.rows(EXPERIMENTS)[0]["ID"]
    query: dict[str, Any] = {"resource": f"/archive/experiments/{resource}", "options": "populateStats"}
    users = ["collaborator", "member"]
    assert statuses(site, users, "POST", "/data/services/refresh/catalog", **query) == {
        "collaborator": 403,
        "member": 200,
    }
    site.settings.refresh_refusal = status
    assert site.ask("POST", "/data/services/refresh/catalog", **query).status_code == status
