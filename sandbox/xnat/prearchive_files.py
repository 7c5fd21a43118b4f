"""Pages of what lies in a prearchive session: scans, their resources and files (xnat-http.md §7.4)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.answers import Refused
from sandbox.xnat.catalog import read_catalog, sizes
from sandbox.xnat.document import Scan, Session, read_session, write_session
from sandbox.xnat.prearchive import Prearchive
from sandbox.xnat.prearchive_pages import PrearchivePages
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.store import Store

_NO_RESOURCE = "Unable to locate prearc resource."


class PrearchiveFilePages:
    """What is asked about the scans of prearchive sessions; before a build there are none."""

    def __init__(self, store: Store, prearchive: Prearchive, pages: PrearchivePages) -> None:
        self._store, self._prearchive, self._pages = store, prearchive, pages

    def scans(self, request: Request) -> Response:
        """List the scans: there are no UIDs in this listing."""
        rows = [
            {"ID": scan.id, "xsiType": scan.xsi_type, "series_description": scan.series_description}
            for scan in self._session(self._pages.existing(request)).scans
        ]
        return answers.table(request, rows)

    def resources(self, request: Request) -> Response:
        """List the resources of one scan, or of all."""
        row = self._pages.existing(request)
        wanted = request.path_params.get("scan")
        scans = self._session(row).scans if wanted is None else [self._scan(row, wanted)]
        return answers.table(request, list(self._rows(row, scans, is_long=wanted is None)))

    def _rows(self, row: Row, scans: Iterable[Scan], *, is_long: bool) -> Iterable[dict[str, Any]]:
        folder = self._prearchive.folder(row)
        for scan in scans:
            for label, catalog in scan.catalogs.items():
                path = folder / catalog
                count, size = sizes(path.parent, read_catalog(path).entries.values())
                place = {"category": "scans", "cat_id": scan.id} if is_long else {}
                yield place | {"label": label, "file_count": count, "file_size": size}

    def files(self, request: Request) -> Response:
        """List the files of a scan."""
        row, path = self._catalog(request)
        scan, label = request.path_params["scan"], request.path_params["resource"]
        base = f"/data{row.uri}/scans/{scan}/resources/{label}/files"
        rows = [
            {"Name": entry.uri, "Size": file.stat().st_size, "URI": f"{base}/{entry.uri}"}
            for entry in read_catalog(path).entries.values()
            if (file := path.parent / entry.uri).is_file()
        ]
        return answers.table(request, rows)

    def file(self, request: Request) -> Response:
        """Send one file."""
        _, path = self._catalog(request)
        name = request.path_params["name"]
        if name not in read_catalog(path).entries or not (path.parent / name).is_file():
            raise Refused(404, "Unable to find the specified file.")
        return FileResponse(path.parent / name)

    def delete_scan(self, request: Request) -> Response:
        """Delete a scan with its folder, which is named like it unless a build has renamed it."""
        row, name = self._pages.existing(request), request.path_params["scan"]
        session = self._session(row)
        folder = self._prearchive.folder(row) / "SCANS" / name
        if name not in {scan.id for scan in session.scans} or not folder.is_dir():
            raise Refused(404, "Unknown scan ID")
        self._prearchive.headers.forget(folder)
        folder.rename(self._store.cache_path(".deleted"))
        session.scans = [scan for scan in session.scans if scan.id != name]
        write_session(session, self._prearchive.document(row))
        return answers.empty()

    def _session(self, row: Row) -> Session:
        try:
            return read_session(self._prearchive.document(row))
        except FileNotFoundError:
            raise Refused(404, _NO_RESOURCE) from None

    def _catalog(self, request: Request) -> tuple[Row, Path]:
        """Return the session of the address, and the catalog of the scan's resource."""
        row = self._pages.existing(request)
        catalogs = self._scan(row, request.path_params["scan"]).catalogs
        if request.path_params["resource"] not in catalogs:
            raise Refused(404, _NO_RESOURCE)
        return row, self._prearchive.folder(row) / catalogs[request.path_params["resource"]]

    def _scan(self, row: Row, name: str) -> Scan:
        found = next((scan for scan in self._session(row).scans if scan.id == name), None)
        if found is None:
            raise Refused(404, _NO_RESOURCE)
        return found
