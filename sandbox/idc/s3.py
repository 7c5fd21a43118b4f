"""IDC's buckets over S3: ListObjectsV2, and objects with ETag and Range (tcia-nbia-and-idc.md §7)."""

import base64
import binascii
import re
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.dicom import Images
from sandbox.index import Index, Row
from sandbox.uids import instance_uuid, numbered

BUCKETS = ("idc-open-data", "idc-open-data-cr", "idc-open-data-two")

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_LONGEST_PAGE = 1000
_LAST_MODIFIED = ("2026-01-01T00:00:00.000Z", "Thu, 01 Jan 2026 00:00:00 GMT")
_MESSAGES = {
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchBucket": "The specified bucket does not exist",
    "InvalidArgument": "The continuation token provided is incorrect",
    "InvalidRange": "The requested range is not satisfiable",
    "NotImplemented": "A header you provided implies functionality that is not implemented",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
}


class _Object(NamedTuple):
    """Key of an object, and which instance of its series it is."""

    key: str
    number: int


class Buckets:
    """The application; `application` is served.

    Parameters
    ----------
    index, images
        What is served.
    page_size
        Most objects in one page of a list.
    multipart
        ETags as of objects that were sent in two parts: no MD5 of the whole.
    """

    def __init__(self, index: Index, images: Images, *, page_size: int = 1000, multipart: bool = False) -> None:
        self._index, self._images = index, images
        self._page_size, self._multipart = page_size, multipart
        self._listing = lru_cache(maxsize=64)(self._list_series)
        every = ["GET", "HEAD", "PUT", "POST", "DELETE"]
        paths = Starlette(
            routes=[
                Route("/{bucket}", self.answer_bucket, methods=every),
                Route("/{bucket}/", self.answer_bucket, methods=every),
                Route("/{bucket}/{key:path}", self.answer_object, methods=every),
            ]
        )
        self.application: ASGIApp = _Hosts(paths)

    def answer_bucket(self, request: Request) -> Response:
        """Answer ListObjectsV2 for the prefix of a series, and HEAD of a bucket."""
        bucket, query = request.path_params["bucket"], request.query_params
        refused = _refused(request)
        if refused:
            return refused
        if request.method == "HEAD":
            return Response(headers={"x-amz-bucket-region": "us-east-1"})
        if query.get("list-type") != "2":
            return _error(501, "NotImplemented", bucket)
        try:
            after = _untokened(query["continuation-token"]) if "continuation-token" in query else ""
            size = min(_natural(query.get("max-keys", str(_LONGEST_PAGE))), self._page_size, _LONGEST_PAGE)
        except ValueError:
            return _error(400, "InvalidArgument", bucket)
        return self._list(bucket, query.get("prefix", ""), after or query.get("start-after", ""), size)

    def answer_object(self, request: Request) -> Response:
        """Answer GET and HEAD of one object."""
        bucket, key = request.path_params["bucket"], request.path_params["key"]
        refused = _refused(request)
        if refused:
            return refused
        folder, _, name = key.partition("/")
        row = self._row(bucket, folder)
        number = numbered(row, name.removesuffix(".dcm")) if row and name.endswith(".dcm") else None
        if row is None or number is None:
            return _error(404, "NoSuchKey", key)
        headers = {
            "ETag": f'"{self._etag(row, number)}"',
            "Accept-Ranges": "bytes",
            "Last-Modified": _LAST_MODIFIED[1],
        }
        return _ranged(request, self._images.image(row, number), headers)

    def _list(self, bucket: str, prefix: str, after: str, size: int) -> Response:
        row = self._row(bucket, prefix.partition("/")[0])
        objects = (
            [found for found in self._listing(row["crdc_series_uuid"]) if found.key.startswith(prefix)] if row else []
        )
        start = bisect_right(objects, after, key=lambda found: found.key)
        page = objects[start : start + size]
        contents = "".join(
            f"<Contents><Key>{found.key}</Key><LastModified>{_LAST_MODIFIED[0]}</LastModified>"
            f"<ETag>&quot;{self._etag(row, found.number) if row else ''}&quot;</ETag>"
            f"<Size>{self._images.image_bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for found in page
        )
        cut = 0 < size < len(objects) - start
        more = f"<NextContinuationToken>{_token(page[-1].key)}</NextContinuationToken>" if cut else ""
        return _xml(
            f'<ListBucketResult xmlns="{_NAMESPACE}"><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>'
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{size}</MaxKeys><IsTruncated>{str(cut).lower()}</IsTruncated>"
            f"{more}{contents}</ListBucketResult>"
        )

    def _etag(self, row: Row, number: int) -> str:
        return self._images.md5(row, number) + ("-2" if self._multipart else "")

    def _row(self, bucket: str, folder: str) -> Row | None:
        row = self._index.idc_series(folder)
        return row if row and row["aws_bucket"] == bucket else None

    def _list_series(self, crdc_series_uuid: str) -> list[_Object]:
        """Return all objects of a series in the order of their keys."""
        row = self._index.idc_series(crdc_series_uuid)
        numbers = range(1, row["instanceCount"] + 1) if row else range(0)
        return sorted(
            _Object(f"{crdc_series_uuid}/{instance_uuid(row, number)}.dcm", number) for number in numbers if row
        )


class _Hosts:
    """Brings `BUCKET.host/KEY` and `host/BUCKET/KEY` together."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1") if scope["type"] == "http" else ""
        bucket = host.partition(".")[0]
        named = {"path": f"/{bucket}{scope['path']}"} if bucket in BUCKETS else {}
        await self._application(dict(scope) | named, receive, send)


def _refused(request: Request) -> Response | None:
    """Return what is said to a request that no bucket answers."""
    bucket = request.path_params["bucket"]
    if request.method not in {"GET", "HEAD"}:
        return _error(405, "MethodNotAllowed", bucket)
    return None if bucket in BUCKETS else _error(404, "NoSuchBucket", bucket)


def _ranged(request: Request, data: bytes, headers: dict[str, str]) -> Response:
    """Return an object, or the part of it that Range asks for."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if not found or not any(found.groups()):
        return Response(data, headers=headers, media_type="application/dicom")
    first = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
    last = min(int(found[2]), len(data) - 1) if found[1] and found[2] else len(data) - 1
    if first > last:
        return _error(416, "InvalidRange", request.path_params["key"])
    headers |= {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
    return Response(data[first : last + 1], 206, headers, media_type="application/dicom")


def _error(status: int, code: str, resource: str) -> Response:
    named = f"<Key>{escape(resource)}</Key>" if code == "NoSuchKey" else f"<Resource>{escape(resource)}</Resource>"
    body = (
        f"<Error><Code>{code}</Code><Message>{_MESSAGES[code]}</Message>{named}<RequestId>SANDBOX</RequestId></Error>"
    )
    return _xml(body, status)


def _xml(body: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status, media_type="application/xml")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _untokened(token: str) -> str:
    """Return the key after which a page begins.

    Raises
    ------
    ValueError
        The token is none of ours.
    """
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except binascii.Error as error:
        raise ValueError(token) from error
