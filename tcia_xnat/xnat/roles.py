"""What a user may do in a project, asked without changing anything (xnat-http.md §3).

XNAT lists the projects in which a group of the user permits something with data (`permissions=`), custom groups
included, and names the role of the user in each project. An import is accepted from everybody who may read a project,
and a project resource that a Member sends is answered by 200 and not stored: neither answer proves a right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tcia_xnat.core.errors import RightsRefused, XnatUnreachable
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.xnat.answers import OK, table
from tcia_xnat.xnat.connection import XnatConnection

RESOURCES_STAY = "only owners may write to the project: manifest and report stay in the output folder"
_ASK_OWNER = "ask an owner of the project to make this user a member or owner, then run the same command again"
_NOT_ANSWERED = {400, 403, 404, 405, 500}
_DATA_TYPE = "xnat:subjectData"  # its rights are those that XNAT asks for before it builds, archives and merges
_OWNERS, _MEMBERS, _READERS = {"owner", "administrator", "admin"}, {"member"}, {"collaborator", "public", "protected"}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do in a project; None is unknown.

    Attributes
    ----------
    may_create, may_edit
        Add data to the project, and change them. A transfer needs both.
    role
        As XNAT names it, without its plural and in small letters; empty when unknown, or other for a custom group.
    """

    may_create: bool | None = None
    may_edit: bool | None = None
    role: str = ""

    @property
    def may_transfer(self) -> bool | None:
        """Whether images can be imported and archived."""
        if False in {self.may_create, self.may_edit}:
            return False
        return True if self.may_create and self.may_edit else None

    @property
    def may_write_project(self) -> bool | None:
        """Whether resources and settings of the project itself can be written: only owners may."""
        if self.role in _OWNERS:
            return True
        return False if self.role in _MEMBERS | _READERS else None

    def refusal(self, project: str) -> RightsRefused | None:
        """Return why no image can be brought into a project; None when it can, or when that is unknown."""
        if self.may_transfer is not False:
            return None
        role = f" (role: {self.role})" if self.role else ""
        lacks = "add to it" if self.may_create is False else "change it, which archiving needs"
        return RightsRefused(f"this user may read project {project}{role}, but may not {lacks}", _ASK_OWNER)


OWNER = Rights(may_create=True, may_edit=True, role="owner")


def ask_rights(xnat: XnatConnection, project: str) -> Rights:
    """Return what the user may do in a project.

    An XNAT that does not list permissions is asked for the role; what neither tells is unknown.

    Parameters
    ----------
    project
        ID of the project, not an alias.

    Raises
    ------
    XnatUnreachable
        XNAT is away.
    """
    role = _role(xnat, project)
    by_role = True if role in _OWNERS | _MEMBERS else False if role in _READERS else None
    may_create, may_edit = (_is_permitted(xnat, project, permission) for permission in ("create", "edit"))
    return Rights(
        by_role if may_create is None else may_create,
        by_role if may_edit is None else may_edit,
        role,
    )


def _is_permitted(xnat: XnatConnection, project: str, permission: str) -> bool | None:
    query = {"permissions": permission, "dataType": _DATA_TYPE, "format": "json"}
    answer = xnat.patience.call(lambda: xnat.ask("GET", "/data/projects", query, accepted=OK | _NOT_ANSWERED))
    try:
        rows = table(answer) if answer.status in OK else None
    except XnatUnreachable:
        return None
    if rows is None or any("id" not in row for row in rows):  # an XNAT that ignores `permissions` lists `ID`
        return None
    return any(row["id"] == project for row in rows)


def _role(xnat: XnatConnection, project: str) -> str:
    answer = xnat.patience.call(lambda: xnat.ask("GET", "/xapi/access/projects", accepted=OK | _NOT_ANSWERED))
    try:
        told = parse_json(answer.text) if answer.status in OK else []
    except ValueError:
        return ""
    return next((role for name, role in _roles(told) if name == project), "")


def _roles(told: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  as XNAT has it
    for row in told if isinstance(told, list) else ():
        if isinstance(row, dict):
            fields = {str(name).lower(): value for name, value in row.items()}
            yield str(fields.get("id", "")), str(fields.get("role", "")).lower().removesuffix("s")
