"""All addresses of the server, and the parts behind them put together."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.xnat import answers
from sandbox.xnat.accounts import Accounts
from sandbox.xnat.answers import Refused
from sandbox.xnat.archive import Archive
from sandbox.xnat.archive_pages import ArchivePages
from sandbox.xnat.archiver import Archiver
from sandbox.xnat.background import Background
from sandbox.xnat.builder import Headers
from sandbox.xnat.configs import ConfigPages
from sandbox.xnat.dicomzip import DicomZip
from sandbox.xnat.direct_pages import DirectPages
from sandbox.xnat.importer import ImportPages
from sandbox.xnat.login import Login
from sandbox.xnat.logins import LoginPages
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_files import PrearchiveFilePages
from sandbox.xnat.prearchive_pages import PrearchivePages
from sandbox.xnat.projects import ProjectPages
from sandbox.xnat.receiver import Receiver
from sandbox.xnat.resource_pages import ResourcePages
from sandbox.xnat.resources import Resources
from sandbox.xnat.rights import Rights
from sandbox.xnat.script_pages import ScriptPages
from sandbox.xnat.scripts import Scripts
from sandbox.xnat.session_importer import SessionImporter
from sandbox.xnat.settings import Settings
from sandbox.xnat.site import SitePages
from sandbox.xnat.store import Store
from sandbox.xnat.uploads import with_form
from sandbox.xnat.workflows import Workflows

_PROJECT = "/data/projects/{project}"
_PREARCHIVE = "/data/prearchive/projects/{project}/{timestamp}/{folder}"
_SUBJECTS = (f"{_PROJECT}/subjects/{{subject}}", "/data/subjects/{subject}")
_OF_PROJECT = re.compile(r"(?P<before>/data/(?:prearchive/)?projects/)(?P<name>[^/]+)(?P<rest>(?:/.*)?)")
_SESSION_LISTS = ("/data", _PROJECT, *_SUBJECTS)


class Parts:
    """The parts of one server.

    Parameters
    ----------
    directory
        Where everything is kept.
    passwords
        User name → password.
    """

    def __init__(self, directory: Path, settings: Settings, passwords: Mapping[str, str]) -> None:
        self.settings = settings
        self.store = Store(directory)
        self.accounts = Accounts(settings, self.store, passwords)
        self.rights = Rights(self.store)
        self.resources = Resources(settings, self.store)
        self.workflows = Workflows()
        self.archive = Archive(settings, self.store)
        self.prearchive = Prearchive(settings, self.store, Headers())
        self.scripts = Scripts(settings, self.store)
        self.receiver = Receiver(settings, self.store, self.rights, self.prearchive, self.scripts)
        self.archiver = Archiver(settings, self.store, self.rights, self.prearchive, self.archive, self.scripts)
        self.background = Background(settings, self.accounts, self.prearchive, self.receiver, self.archiver)


def make_application(parts: Parts) -> ASGIApp:
    """Return the server as ASGI application, with its login and its context path around it."""
    routes = [
        *_login_routes(parts),
        *_site_routes(parts),
        *_service_routes(parts),
        *_prearchive_routes(parts),
        *_archive_routes(parts),
        *_config_routes(parts),
        *_project_routes(parts),
    ]
    handlers: dict[Any, Any] = {Refused: _refused, HTTPException: _no_such_page, FileNotFoundError: _vanished}
    application = Starlette(routes=routes, exception_handlers=handlers)
    return _Front(Login(application, parts.accounts, parts.settings), parts.settings, parts.rights)


class _Front:
    """Takes the context path off, and brings the spellings of one address together (xnat-http.md §0.2)."""

    def __init__(self, application: ASGIApp, settings: Settings, rights: Rights) -> None:
        self._application, self._settings, self._rights = application, settings, rights

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        context, path = self._settings.context_path, scope["path"]
        if context and path == context:
            await RedirectResponse(f"{context}/", 302)(scope, receive, send)
            return
        if context and not path.startswith(f"{context}/"):
            await answers.tomcat_page(404, "Not Found")(scope, receive, send)
            return
        inner = dict(scope) | {"path": self._by_id(_plain(path.removeprefix(context)))}
        await self._application(inner, receive, send)
        scope["user"] = inner.get("user")

    def _by_id(self, path: str) -> str:
        """Put the ID of a project in the place of an alias; its configuration has no aliases."""
        found = _OF_PROJECT.fullmatch(path)
        if found is None or found["rest"].startswith("/config/"):
            return path
        return f"{found['before']}{self._rights.named(found['name']) or found['name']}{found['rest']}"


def _plain(path: str) -> str:
    if path.startswith("/REST/"):
        path = f"/data/{path.removeprefix('/REST/')}"
    if path.startswith("/data/archive/"):
        path = f"/data/{path.removeprefix('/data/archive/')}"
    return path.rstrip("/") or "/"


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return answers.restlet_page(error.status, error.message)


def _vanished(_request: Request, error: Exception) -> Response:
    """Answer for a file that went away while somebody asked for it: XNAT fails there, too."""
    return answers.restlet_page(500, f"java.io.FileNotFoundException: {getattr(error, 'filename', '')}")


def _no_such_page(request: Request, error: Exception) -> Response:
    """Answer for an address or a method that does not exist: Restlet's page below /data, Tomcat's elsewhere."""
    if not isinstance(error, HTTPException):
        raise error
    page = answers.restlet_page if request.url.path.startswith("/data/") else answers.tomcat_page
    return page(error.status_code, error.detail)


def _routes(path: str, **pages: Callable[[Request], Any]) -> Iterator[Route]:
    """Yield a route per method of one path."""
    for method, page in pages.items():
        yield Route(path, page, methods=[method.upper()])


def _login_routes(parts: Parts) -> Iterator[Route]:
    pages = LoginPages(parts.accounts, parts.settings)
    yield from _routes("/", get=pages.home)
    yield from _routes("/app/template/Login.vm", get=pages.login_page)
    yield from _routes("/data/auth", get=pages.auth)
    yield from _routes("/data/JSESSION", get=pages.jsession, post=pages.jsession, delete=pages.end_session)
    yield from _routes("/data/services/auth", get=pages.no_service, put=pages.service, post=pages.service)
    yield from _routes("/data/services/tokens/{rest:path}", get=pages.token)


def _site_routes(parts: Parts) -> Iterator[Route]:
    pages = SitePages(parts.settings, parts.store, parts.rights, parts.accounts)
    yield from _routes("/xapi/siteConfig/{name}", get=pages.preference)
    yield from _routes("/xapi/schemas", get=pages.schemas)
    yield from _routes("/xapi/schemas/{name:path}", get=pages.schema)
    yield from _routes("/xapi/access/projects", get=pages.access)
    yield from _routes("/xapi/users/active/{name}", get=pages.active_sessions, delete=pages.end_sessions)
    yield from _routes("/data/search/elements", get=pages.elements)
    yield from _routes("/data/search/elements/{name}", get=pages.element)


def _service_routes(parts: Parts) -> Iterator[Route]:
    dicom_zip = DicomZip(parts.settings, parts.receiver, parts.prearchive, parts.archiver)
    session_importer = SessionImporter(parts.receiver, parts.prearchive, parts.archiver)
    pages = ImportPages(parts.settings, parts.store, parts.receiver, dicom_zip, session_importer)
    yield from _routes("/data/services/import", post=pages.post)
    yield from _routes("/data/services/import/{name}", post=pages.post)
    yield from _routes("/data/status/{id}", get=pages.status)
    yield from _routes("/data/workflows", put=parts.workflows.create)
    yield from _routes("/data/workflows/{id}", get=parts.workflows.get, put=parts.workflows.put)
    direct = DirectPages(parts.rights, parts.prearchive, parts.background)
    yield from _routes("/xapi/direct-archive", post=direct.list_all)
    yield from _routes("/xapi/direct-archive/{id:int}", delete=direct.delete)
    yield from _routes("/xapi/direct-archive/{project}/{tag}/{label}", get=direct.get, post=direct.post)


def _prearchive_pages(parts: Parts) -> PrearchivePages:
    return PrearchivePages(
        parts.settings, parts.store, parts.rights, parts.prearchive, parts.archiver, parts.background
    )


def _prearchive_routes(parts: Parts) -> Iterator[Route]:
    pages = _prearchive_pages(parts)
    files = PrearchiveFilePages(parts.store, parts.prearchive, pages)
    yield from _routes("/data/prearchive", get=pages.list_all)
    yield from _routes("/data/prearchive/projects", get=pages.list_all)  # so xnatpy and pyxnat ask for all projects
    yield from _routes("/data/prearchive/projects/{project}", get=pages.list_projects)
    yield from _routes(_PREARCHIVE, get=pages.get, post=with_form(pages.post), delete=pages.delete)
    yield from _routes(f"{_PREARCHIVE}/logs", get=pages.logs)
    yield from _routes(f"{_PREARCHIVE}/logs/{{which}}", get=pages.logs)
    yield from _routes(f"{_PREARCHIVE}/resources", get=files.resources)
    yield from _routes(f"{_PREARCHIVE}/scans", get=files.scans)
    scan = f"{_PREARCHIVE}/scans/{{scan}}"
    yield from _routes(scan, delete=files.delete_scan)
    yield from _routes(f"{scan}/resources", get=files.resources)
    yield from _routes(f"{scan}/resources/{{resource}}/files", get=files.files)
    yield from _routes(f"{scan}/resources/{{resource}}/files/{{name:path}}", get=files.file)
    yield from _routes("/data/services/prearchive/{operation}", post=with_form(pages.service))


def _archive_routes(parts: Parts) -> Iterator[Route]:
    pages = ArchivePages(
        parts.settings, parts.store, parts.rights, parts.archive, parts.prearchive, _prearchive_pages(parts)
    )
    resources = ResourcePages(parts.settings, parts.store, parts.rights, parts.archive, parts.resources)
    yield from _routes("/data/services/archive", post=with_form(pages.archive))
    yield from _routes("/data/services/refresh/catalog", post=resources.refresh)
    yield from _routes("/data/subjects", get=pages.subjects)
    yield from _routes(f"{_PROJECT}/subjects", get=pages.subjects)
    yield from _routes("/data/subjects/{subject}", get=pages.subject)
    yield from _routes(f"{_PROJECT}/subjects/{{subject}}", get=pages.subject, put=pages.put_subject)
    for parent in _SESSION_LISTS:
        yield from _routes(f"{parent}/experiments", get=pages.experiments)
        session = f"{parent}/experiments/{{experiment}}"
        yield from _routes(session, get=pages.experiment, put=pages.put_experiment, delete=pages.delete_experiment)
        yield from _routes(f"{session}/projects/{{target}}", put=pages.share)
        yield from _routes(f"{session}/scans", get=pages.scans)
        yield from _routes(f"{session}/scans/{{scan}}", get=pages.scan)
        for owner in (session, f"{session}/scans/{{scan}}"):
            yield from _resource_routes(owner, resources)
    yield from _resource_routes(_PROJECT, resources)


def _resource_routes(owner: str, pages: ResourcePages) -> Iterator[Route]:
    resource = f"{owner}/resources/{{resource}}"
    yield from _routes(f"{owner}/resources", get=pages.list_all)
    yield from _routes(resource, get=pages.get, put=pages.put, post=pages.put, delete=pages.delete)
    yield from _routes(f"{owner}/files", get=pages.files)
    yield from _routes(f"{owner}/files/{{name:path}}", get=pages.file)
    yield from _routes(f"{resource}/files", get=pages.files, put=pages.put_file, post=pages.put_file)
    file = f"{resource}/files/{{name:path}}"
    yield from _routes(file, get=pages.file, put=pages.put_file, post=pages.put_file, delete=pages.delete_file)


def _config_routes(parts: Parts) -> Iterator[Route]:
    pages = ConfigPages(parts.settings, parts.store, parts.rights)
    yield from _routes(f"{_PROJECT}/config/{{tool}}/{{path:path}}", get=pages.get, put=pages.put)
    scripts = ScriptPages(parts.settings, parts.rights, parts.scripts)
    yield from _routes("/xapi/anonymize/site", get=pages.site_script, put=scripts.put_site)
    yield from _routes("/xapi/anonymize/site/enabled", get=pages.site_script_enabled, put=scripts.enable_site)
    old = "/data/config/edit/projects/{project}/image/dicom"
    yield from _routes(f"{old}/script", get=scripts.script, put=scripts.put_script)
    yield from _routes(f"{old}/status", get=scripts.status, put=scripts.put_status)
    yield from _routes("/data/config/edit/image/dicom/script", get=scripts.script)
    yield from _routes("/data/config/edit/image/dicom/status", get=scripts.status)
    script = "/xapi/anonymize/projects/{project}"
    yield from _routes(script, get=pages.script, put=pages.put_script)
    yield from _routes(f"{script}/enabled", get=pages.script_enabled, put=pages.enable_script)


def _project_routes(parts: Parts) -> Iterator[Route]:
    pages = ProjectPages(parts.settings, parts.store, parts.rights, parts.accounts)
    yield from _routes("/data/projects", get=pages.list_all, post=pages.post)
    yield from _routes(_PROJECT, get=pages.get, put=pages.put, delete=pages.delete)
    yield from _routes(f"{_PROJECT}/accessibility", get=pages.accessibility)
    yield from _routes(f"{_PROJECT}/accessibility/{{level}}", put=pages.accessibility)
    yield from _routes(f"{_PROJECT}/users", get=pages.members)
    yield from _routes(f"{_PROJECT}/users/{{role}}/{{user}}", put=pages.member, delete=pages.member)
    for name, page in (("prearchive_code", pages.prearchive_code), ("quarantine_code", pages.quarantine_code)):
        yield from _routes(f"{_PROJECT}/{name}", get=page)
        yield from _routes(f"{_PROJECT}/{name}/{{value}}", put=page)
    yield from _routes(f"{_PROJECT}/{{rest:path}}", get=pages.other, put=pages.other)
