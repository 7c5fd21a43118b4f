"""Projects: creation and its many refusals, accessibility, prearchive_code, members (xnat-http.md §3)."""

import re
from collections.abc import Mapping
from typing import Any

from defusedxml import ElementTree
from starlette.requests import Request
from starlette.responses import Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import Accounts, User
from sandbox.xnat.answers import Refused
from sandbox.xnat.rights import OWNER, PERMISSIONS, ROLES, Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store, remove

_ID = re.compile(r"[A-Za-z0-9-_]+")
_FIELDS = {
    "name": "name",
    "secondary_ID": "secondary_id",
    "description": "description",
    "keywords": "keywords",
    "alias": "alias",
    "pi_firstname": "pi_firstname",
    "pi_lastname": "pi_lastname",
    "note": "note",
}
_CLASHING = {"id": "Project Id", "name": "Title", "secondary_id": "Running Title", "alias": "Alias"}
_LEVELS = {"private", "protected", "public"}
_DEFAULT_COLUMNS = ("pi_firstname", "secondary_ID", "pi_lastname", "name", "description", "ID", "URI")
_NOT_FOUND = "Unable to find the specified experiment."
_CODES = {"true": 1, "false": 0}
_PREFIX = "xnat:projectdata/"
Fields = dict[str, str]


class ProjectPages:
    """What is asked about projects."""

    def __init__(self, settings: Settings, store: Store, rights: Rights, accounts: Accounts) -> None:
        self._settings, self._store, self._rights, self._accounts = settings, store, rights, accounts

    def list_all(self, request: Request) -> Response:
        """List the projects that the user may see, or those where a group of the user permits something."""
        if "permissions" in request.query_params:
            return self._list_permitted(request)
        columns = request.query_params.get("columns", ",".join(_DEFAULT_COLUMNS)).split(",")
        projects = self._store.rows("SELECT * FROM projects ORDER BY id")
        rows = [_listed(project) for project in projects if self._rights.can_see(request.user, project["id"])]
        return answers.table(request, [{name: row[name] for name in columns if name in row} for row in rows])

    def _list_permitted(self, request: Request) -> Response:
        """List by XNAT's PermissionsProjectHandler: lower-case columns, public projects are not counted."""
        permission = request.query_params["permissions"]
        if permission not in PERMISSIONS or not request.query_params.get("dataType"):
            return answers.empty(500)
        projects = self._store.rows("SELECT id, secondary_id FROM projects ORDER BY secondary_id")
        return answers.table(
            request, [row for row in projects if self._rights.may(request.user, row["id"], permission)]
        )

    def get(self, request: Request) -> Response:
        """Show a project; one that may not be read is not there (§3.1)."""
        project = self._readable(request, _NOT_FOUND)
        fields = _listed(project) | {"active": "1"}
        if request.query_params.get("format") == "json":
            return answers.items(answers.item("xnat:projectData", {k: v for k, v in fields.items() if k != "URI"}))
        return answers.item_as_xml("Project", {"ID": fields["ID"], "name": fields["name"]})

    async def put(self, request: Request) -> Response:
        """Create or update a project (§3.2, §3.3)."""
        project_id = request.path_params["project"]
        fields = _queried(request.query_params) | _posted(await request.body())
        self._check_id(request, project_id, fields)
        if self._find(project_id) is None:
            self._create(request.user, project_id, fields)
        elif self._rights.can_edit_project(request.user, project_id):
            self._update(project_id, fields)
        else:
            raise Refused(403, "User account doesn't have permission to edit this project.")
        return answers.empty()

    async def post(self, request: Request) -> Response:
        """Create a project whose ID stands in the body or the query (§3.4)."""
        fields = _queried(request.query_params) | _posted(await request.body())
        project_id = fields.get("id", "")
        if not _ID.fullmatch(project_id):
            raise Refused(417, "Invalid character in project ID." if project_id else "Missing project ID.")
        if self._find(project_id):
            raise Refused(409, "Project already exists.")
        self._create(request.user, project_id, fields)
        return answers.text(f"/data/projects/{project_id}")

    def delete(self, request: Request) -> Response:
        """Delete a project; its ID is burnt (§3.7)."""
        project_id = self._readable(request, _NOT_FOUND)["id"]
        if not self._rights.can_edit_project(request.user, project_id):
            raise Refused(403, "User account doesn't have permission to delete this project.")
        with self._store.transaction():
            self._store.run(
                "DELETE FROM scans WHERE experiment IN (SELECT id FROM experiments WHERE project = ?)", project_id
            )
            for table in ("experiments", "subjects", "members", "prearchive", "shares"):
                self._store.run(f"DELETE FROM {table} WHERE project = ?", project_id)  # noqa: S608  names from above
            self._store.run("DELETE FROM resources WHERE owner = ?", f"projects/{project_id}")
            self._store.run("DELETE FROM projects WHERE id = ?", project_id)
            self._store.insert("deleted_projects", id=project_id)
        remove([self._store.archive / project_id, self._store.prearchive / project_id])
        return answers.empty()

    # attributes

    def accessibility(self, request: Request) -> Response:
        """Tell or change who may see a project (§3.5)."""
        project_id = request.path_params["project"]
        project = self._find(project_id)
        if project is None or not self._rights.can_see(request.user, project_id):
            raise Refused(404, f"Could not find the project with ID '{project_id}'")
        level = request.path_params.get("level")
        if request.method != "PUT":
            return answers.text(project["accessibility"])
        if not self._rights.can_edit_project(request.user, project_id):
            raise Refused(403, "User account doesn't have permission to change the accessibility of this project.")
        if level not in _LEVELS:
            raise Refused(400, f"Unknown accessibility: {level}")
        self._store.run("UPDATE projects SET accessibility = ? WHERE id = ?", level, project_id)
        return answers.empty()

    def prearchive_code(self, request: Request) -> Response:
        """Tell or change what XNAT does with prearchive sessions by itself (§3.6)."""
        return self._code(request, "prearchive_code")

    def quarantine_code(self, request: Request) -> Response:
        """Tell or change whether new data are quarantined (§3.6)."""
        return self._code(request, "quarantine_code")

    def _code(self, request: Request, name: str) -> Response:
        project = self._readable(request, _NOT_FOUND)
        value = request.path_params.get("value")
        if request.method != "PUT":
            return answers.text(str(project[name]))
        if not self._rights.can_edit_project(request.user, project["id"]):
            raise Refused(403, "User account doesn't have permission to edit this project.")
        number = _number(value or "")
        if name == "prearchive_code" and number and not self._settings.project_allow_auto_archive:
            raise Refused(403, "Auto-archiving is not allowed on this site.")
        self._store.run(f"UPDATE projects SET {name} = ? WHERE id = ?", number, project["id"])  # noqa: S608  from the route
        return answers.empty()

    def other(self, request: Request) -> Response:
        """Refuse what is no attribute of a project (§3.6)."""
        self._readable(request, _NOT_FOUND)
        raise Refused(400, f"Unknown project attribute: {request.path_params['rest']}")

    # members

    def members(self, request: Request) -> Response:
        """List the users of a project."""
        project = self._readable(request, _NOT_FOUND)
        found = self._store.rows("SELECT user, role FROM members WHERE project = ? ORDER BY user", project["id"])
        rows = [
            {
                "login": row["user"],
                "GROUP_ID": f"{project['id']}_{row['role'].lower()[:-1]}",
                "displayname": row["role"],
            }
            for row in found
        ]
        return answers.table(request, rows)

    def member(self, request: Request) -> Response:
        """Give a role to a user, or take it away; a role has three names: `Members`, `member`, `PROJECT_member`."""
        project, named, user = (request.path_params[name] for name in ("project", "role", "user"))
        if not self._rights.can_edit_project(request.user, project):
            raise Refused(403, "User account doesn't have permission to modify users of this project.")
        plain = named.removeprefix(f"{project}_").lower().removesuffix("s")
        role = next((role for role in ROLES if role.lower().removesuffix("s") == plain), "")
        if not role or self._accounts.user(user) is None:
            raise Refused(404, f"Unknown user or role: {user}, {named}")
        if request.method == "PUT":
            self._rights.grant(project, user, role)
        else:
            self._rights.revoke(project, user)
        return answers.empty()

    # steps

    def _find(self, project_id: str) -> dict[str, Any] | None:
        return self._store.row("SELECT * FROM projects WHERE id = ?", project_id)

    def _readable(self, request: Request, message: str) -> dict[str, Any]:
        project = self._find(request.path_params["project"])
        if project is None or not self._rights.can_see(request.user, project["id"]):
            raise Refused(404, message)
        return project

    def _check_id(self, request: Request, project_id: str, fields: Fields) -> None:
        if request.user.is_guest:
            raise Refused(403, "Guests cannot create projects.")
        if not _ID.fullmatch(project_id):
            raise Refused(417, "Invalid character in project ID.")
        if "-" in project_id and request.query_params.get("testHyphen") == "true":
            raise Refused(417, "Hyphens are not allowed in project ID.")
        if fields.get("id", project_id) != project_id:
            raise Refused(417, "Project ID in the document differs from that in the address.")

    def _create(self, user: User, project_id: str, fields: Fields) -> None:
        if not (user.is_admin or self._settings.ui_allow_non_admin_project_creation):
            raise Refused(403, f"User {user.name} doesn't have permission to create projects on this system")
        with self._store.lock:
            if self._store.row("SELECT id FROM deleted_projects WHERE id = ?", project_id):
                raise Refused(
                    403, f"Project '{project_id}' was used in a previously deleted project and cannot be reused."
                )
            values = {"name": project_id, "secondary_id": project_id} | fields | {"id": project_id}
            self._refuse_clashes(values)
            accessibility = values.pop("accessibility", "protected")  # §3.5
            self._store.insert(
                "projects",
                **values,
                accessibility=accessibility,
                prearchive_code=self._settings.default_prearchive_code,
                inserted=self._settings.clock.now(),
            )
            self._rights.grant(project_id, user.name, OWNER)

    def _refuse_clashes(self, values: Fields) -> None:
        """Compare with the names of all projects, visible or not, without regard to case (§3.3)."""
        taken = {
            str(project[name]).lower() for project in self._store.rows("SELECT * FROM projects") for name in _CLASHING
            if project[name]
        }  # fmt: skip
        clashes = [
            f"Invalid {word}: '{values[name]}' is already being used."
            for name, word in _CLASHING.items()
            if values.get(name, "").lower() in taken and values.get(name)
        ]
        if clashes:
            raise Refused(409, f"Requested new project conflicts with existing projects: {', '.join(clashes)}")

    def _update(self, project_id: str, fields: Fields) -> None:
        for name, value in fields.items():
            if name != "id":
                self._store.run(f"UPDATE projects SET {name} = ? WHERE id = ?", value, project_id)  # noqa: S608  from _FIELDS


def _listed(project: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: project[column] for name, column in _FIELDS.items()}
    return named | {"ID": project["id"], "URI": f"/data/projects/{project['id']}"}


def _queried(query: Mapping[str, str]) -> Fields:
    """Return the fields of a project in a query, as shortcuts or as paths (§3.2)."""
    fields: Fields = {}
    for key, value in query.items():
        name = key[len(_PREFIX) :] if key.lower().startswith(_PREFIX) else key
        if name == "ID":
            fields["id"] = value
        elif name in _FIELDS:
            fields[_FIELDS[name]] = value
        elif name == "accessibility" and value in _LEVELS:
            fields["accessibility"] = value
    return fields


def _posted(body: bytes) -> Fields:
    """Return the fields of a project in an XML document."""
    if not body.strip().startswith(b"<"):
        return {}
    root = ElementTree.fromstring(body)
    fields: Fields = {"id": root.get("ID", "")} if root.get("ID") else {}
    for name, column in _FIELDS.items():
        value = root.get(name) or root.findtext(f"{{*}}{name}")
        if value:
            fields[column] = value
    return fields


def _number(value: str) -> int:
    try:
        return _CODES[value] if value in _CODES else int(value)
    except ValueError:
        raise Refused(400, f"Not a number: {value}") from None
