"""Files that a run keeps in resources of its project; in the output folder when the user may not write there."""

from pathlib import Path

from tcia_xnat.core.errors import FolderError, RightsRefused
from tcia_xnat.core.events import Noted, NotKept, Tell
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.roles import RESOURCES_STAY, Rights


class ProjectFiles:
    """Keeps files in resources of a project.

    Parameters
    ----------
    rights
        What the user may do there. When it is unknown whether the project can be written, the first file tells.
    folder
        Takes the files of those who may not write to the project, in a folder for each resource.
    tell
        Told once when it turns out that the project cannot be written.
    """

    def __init__(self, project: XnatProject, rights: Rights, folder: Path, tell: Tell) -> None:
        self._project, self._folder, self._tell = project, folder, tell
        self._is_owner = rights.may_write_project is True
        self.may_write = rights.may_write_project is not False

    def keep(self, resource: str, name: str, content: bytes, *, seconds: float = ANSWER_SECONDS) -> None:
        """Keep a file in the project, or in the output folder.

        Raises
        ------
        RightsRefused
            XNAT calls the user an owner and does not store it all the same.
        """
        if self.may_write:
            try:
                self._project.put_resource(resource, name, content, seconds=seconds)
            except RightsRefused:
                if self._is_owner:
                    raise
                self.may_write = False
                self._tell(Noted(RESOURCES_STAY))
        if not self.may_write:
            self._keep_here(resource, name, content)

    def _keep_here(self, resource: str, name: str, content: bytes) -> None:
        path = self._folder / resource / Path(name).name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            self._tell(NotKept(path.name, FolderError(f"{path} cannot be written: {error.strerror}")))
