"""Configurations by tool and path, and the anonymisation scripts that are kept as such.

As XNAT's own source has them: ConfigResource for /data/config, AnonymizeApi for /xapi/anonymize (both 1.8.11).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.xnat import answers
from sandbox.xnat.answers import Refused
from sandbox.xnat.rights import Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store

_ANON = "anon", "script"
_STATES = {"enabled": "enabled", "true": "enabled", "disabled": "disabled", "false": "disabled"}
_BAD_STATE = "Only valid values for the status flag are enabled or true and disabled or false"


class ConfigPages:
    """What is asked about configurations; a filter that is put here is told, but filters nothing."""

    def __init__(self, settings: Settings, store: Store, rights: Rights) -> None:
        self._settings, self._store, self._rights = settings, store, rights

    def get(self, request: Request) -> Response:
        """Tell the configuration of a project at a tool and path."""
        project = self._readable(request)
        tool, path = request.path_params["tool"], request.path_params["path"]
        found = self._find(project, tool, path)
        if found is None:
            user = request.user.name
            raise Refused(
                404, f"Couldn't find config for user {user} and project {project} on tool [{tool}] path [{path}]"
            )
        if request.query_params.get("contents") == "true":
            return answers.text(found["contents"])
        return answers.table(request, [{**found, "reason": "", "unversioned": "false", "version": 1}])

    async def put(self, request: Request) -> Response:
        """Set a configuration, or only its status; owners may."""
        project = request.path_params["project"]
        if not self._rights.can_edit_project(request.user, project):
            raise Refused(403, "User does not have privileges to modify config for this project")
        tool, path = request.path_params["tool"], request.path_params["path"]
        contents, status = (await request.body()).decode(), request.query_params.get("status", "enabled").lower()
        if status not in _STATES:
            raise Refused(400, f"{_BAD_STATE}: {status}")
        before = self._find(project, tool, path)
        kept = contents or (before["contents"] if before else "")
        if not kept:
            raise Refused(500, "No contents provided")
        self._set(request, project, (tool, path), kept, _STATES[status])
        return answers.empty(200 if before else 201)

    # anonymisation

    def site_script(self, _request: Request) -> Response:
        """Tell the site's script."""
        return answers.text(self._settings.sitewide_anonymization_script)

    def site_script_enabled(self, _request: Request) -> Response:
        """Tell whether it is on."""
        return answers.as_json(self._settings.enable_sitewide_anonymization_script)

    def script(self, request: Request) -> Response:
        """Tell a project's script; 204 when it has none."""
        found = self._find(self._readable(request), *_ANON)
        return answers.text(found["contents"]) if found else answers.empty(204)

    def script_enabled(self, request: Request) -> Response:
        """Tell whether a project's script is on."""
        found = self._find(self._readable(request), *_ANON)
        return answers.as_json(found is not None and found["status"] == "enabled")

    async def put_script(self, request: Request) -> Response:
        """Set a project's script; owners may."""
        project = self._owned(request)
        self._set(request, project, _ANON, (await request.body()).decode(), "enabled")
        return answers.empty()

    def enable_script(self, request: Request) -> Response:
        """Switch a project's script on or off; owners may."""
        project = self._owned(request)
        found = self._find(project, *_ANON) or {"contents": ""}
        is_on = request.query_params.get("enable", "true") == "true"
        self._set(request, project, _ANON, found["contents"], "enabled" if is_on else "disabled")
        return answers.empty()

    # steps

    def _readable(self, request: Request) -> str:
        project: str = request.path_params["project"]
        if not self._rights.can_see(request.user, project):
            raise Refused(404, f"The requested project {project} does not exist.")
        return project

    def _owned(self, request: Request) -> str:
        project: str = request.path_params["project"]
        if not self._rights.can_edit_project(request.user, project):
            raise Refused(403, "Forbidden")
        return project

    def _find(self, project: str, tool: str, path: str) -> dict[str, Any] | None:
        return self._store.row("SELECT * FROM configs WHERE project = ? AND tool = ? AND path = ?", project, tool, path)

    def _set(self, request: Request, project: str, place: tuple[str, str], contents: str, status: str) -> None:
        date = self._settings.clock.date().isoformat(" ")
        self._store.run(
            "INSERT OR REPLACE INTO configs VALUES(?, ?, ?, ?, ?, ?, ?)",
            project, *place, contents, status, request.user.name, date,
        )  # fmt: skip
