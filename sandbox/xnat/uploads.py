"""Bodies of requests, streamed into files of the cache: raw or as multipart form (xnat-http.md §5.2, §4.3)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.xnat.answers import Refused
from sandbox.xnat.store import Store

_SUPPORTED = {
    "application/zip": "upload.zip",
    "application/x-tar": "upload.tar",
    "application/x-gtar": "upload.tar.gz",
    "application/x-gnutar": "upload.tar.gz",
    "application/gtar": "upload.tar.gz",
    "application/gnu-tar": "upload.tar.gz",
    "application/dicom": "upload.dcm",
    "application/octet-stream": "upload",
}
_MULTIPART, _FORM = "multipart/form-data", "application/x-www-form-urlencoded"


@dataclass
class Upload:
    """One file that was sent; `name` decides its format."""

    name: str
    file: BinaryIO


@dataclass
class Body:
    """What a request brought along; `is_cut` says that the client broke off."""

    uploads: list[Upload] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False


def is_multipart(request: Request) -> bool:
    """Whether the body is a form with files."""
    return _content_type(request) == _MULTIPART


def with_form(page: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return a page that reads parameters in the body of a form like those of the query (§0.4)."""

    async def answered(request: Request) -> Response:
        scope = dict(request.scope)
        if _content_type(request) == _FORM:
            scope["query_string"] = b"&".join(filter(None, (await request.body(), scope["query_string"])))
        return await run_in_threadpool(page, Request(scope))

    return answered


@asynccontextmanager
async def received(request: Request, store: Store, *, any_type: bool, name: str = "") -> AsyncIterator[Body]:
    """Receive the body; its files are gone afterwards.

    Parameters
    ----------
    any_type
        Take a raw body of any type; otherwise only of those that name a format, or with `inbody=true`.
    name
        Of the upload, when the address has it.
    """
    if is_multipart(request):
        async with request.form(max_files=100, max_fields=1000) as form:
            body = Body()
            for key, value in form.multi_items():
                if isinstance(value, UploadFile):
                    body.uploads.append(Upload(name or value.filename or key, value.file))
                else:
                    body.fields[key] = value
            yield body
        return
    if not any_type and request.query_params.get("inbody") != "true" and _content_type(request) not in _SUPPORTED:
        yield Body()
        return
    with _cached(store) as (path, file):
        is_cut = await _stream(request, file)
        file.flush()
        with path.open("rb") as upload:
            yield Body([Upload(name or _SUPPORTED.get(_content_type(request), "upload"), upload)], is_cut=is_cut)


def refuse_unknown_length(request: Request, status: int) -> None:
    """Refuse a body of unknown length, unless it is a zip (§5.2, §4.3)."""
    has_length = "Content-Length" in request.headers
    if not has_length and not is_multipart(request) and _content_type(request) != "application/zip":
        raise Refused(status, "Unable to identify upload format.")


@contextmanager
def _cached(store: Store) -> Iterator[tuple[Path, BinaryIO]]:
    path = store.cache_path(".upload")
    try:
        with path.open("wb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


async def _stream(request: Request, file: BinaryIO) -> bool:
    """Write the body to a file; return whether it broke off."""
    try:
        async for piece in request.stream():
            file.write(piece)
    except ClientDisconnect:
        return True
    return False


def _content_type(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
