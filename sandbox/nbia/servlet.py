"""NBIA's DownloadServlet: lines about series, and series as tar (tcia-nbia-and-idc.md §4)."""

import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.dicom import Images
from sandbox.index import Index, Row
from sandbox.nbia.tables import known
from sandbox.nbia.zip import Entry, series_file_names
from sandbox.uids import sop_instance_uid

Wrapped = Callable[[str, Iterator[Entry]], Iterator[Entry]]
Asked = Mapping[str, str]

_PATH = "/nbia-download/servlet/DownloadServlet"
_LISTING = {"V3": 16, "V4": 24}
"""How many fields a line about a series has."""
_PAGE = (
    '<!doctype html><html lang="en"><head><title>HTTP Status {0} \N{EN DASH} {1}</title></head>'
    "<body><h1>HTTP Status {0} \N{EN DASH} {1}</h1><hr><p><b>Type</b> Status Report</p>"
    "<p><b>Message</b> {2}</p><hr><h3>Apache Tomcat/9.0.80</h3></body></html>"
)
_REASONS = {400: "Bad Request", 403: "Forbidden", 500: "Internal Server Error"}
_VERSION = "4.4.3\nhttps://example.org/installer\nkey\nfalse\nhttps://example.org/helpdesk\nhttps://example.org/wiki\n"


class Servlet:
    """All variants of the servlet; `routes` are served.

    Parameters
    ----------
    index, images
        What is served.
    wrapped
        May change the files of a series on their way.
    """

    def __init__(self, index: Index, images: Images, wrapped: Wrapped) -> None:
        self._index, self._images, self._wrapped = index, images, wrapped
        both = ["GET", "POST"]
        self.routes = [
            Route(f"{_PATH}Version", lambda _request: PlainTextResponse(_VERSION), methods=both),
            *(Route(f"{_PATH}{version}", self._answer, methods=both) for version in ("", "V2", "V3", "V4")),
        ]

    async def _answer(self, request: Request) -> Response:
        version = request.url.path.removeprefix(_PATH)
        asked = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)) | dict(request.query_params)
        password = request.headers.get("password")
        if version in _LISTING and "numberOfSeries" in asked:
            return await run_in_threadpool(self._listed, asked, password, _LISTING[version])
        return await run_in_threadpool(self._sent, asked, password, version)

    def _listed(self, asked: Asked, password: str | None, fields: int) -> Response:
        """Return a line for each series, or refuse all for the sake of one (§4.2)."""
        if not re.fullmatch(r"[+-]?\d+", asked["numberOfSeries"]):
            return _error(500, f'For input string: "{asked["numberOfSeries"]}"')
        uids = [asked[name] for n in range(1, int(asked["numberOfSeries"]) + 1) if (name := f"series{n}") in asked]
        if int(asked["numberOfSeries"]) <= 0:
            return _error(400, "The manifest file should include at least one series instance UID.")
        if "userId" in asked and password is not None:
            return _error(461, "Incorrect username and/or password. Please try it again.")
        rows = [row for uid in dict.fromkeys(uids) if (row := self._index.nbia_series(uid))]
        if len(rows) < len(uids):
            return _error(460, "Login needed.")
        lines = ["|".join(_fields(known(row, self._index))[:fields]) for row in rows]
        headers = {"Content-Disposition": "attachment;filename=downloadname.txt"}
        return PlainTextResponse("".join(f"{line}\n" for line in lines), headers=headers)

    def _sent(self, asked: Asked, password: str | None, version: str) -> Response:
        """Return a series as tar, without those of its images that the client has already (§4.3)."""
        if password is None:
            return _error(500, "java.lang.NullPointerException")
        uid, excluded = asked.get("seriesUid", ""), asked.get("sopUids", "")
        row = self._index.nbia_series(uid)
        numbers = range(1, row["instanceCount"] + 1) if row else range(0)
        # a UID that is part of a longer one is left out with it: so does NBIA
        wanted = [number for number in numbers if row and sop_instance_uid(row, number) not in excluded]
        if not wanted and version:
            return _error(403, "Access Denied")
        files = self._files(row, wanted, asked, with_md5=version == "V4") if row else iter(())
        return StreamingResponse(_packed(self._wrapped(uid, files)))

    def _files(self, row: Row, wanted: Sequence[int], asked: Asked, *, with_md5: bool) -> Iterator[Entry]:
        names, hashes = series_file_names(row), ""
        for number in wanted:
            sop, name = sop_instance_uid(row, number), names[number - 1]
            hashes += f"{name},{self._images.md5(row, number)}\n"
            shown = f"{sop}^{name}" if len(asked.get("newFileNames", "")) > 1 else f"{sop}.dcm"
            yield Entry(shown, self._images.image(row, number))
        if with_md5 and asked.get("getMD5Hash") == "Yes":
            yield Entry("md5hashes.csv", f"Filename,MD5Hash\n{hashes}".encode())


def _fields(row: Mapping[str, Any]) -> list[str]:
    """Return what a line tells of a series, in the order of V4, which begins like V3 (§1.2)."""
    date = row["StudyDate"]
    values = (
        row["Collection"], row["PatientID"], row["StudyInstanceUID"], row["SeriesInstanceUID"], "No",
        row["ImageCount"], row["FileSize"], row["AnnotationSize"], "url", "displayName", "true",
        f"{date:%m-%d-%Y}" if date else None, "NA", _clean(row["StudyDesc"]), row["SeriesNumber"],
        _clean(row["SeriesDescription"]), row["ThirdPartyAnalysis"], row["DataDescriptionURI"] or "NA",
        _clean(row["Manufacturer"]), row["Modality"], row["SOPClassUID"], row["sop_class_name"], row["LicenseName"],
        row["LicenseURI"],
    )  # fmt: skip
    return ["null" if value is None else str(value) for value in values]


def _clean(text: str | None) -> str:
    return re.sub(r"[^a-zA-Z0-9 .-]", "", text or "") or "NA"


def _packed(files: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a tar of 512-byte records, blocked to 10,240 bytes."""
    length = 0
    for name, data in files:
        head = tarfile.TarInfo(name)
        head.size = len(data)
        piece = head.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        length += len(piece)
        yield piece
    length += 2 * tarfile.BLOCKSIZE
    yield bytes(2 * tarfile.BLOCKSIZE + -length % tarfile.RECORDSIZE)


def _error(status: int, message: str) -> Response:
    """Return Tomcat's page, which has no name for NBIA's own statuses."""
    page = _PAGE.format(status, _REASONS.get(status, "Unknown Reason"), message)
    return Response(page, status, media_type="text/html")
