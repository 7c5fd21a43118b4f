"""Pages that set anonymisation scripts: the site's, and a project's by XNAT's older address.

As XNAT's source has them: AnonymizeApi for /xapi/anonymize/site, EditScript for /data/config/edit.
"""

from starlette.requests import Request
from starlette.responses import Response

from sandbox.xnat import answers
from sandbox.xnat.answers import Refused
from sandbox.xnat.rights import Rights
from sandbox.xnat.scripts import Scripts
from sandbox.xnat.settings import Settings

_ON = {"true", "enabled", "1"}


class ScriptPages:
    """What sets scripts."""

    def __init__(self, settings: Settings, rights: Rights, scripts: Scripts) -> None:
        self._settings, self._rights, self._scripts = settings, rights, scripts

    async def put_site(self, request: Request) -> Response:
        """Set the site's script, as administrator."""
        _refuse_others(request)
        self._settings.sitewide_anonymization_script = (await request.body()).decode()
        return answers.empty()

    def enable_site(self, request: Request) -> Response:
        """Switch the site's script on or off, as administrator."""
        _refuse_others(request)
        self._settings.enable_sitewide_anonymization_script = request.query_params.get("enable", "true") == "true"
        return answers.empty()

    # the older address

    def script(self, request: Request) -> Response:
        """Tell the script of a project, or of the site when the address names none."""
        return answers.table(request, [{"project": self._project(request), "script": self._found(request)[0]}])

    def status(self, request: Request) -> Response:
        """Tell whether a script is on."""
        is_on = str(self._found(request)[1]).lower()
        return answers.table(request, [{"project": self._project(request), "edit": is_on}])

    async def put_script(self, request: Request) -> Response:
        """Set the script of a project, as owner; `activate` switches it on or off."""
        text = (await request.body()).decode()
        activate = request.query_params.get("activate")
        is_on = self._found(request)[1] if activate is None else activate.lower() in _ON
        return self._set(request, text, is_on=is_on)

    async def put_status(self, request: Request) -> Response:
        """Switch the script of a project on or off, by `activate` or by the body."""
        wanted = request.query_params.get("activate") or (await request.body()).decode().strip()
        return self._set(request, self._found(request)[0], is_on=wanted.lower() in _ON)

    def _set(self, request: Request, text: str, *, is_on: bool) -> Response:
        project = self._project(request)
        if not self._rights.can_delete(request.user, project):
            raise Refused(403, "User does not have privileges to access this project")
        self._scripts.set_project(project, text, request.user.name, is_on=is_on)
        return answers.empty()

    def _found(self, request: Request) -> tuple[str, bool]:
        site = self._settings
        if project := self._project(request):
            return self._scripts.stored(project)
        return site.sitewide_anonymization_script, site.enable_sitewide_anonymization_script

    def _project(self, request: Request) -> str:
        """Return the project of the address; empty for the site."""
        project: str = request.path_params.get("project", "")
        if project and not self._rights.can_read(request.user, project):
            raise Refused(404, f"Unable to identify project {project}")
        return project


def _refuse_others(request: Request) -> None:
    if not request.user.is_admin:
        raise Refused(403, "Forbidden")
