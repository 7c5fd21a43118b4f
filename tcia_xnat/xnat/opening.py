"""Opening a project for a transfer: which it is, what the user may do there, what XNAT does with images. No change."""

from collections.abc import Iterator
from dataclasses import dataclass

from tcia_xnat.core.errors import RightsRefused
from tcia_xnat.xnat import forecast
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.preferences import read_scripts
from tcia_xnat.xnat.project import XnatProject, find_project
from tcia_xnat.xnat.roles import OWNER, RESOURCES_STAY, Rights, ask_rights


@dataclass(frozen=True, slots=True)
class OpenProject:
    """A project into which images may be brought, as far as XNAT tells.

    Attributes
    ----------
    named
        As the user named it: its ID, or an alias.
    is_there
        Whether it exists; else it can be created under the name that was given.
    """

    project: XnatProject
    named: str
    rights: Rights
    is_there: bool = True

    def plan_notes(self) -> Iterator[str]:
        """Yield what a user should know of a run that is planned only."""
        if not self.is_there:
            yield f"project {self.named} is not there: it will be created (private)"
        yield from self.notes()

    def notes(self) -> Iterator[str]:
        """Yield what a user should know before the first byte moves."""
        if self.project.project != self.named:
            yield f"project {self.project.project} (given as {self.named})"
        if self.rights.may_write_project is False:
            yield RESOURCES_STAY
        yield from forecast.notes(self.project.scripts)


def open_project(xnat: XnatConnection, named: str, *, may_create: bool, hint: str) -> OpenProject:
    """Return the project that is named by ID or alias.

    Parameters
    ----------
    hint
        What to do about a project that is not there and may not be created.

    Raises
    ------
    RightsRefused
        The user may not bring images into it; or it is not there and `may_create` is False.
    """
    project_id = find_project(xnat, named)
    if not project_id:
        if not may_create:
            raise RightsRefused(f"project {named} is not there, or this user may not see it", hint)
        return OpenProject(XnatProject(xnat, named, read_scripts(xnat, "")), named, OWNER, is_there=False)
    rights = ask_rights(xnat, project_id)
    if refusal := rights.refusal(project_id):
        raise refusal
    return OpenProject(XnatProject(xnat, project_id, read_scripts(xnat, project_id)), named, rights)
