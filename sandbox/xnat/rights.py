"""Who may do what with a project (xnat-http.md §3; XNAT's init_project_group_functions.sql)."""

from collections.abc import Set as AbstractSet
from typing import Any

from sandbox.xnat.accounts import User
from sandbox.xnat.store import Store

OWNER, MEMBER, COLLABORATOR = "Owners", "Members", "Collaborators"
ROLES = (OWNER, MEMBER, COLLABORATOR)
PERMISSIONS = ("read", "create", "edit", "delete")
_ON_DATA: dict[str, AbstractSet[str]] = {
    OWNER: {"read", "create", "edit", "delete"},
    MEMBER: {"read", "create", "edit"},
    COLLABORATOR: {"read"},
}


class Rights:
    """Roles of users in projects; an administrator may do everything.

    A custom group is kept as its permissions on data, as `create,read`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def grant(self, project: str, user: str, role: str) -> None:
        """Give a user a role in a project: Owners, Members, Collaborators, or permissions on data as `create,read`."""
        if role not in ROLES and not set(role.split(",")) <= set(PERMISSIONS):
            raise ValueError(f"{role} is none of {ROLES}")
        self._store.run("INSERT OR REPLACE INTO members VALUES(?, ?, ?)", project, user, role)

    def revoke(self, project: str, user: str) -> None:
        """Take a user's role in a project away."""
        self._store.run("DELETE FROM members WHERE project = ? AND user = ?", project, user)

    def named(self, name: str) -> str:
        """Return the ID of a project that is named by ID or alias; empty when there is none."""
        found = self._store.row("SELECT id FROM projects WHERE id = ? OR alias = ? ORDER BY id <> ?", name, name, name)
        return str(found["id"]) if found else ""

    def can_see(self, user: User, project: str) -> bool:
        """Whether the user sees that the project is there: everybody sees those that are not private."""
        found = self._project(project)
        return found is not None and (found["accessibility"] != "private" or self.can_read(user, project))

    def can_read(self, user: User, project: str) -> bool:
        """Whether the user sees the project's data; a project that is not there is never seen."""
        found = self._project(project)
        return found is not None and (found["accessibility"] == "public" or self.may(user, project, "read"))

    def can_create(self, user: User, project: str) -> bool:
        """Whether the user may add data to the project."""
        return self.may(user, project, "create")

    def can_edit(self, user: User, project: str) -> bool:
        """Whether the user may change the project's data."""
        return self.may(user, project, "edit")

    def can_edit_project(self, user: User, project: str) -> bool:
        """Whether the user may change the project itself: its resources, settings and scripts."""
        return self._project(project) is not None and (user.is_admin or self._role(user, project) == OWNER)

    def can_delete(self, user: User, project: str) -> bool:
        """Whether the user may delete data of the project, or the project itself."""
        return self.may(user, project, "delete")

    def can_edit_prearchive(self, user: User, project: str) -> bool:
        """Whether the user may change prearchive sessions of a project; Unassigned is the administrator's."""
        return user.is_admin if not project else self.can_edit(user, project)

    def may(self, user: User, project: str, permission: str) -> bool:
        """Whether a group of the user, or being an administrator, permits something with the project's data."""
        if self._project(project) is None:
            return False
        role = self._role(user, project) or ""
        return user.is_admin or permission in _ON_DATA.get(role, role.split(","))

    def role(self, user: User, project: str) -> str:
        """Return the role of a user in a project, as /xapi/access names it."""
        return "Administrator" if user.is_admin else self._role(user, project) or "Public"

    def _role(self, user: User, project: str) -> str | None:
        found = self._store.row("SELECT role FROM members WHERE project = ? AND user = ?", project, user.name)
        return found["role"] if found else None

    def _project(self, project: str) -> dict[str, Any] | None:
        return self._store.row("SELECT * FROM projects WHERE id = ?", project)
