"""Who may do what with a project (xnat-http.md §3)."""

from typing import Any

from sandbox.xnat.accounts import User
from sandbox.xnat.store import Store

OWNER, MEMBER, COLLABORATOR = "Owners", "Members", "Collaborators"
ROLES = (OWNER, MEMBER, COLLABORATOR)


class Rights:
    """Roles of users in projects; an administrator may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def grant(self, project: str, user: str, role: str) -> None:
        """Give a user a role in a project: Owners, Members or Collaborators."""
        if role not in ROLES:
            raise ValueError(f"{role} is none of {ROLES}")
        self._store.run("INSERT OR REPLACE INTO members VALUES(?, ?, ?)", project, user, role)

    def revoke(self, project: str, user: str) -> None:
        """Take a user's role in a project away."""
        self._store.run("DELETE FROM members WHERE project = ? AND user = ?", project, user)

    def can_read(self, user: User, project: str) -> bool:
        """Whether the user sees the project's data; a project that is not there is never seen."""
        found = self._project(project)
        return found is not None and (
            user.is_admin or found["accessibility"] == "public" or self._role(user, project) is not None
        )

    def can_edit(self, user: User, project: str) -> bool:
        """Whether the user may change the project's data."""
        return self._project(project) is not None and (user.is_admin or self._role(user, project) in {OWNER, MEMBER})

    def can_delete(self, user: User, project: str) -> bool:
        """Whether the user owns the project."""
        return self._project(project) is not None and (user.is_admin or self._role(user, project) == OWNER)

    def can_edit_prearchive(self, user: User, project: str) -> bool:
        """Whether the user may change prearchive sessions of a project; Unassigned is the administrator's."""
        return user.is_admin if not project else self.can_edit(user, project)

    def role(self, user: User, project: str) -> str:
        """Return the role of a user in a project, as /xapi/access names it."""
        return "Administrator" if user.is_admin else self._role(user, project) or "Public"

    def _role(self, user: User, project: str) -> str | None:
        found = self._store.row("SELECT role FROM members WHERE project = ? AND user = ?", project, user.name)
        return found["role"] if found else None

    def _project(self, project: str) -> dict[str, Any] | None:
        return self._store.row("SELECT * FROM projects WHERE id = ?", project)
