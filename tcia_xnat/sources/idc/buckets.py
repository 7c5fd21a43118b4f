"""The public buckets of the Imaging Data Commons, over S3 (tcia-nbia-and-idc.md §7.2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError

from tcia_xnat import web
from tcia_xnat.core import limits
from tcia_xnat.core.addresses import server_url
from tcia_xnat.core.errors import SeriesDamaged, SeriesUnavailable, SourceError, SourceUnreachable
from tcia_xnat.core.foreign import parse_xml
from tcia_xnat.web.failures import unreachable
from tcia_xnat.web.session import AnswerTooLarge, read_limited

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

IDC_URL = "https://s3.amazonaws.com"

_CHUNK = 1 << 18
_ERROR = 1 << 14  # bytes of an error page that are read
_OK = 200
_GONE = {403, 404}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a bucket: a DICOM file. `md5` is empty where the ETag is none (objects sent in parts)."""

    bucket: str
    key: str
    size: int
    md5: str


class IdcBuckets:
    """The objects of IDC: one for each DICOM file.

    Parameters
    ----------
    url
        S3 endpoint; buckets are addressed in path style below it.
    silent_seconds
        How long the buckets may say nothing.
    """

    def __init__(self, url: str = IDC_URL, silent_seconds: float = web.SILENT_SECONDS) -> None:
        self.url = server_url(url, "an S3 endpoint", IDC_URL)
        self._pool = web.pool(self.url, silent_seconds)

    def list_objects(self, bucket: str, crdc_series_uuid: str, at_most: int = 0) -> list[StoredObject]:
        """Return all DICOM files of a series, page by page (ListObjectsV2); empty when IDC no longer holds it.

        Parameters
        ----------
        at_most
            How many there should be: a list of more is not read to its end. 0 when that is not known.

        Raises
        ------
        SourceUnreachable, SeriesUnavailable, SeriesDamaged, SourceError
        """
        objects: list[StoredObject] = []
        most = min(at_most or limits.LISTED_OBJECTS, limits.LISTED_OBJECTS)
        prefix = f"{crdc_series_uuid}/"
        for page in self._pages(bucket, prefix):
            if stray := next((stored.key for stored in page if not stored.key.startswith(prefix)), None):
                raise SeriesDamaged(f"IDC lists {web.shown(stray)} among the objects of {prefix}")
            objects += page
            if len(objects) > most:
                raise SeriesDamaged(f"IDC lists more than the {most} objects that a series may have")
        return objects

    def get_object(self, stored: StoredObject, write: Callable[[bytes], None]) -> None:
        """Pass the bytes of an object to `write`, chunk by chunk.

        Raises
        ------
        SourceUnreachable, SeriesUnavailable, SourceError
        """
        answer = self._answer(f"/{stored.bucket}/{quote(stored.key)}")
        try:
            for chunk in answer.stream(_CHUNK, decode_content=False):  # sizes and hashes are those of what is stored
                write(chunk)
        except HTTPError as error:
            raise unreachable("IDC", error, self.url) from error
        finally:
            answer.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _pages(self, bucket: str, prefix: str) -> Iterator[list[StoredObject]]:
        token: str | None = ""
        seen: set[str] = set()
        while token is not None:
            if token in seen or len(seen) >= limits.LISTING_PAGES:
                raise SeriesDamaged("IDC sends a list of objects without an end")
            seen.add(token)
            query = f"list-type=2&prefix={quote(prefix, safe='')}"
            query += f"&continuation-token={quote(token, safe='')}" if token else ""
            answer = self._answer(f"/{bucket}?{query}")
            try:
                page, token = _read_page(bucket, read_limited(answer, limits.LISTING_PAGE))
            except (HTTPError, AnswerTooLarge) as error:
                raise unreachable("IDC", error, self.url) from error
            finally:
                answer.close()
            yield page

    def _answer(self, path: str) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._followed(self.url + path)
            if answer.status == _OK:
                return answer
            text = web.shown(read_limited(answer, _ERROR, cut=True).decode("utf-8", "replace"))
        except (HTTPError, AnswerTooLarge) as error:
            raise unreachable("IDC", error, self.url) from error
        answer.close()
        raise _refusal(answer, text)

    def _followed(self, url: str, left: int = web.REDIRECTS) -> urllib3.BaseHTTPResponse:
        answer = self._pool.request("GET", url, preload_content=False, redirect=False)
        target = web.redirected(url, answer.status, answer.headers.get("Location"))
        if not target or not left:
            return answer
        answer.close()
        return self._followed(target, left - 1)


def _refusal(answer: urllib3.BaseHTTPResponse, text: str) -> SourceError:
    told = web.answered("IDC", answer.status, text)
    if web.is_later(answer.status):
        wait = web.retry_after(answer.headers.get("Retry-After"))
        return SourceUnreachable(told, retry_after=wait)
    if answer.status in _GONE:
        return SeriesUnavailable(f"{told}, although its index lists this series")
    return SourceError(told)


def _read_page(bucket: str, body: bytes) -> tuple[list[StoredObject], str | None]:
    try:
        root = parse_xml(body)
        if not root.tag.endswith("ListBucketResult"):
            raise SourceUnreachable(f"IDC sent {web.shown(root.tag)} in the place of a list of objects")
        objects = [_read_object(bucket, item) for item in root.iterfind("{*}Contents")]
        more = root.findtext("{*}IsTruncated", "false").strip() == "true"
        token = root.findtext("{*}NextContinuationToken", "").strip()
    except ValueError as error:
        raise SourceUnreachable(f"IDC sent a list of objects that cannot be read: {error}") from error
    if more and not token:
        raise SeriesDamaged("IDC sent a list of objects that breaks off without a way to go on")
    return [stored for stored in objects if stored.size], token if more else None


def _read_object(bucket: str, item: "Element") -> StoredObject:
    etag = item.findtext("{*}ETag", "").strip().strip('"').lower()
    is_md5 = len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag)  # noqa: PLR2004  hex digits of MD5
    size = int(item.findtext("{*}Size", ""))
    if not 0 <= size <= limits.OBJECT:
        raise ValueError(f"an object of {size} bytes")
    return StoredObject(bucket, item.findtext("{*}Key", ""), size, etag if is_md5 else "")
