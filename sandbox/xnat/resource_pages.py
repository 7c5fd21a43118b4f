"""Pages of resources and files, of projects, sessions and scans alike (xnat-http.md §4, §10.3, §10.4)."""

import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.archive import Archive
from sandbox.xnat.dicomzip import EXTRACTED, entries
from sandbox.xnat.resources import Owner, Resource, Resources, duplicates, resource_row
from sandbox.xnat.rights import Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store, remove
from sandbox.xnat.uploads import Body, Upload, is_multipart, received, refuse_unknown_length

_NO_FILE = "Unable to find the specified file."
_NO_RIGHT = "User account doesn't have permission to modify this session."
_REFRESHED = re.compile(
    r"(?:/data)?/archive(?:/projects/(?P<project>[^/]+))?(?:/subjects/[^/]+)?(?:/experiments/(?P<experiment>[^/]+))?(?:/.*)?"
)


class ResourcePages:
    """What is asked about resources."""

    def __init__(
        self, settings: Settings, store: Store, rights: Rights, archive: Archive, resources: Resources
    ) -> None:
        self._settings, self._store, self._rights = settings, store, rights
        self._archive, self._resources = archive, resources

    # resources, §4.1, §4.2

    def list_all(self, request: Request) -> Response:
        """List the resources of an owner, or of several scans."""
        found = [resource for owner in self._owners(request) for resource in self._resources.of(owner)]
        return answers.table(request, [resource_row(resource) for resource in found])

    def get(self, request: Request) -> Response:
        """Show a resource: its catalog, or its description as JSON."""
        resource = self._resource(request)
        if resource is None:
            raise Refused(404, "Unable to find the specified catalog.")
        if request.query_params.get("format") == "json":
            fields = resource_row(resource) | {"ID": str(resource.id)}
            return answers.items(answers.item("xnat:resourceCatalog", fields))
        return FileResponse(resource.catalog, media_type="text/xml")

    def put(self, request: Request) -> Response:
        """Make a resource."""
        owner, label = self._owner(request), request.path_params["resource"]
        if not self._may_edit(request.user, owner):
            raise Refused(403, _NO_RIGHT)
        if self._resources.find(owner, label):
            raise Refused(409, "Specified resource already exists.")
        self._resources.create(owner, label, request.query_params)
        return answers.empty()

    def delete(self, request: Request) -> Response:
        """Delete a resource; one that is not there is answered alike."""
        owner = self._owner(request)
        if not self._rights.can_delete(request.user, owner.project):
            raise Refused(403, _NO_RIGHT)
        if resource := self._resource(request):
            self._resources.delete(resource)
        return answers.empty()

    # files, §4.3 to §4.5

    def files(self, request: Request) -> Response:
        """List files, or send them as zip."""
        resources = list(self._named(request))
        if request.query_params.get("format") == "zip":
            return self._zipped(resources)
        return self._listed(request, resources, "")

    def _listed(self, request: Request, resources: Iterable[Resource], folder: str) -> Response:
        """List the files below a folder, those with the content asked for; `index` sends one of them."""
        content, is_flat = request.query_params.get("file_content"), request.query_params.get("recursive") == "false"
        found = [
            (resource, entry, path)
            for resource in resources
            for entry, path in self._resources.files(resource)
            if entry.uri.startswith(folder) and content in {None, entry.content}
            if not (is_flat and "/" in entry.uri.removeprefix(folder))
        ]
        if index := request.query_params.get("index"):
            if not index.isdecimal() or int(index) >= len(found):
                raise Refused(404, _NO_FILE)
            return FileResponse(found[int(index)][2])
        return answers.table(request, [self._resources.file_row(*one) for one in found])

    def file(self, request: Request) -> Response:
        """Send one file, or what lies in a folder: as list, or as zip."""
        name, resources = request.path_params["name"], list(self._named(request))
        for resource in resources:
            for entry, path in self._resources.files(resource):
                if name in {entry.uri, path.name}:
                    return FileResponse(path)
        folder = f"{name}/"
        if not any(entry.uri.startswith(folder) for one in resources for entry, _ in self._resources.files(one)):
            raise Refused(404, _NO_FILE)
        if request.query_params.get("format") == "zip":
            return self._zipped(resources, folder)
        return self._listed(request, resources, folder)

    async def put_file(self, request: Request) -> Response:
        """Store a file. Without the right to do so it is answered like success (§4.3)."""
        if is_multipart(request) and request.query_params.get("inbody") == "true":
            raise Refused(500, "A form cannot be read from the body.")
        refuse_unknown_length(request, 500)
        async with received(request, self._store, any_type=False, name=request.path_params.get("name", "")) as body:
            return await run_in_threadpool(self._put, request, body)

    def _put(self, request: Request, body: Body) -> Response:
        owner = self._owner(request)
        if not self._may_edit(request.user, owner):
            return answers.empty()
        if not body.uploads or body.is_cut or _is_empty(body.uploads[0].file):
            raise Refused(400, "Unable to identify upload format.")
        fields = body.fields | dict(request.query_params.items())
        resource = self._resources.create(owner, request.path_params["resource"], fields)
        there = [name for upload in body.uploads if (name := self._stored(resource, upload, fields))]
        if there:
            return Response(duplicates(there), media_type="text/html")
        return answers.empty()

    def _stored(self, resource: Resource, upload: Upload, fields: Mapping[str, str]) -> str:
        if fields.get("extract") != "true" or not upload.name.endswith(EXTRACTED):
            return self._resources.put(resource, upload, upload.name, fields)
        for name, file in entries(upload.name, upload.file):
            self._resources.put(resource, Upload(name, file), name, fields)
        return ""

    def delete_file(self, request: Request) -> Response:
        """Delete a file."""
        owner = self._owner(request)
        if not self._may_edit(request.user, owner):
            raise Refused(403, _NO_RIGHT)
        resource = self._resource(request)
        if resource and self._resources.remove_file(resource, request.path_params["name"]):
            return answers.empty()
        if request.query_params.get("accept-not-found") == "true":
            return answers.empty(204)
        raise Refused(404, "No matched files")

    # counting, §10.4

    def refresh(self, request: Request) -> Response:
        """Count the files of a session or project anew."""
        for name in request.query_params.getlist("resource"):
            owners = self._refreshed(name)
            if not all(self._may_edit(request.user, owner) for owner in owners):
                raise Refused(403, _NO_RIGHT)
            if self._settings.refresh_refusal:
                raise Refused(self._settings.refresh_refusal, "The catalog could not be refreshed.")
            for resource in (resource for owner in owners for resource in self._resources.of(owner)):
                self._resources.count(resource)
        return answers.empty()

    def _refreshed(self, name: str) -> list[Owner]:
        found = _REFRESHED.fullmatch(name)
        project, experiment = (found["project"] or "", found["experiment"]) if found else ("", None)
        if experiment:
            session = self._archive.experiment(experiment, project)
            if session is None:
                raise Refused(404, f"Unable to find {name}")
            scans = self._archive.scan_rows(session["id"])
            return [self._archive.session_owner(session), *(self._archive.scan_owner(session, scan) for scan in scans)]
        if not project:
            raise Refused(400, f"Invalid resource: {name}")
        return [self._archive.project_owner(project)]

    # finding

    def _may_edit(self, user: User, owner: Owner) -> bool:
        """Whether a user may change what belongs to an owner: that of a project, only owners of the project may."""
        may = self._rights.can_edit_project if owner.key.startswith("projects/") else self._rights.can_edit
        return may(user, owner.project)

    def _owners(self, request: Request) -> list[Owner]:
        """Return whose resources the address means; `ALL`, lists of scans and types of scans mean several.

        A name means each scan that has it as its ID or as its type, which often is the SeriesDescription.

        Raises
        ------
        Refused
            404, also for what may not be read.
        """
        path = request.path_params
        project = path.get("project", "")
        if "experiment" not in path:
            if not self._rights.can_read(request.user, project):
                raise Refused(404, "Unable to identify project")
            return [self._archive.project_owner(project)]
        session = self._archive.experiment(path["experiment"], project)
        if session is None or not self._rights.can_read(request.user, session["project"]):
            raise Refused(404, "Unable to find the specified experiment.")
        if "scan" not in path:
            return [self._archive.session_owner(session)]
        scans = self._archive.scan_rows(session["id"])
        wanted = None if path["scan"] in {"ALL", "*"} else set(path["scan"].split(","))
        found = [
            self._archive.scan_owner(session, scan)
            for scan in scans
            if wanted is None or not wanted.isdisjoint({scan["id"], scan["type"]})
        ]
        if wanted and not found:
            raise Refused(404, "Unable to find the specified scan.")
        return found

    def _owner(self, request: Request) -> Owner:
        return self._owners(request)[0]

    def _resource(self, request: Request) -> Resource | None:
        found = (self._resources.find(owner, request.path_params["resource"]) for owner in self._owners(request))
        return next(filter(None, found), None)

    def _named(self, request: Request) -> Iterable[Resource]:
        """Return the resources that the address names, or all of its owners; of a session, those of its scans, too."""
        owners = self._owners(request)
        label = request.path_params.get("resource")
        if label is None and owners and owners[0].key.startswith("experiments/"):
            owners = self._refreshed(f"/archive/experiments/{owners[0].cat_id}")
        for owner in owners:
            if label is None:
                yield from self._resources.of(owner)
            else:
                names = label.split(",")
                yield from (found for name in names if (found := self._resources.find(owner, name)))

    def _zipped(self, resources: Iterable[Resource], folder: str = "") -> Response:
        path = self._store.cache_path(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            for resource in resources:
                place = resource.owner.uri.removeprefix("/data/")
                inside = [one for one in self._resources.files(resource) if one[0].uri.startswith(folder)]
                for entry, file in inside:
                    archive.write(file, f"{place}/resources/{resource.label}/files/{entry.uri}")
        return FileResponse(path, media_type="application/zip", background=BackgroundTask(remove, [path]))


def _is_empty(file: BinaryIO) -> bool:
    is_empty = not file.read(1)
    file.seek(0)
    return is_empty
