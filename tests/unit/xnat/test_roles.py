"""What a user may do, from what XNATs of several kinds answer."""

import json
from typing import Any, cast

import pytest

from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.xnat.answers import Answer
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.preferences import read_scripts
from tcia_xnat.xnat.roles import Rights, ask_rights


class Fake:
    """Answers by address; what it does not know is not there."""

    def __init__(self, pages: dict[str, tuple[int, Any]]) -> None:
        self._pages = pages
        self.patience = Patience(RetryPolicy(1, 0), lambda _seconds: None)

    def ask(self, _method: str, path: str, query: dict[str, str] | None = None, **_options: Any) -> Answer:  # noqa: ANN401
        status, body = self._pages.get(f"{path}?{query['permissions']}" if query else path, (404, "<html>no</html>"))
        return Answer(status, body if isinstance(body, str) else json.dumps(body))

    def as_connection(self) -> XnatConnection:
        return cast("XnatConnection", self)


def listed(*names: str, column: str = "id") -> tuple[int, Any]:
    return 200, {"ResultSet": {"Result": [{column: name} for name in names]}}


def role(name: str, key: str = "ID") -> tuple[int, Any]:
    return 200, [{key: "OTHER", "role": "Owners"}, {key: "P", "role": name}]


CREATE, EDIT, ROLES = "/data/projects?create", "/data/projects?edit", "/xapi/access/projects"
P, NONE, OLD = listed("OTHER", "P"), listed("OTHER"), listed("P", column="ID")
ANSWERS: list[tuple[dict[str, tuple[int, Any]], tuple[bool | None, bool | None]]] = [
    ({CREATE: P, EDIT: P, ROLES: role("Owners")}, (True, True)),
    ({CREATE: P, EDIT: P, ROLES: role("Administrator")}, (True, True)),
    ({CREATE: P, EDIT: P, ROLES: role("Members")}, (True, False)),
    ({CREATE: P, EDIT: P, ROLES: role("member", key="id")}, (True, False)),
    ({CREATE: P, EDIT: P, ROLES: role("Radiographers")}, (True, None)),
    ({CREATE: P, EDIT: P}, (True, None)),
    ({CREATE: P, EDIT: NONE, ROLES: role("Radiographers")}, (False, None)),
    ({CREATE: NONE, EDIT: P, ROLES: role("Radiographers")}, (False, None)),
    ({CREATE: NONE, EDIT: NONE, ROLES: role("Collaborators")}, (False, False)),
    ({CREATE: NONE, EDIT: NONE, ROLES: role("Public")}, (False, False)),
    ({CREATE: NONE, EDIT: NONE}, (False, None)),
    # XNATs that do not list permissions
    ({CREATE: OLD, EDIT: OLD, ROLES: role("Members")}, (True, False)),
    ({CREATE: OLD, EDIT: OLD, ROLES: role("Collaborators")}, (False, False)),
    ({CREATE: (500, "x"), EDIT: (500, "x"), ROLES: role("Owners")}, (True, True)),
    ({ROLES: role("Radiographers")}, (None, None)),
    ({CREATE: (200, "garbage"), EDIT: (200, ""), ROLES: (200, "garbage")}, (None, None)),
    ({ROLES: (200, {"P": "Owners"})}, (None, None)),
    ({ROLES: (200, ["P", None])}, (None, None)),
    ({}, (None, None)),
]


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_what_a_user_may_do(number: int) -> None:
    pages, (may_transfer, may_write_project) = ANSWERS[number]
    rights = ask_rights(Fake(pages).as_connection(), "P")
    assert (rights.may_transfer, rights.may_write_project) == (may_transfer, may_write_project)
    assert (rights.refusal("P") is None) is (may_transfer is not False)


def test_refusals_name_the_role_and_what_is_lacking() -> None:
    reader = Rights(may_create=False, may_edit=False, role="collaborator").refusal("P")
    adder = Rights(may_create=True, may_edit=False).refusal("P")
    assert str(reader) == "this user may read project P (role: collaborator), but may not add to it"
    assert str(adder) == "this user may read project P, but may not change it, which archiving needs"
    assert reader is not None
    assert (reader.exit_code, "a member or owner" in reader.hint) == (5, True)


SITE, PROJECT = "/xapi/siteConfig", "/xapi/anonymize/projects/P"


def test_scripts_are_read_where_xnat_shows_them() -> None:
    pages = {
        f"{SITE}/enableSitewideAnonymizationScript": (200, True),
        f"{SITE}/sitewideAnonymizationScript": (200, '(0008,0018) := "1"'),
        f"{SITE}/dicomFileNameTemplate": (200, "${SOPInstanceUID}"),
        f"{PROJECT}/enabled": (200, "true"),
        PROJECT: (200, '(0008,0060) = "SR" ? reject'),
    }
    scripts = read_scripts(Fake(pages).as_connection(), "P")
    assert (scripts.site.changes_uids, scripts.project.changes_uids) == (True, False)
    assert (scripts.may_reject, scripts.template.is_unique) == (True, True)


@pytest.mark.parametrize("answer", [(403, "<html>no</html>"), (404, ""), (200, "perhaps"), (200, {"a": 1}), (204, "")])
def test_what_xnat_does_not_tell_of_scripts_is_unknown(answer: tuple[int, Any]) -> None:
    names = ("enableSitewideAnonymizationScript", "sitewideAnonymizationScript", "dicomFileNameTemplate")
    pages = dict.fromkeys([*(f"{SITE}/{name}" for name in names), PROJECT, f"{PROJECT}/enabled"], answer)
    scripts = read_scripts(Fake(pages).as_connection(), "P")
    assert (scripts.changes_uids, scripts.may_reject, scripts.template.is_unique) == (None, None, None)
    assert (scripts.site.is_on, scripts.project.is_on) == (None, None)


def test_a_project_that_is_not_there_yet_has_no_script() -> None:
    assert read_scripts(Fake({}).as_connection(), "").project.is_on is False
