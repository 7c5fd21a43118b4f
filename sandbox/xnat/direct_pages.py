"""Pages of direct archiving: sessions that arrive in the archive itself (xnat-http.md §8.6)."""

from starlette.requests import Request
from starlette.responses import Response

from sandbox.xnat import answers
from sandbox.xnat.background import Background
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.rights import Rights


class DirectPages:
    """What is asked about sessions on their direct way."""

    def __init__(self, rights: Rights, prearchive: Prearchive, background: Background) -> None:
        self._rights, self._prearchive, self._background = rights, prearchive, background

    def get(self, request: Request) -> Response:
        """Show a session; one that is archived is no longer here."""
        row = self._found(request)
        return answers.as_json(_shown(row)) if row else answers.empty(404)

    def post(self, request: Request) -> Response:
        """Archive a session now."""
        row = self._found(request)
        if row is None:
            return answers.empty(404)
        if not self._rights.can_edit(request.user, row.project):
            return answers.empty(403)
        self._background.archive_direct(row)
        return answers.empty()

    def delete(self, request: Request) -> Response:
        """Delete a session with its files."""
        wanted = request.path_params["id"]
        row = next((row for row in self._prearchive.list_all(direct=True) if row.id == wanted), None)
        if row is None:
            return answers.empty(404)
        if not self._rights.can_edit(request.user, row.project):
            return answers.empty(403)
        self._prearchive.delete(row)
        return answers.empty()

    def list_all(self, request: Request) -> Response:
        """List the sessions of the projects that the user may edit."""
        rows = self._prearchive.list_all(direct=True)
        return answers.as_json([_shown(row) for row in rows if self._rights.can_edit(request.user, row.project)])

    def _found(self, request: Request) -> Row | None:
        project, tag, label = (request.path_params[name] for name in ("project", "tag", "label"))
        if not self._rights.can_read(request.user, project):
            return None
        rows = self._prearchive.list_all({project}, direct=True)
        return next((row for row in rows if row.tag == tag and row.name == label), None)


def _shown(row: Row) -> dict[str, object]:
    return {"id": row.id, "project": row.project, "tag": row.tag, "name": row.name, "status": row.status}
