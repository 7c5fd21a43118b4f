"""The Imaging Data Commons: its embedded index, and its public buckets over S3 (tcia-nbia-and-idc.md §7)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import urllib3
from defusedxml import ElementTree
from urllib3.exceptions import HTTPError

from tcia_xnat.clients import web
from tcia_xnat.errors import SeriesDamaged, SeriesUnavailable, SourceError, SourceUnreachable, UsageError
from tcia_xnat.model import Series

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

IDC_URL = "https://s3.amazonaws.com"

_CHUNK = 1 << 18
_BATCH = 50_000  # series per question
_OK = 200
_GONE = {403, 404}
_COLUMNS = """
    SeriesInstanceUID, StudyInstanceUID, PatientID, coalesce(collection_id, ''), coalesce(Modality, ''),
    coalesce(SeriesNumber, ''), coalesce(SeriesDescription, ''), coalesce(StudyDate, ''),
    coalesce(StudyDescription, ''), instanceCount, round(series_size_MB * 1e6)::BIGINT,
    coalesce(license_short_name, ''), coalesce(source_DOI, ''), aws_bucket, crdc_series_uuid
"""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a bucket: a DICOM file. `md5` is empty where the ETag is none (objects sent in parts)."""

    bucket: str
    key: str
    size: int
    md5: str


def index_path(named: str | Path | None = None) -> Path:
    """Return the parquet of the index: the one that is named, else the one the package idc-index-data ships.

    Raises
    ------
    UsageError
        There is no such file.
    """
    if named is None:
        import idc_index_data  # noqa: PLC0415  reading its metadata takes time that a named index need not spend

        return Path(str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH))
    if not Path(named).is_file():
        raise UsageError(
            f"no such index: {named}", "TCIA_XNAT_IDC_INDEX names a parquet file with the columns of IDC's index"
        )
    return Path(named)


def prior_versions_path() -> Path:
    """Return the parquet of the versions that series had before, which the package idc-index-data ships."""
    import idc_index_data  # noqa: PLC0415  as above

    return Path(str(idc_index_data.PRIOR_VERSIONS_INDEX_PARQUET_FILEPATH))


class IDCClient:
    """What IDC offers to everybody.

    Parameters
    ----------
    url
        S3 endpoint; buckets are addressed in path style below it.
    index
        Parquet of the index; None is the embedded one.
    silent_seconds
        How long the buckets may say nothing.
    """

    def __init__(
        self, url: str = IDC_URL, index: str | Path | None = None, silent_seconds: float = web.SILENT_SECONDS
    ) -> None:
        self.url = url.rstrip("/")
        self._index = index_path(index)
        self._pool = web.pool(self.url, silent_seconds)

    def find_series(self, series_instance_uids: Sequence[str]) -> list[Series]:
        """Return what the index knows of these series; those it does not list are left out."""
        return self._series("SeriesInstanceUID", series_instance_uids)

    def find_folders(self, crdc_series_uuids: Sequence[str]) -> dict[str, str]:
        """Return the SeriesInstanceUID of each folder of the buckets; also of one that a newer version replaced (§7.1).

        Folders that no version of IDC had are left out.
        """
        found = self._pairs(self._index, "crdc_series_uuid", "SeriesInstanceUID", crdc_series_uuids)
        older = [uuid for uuid in crdc_series_uuids if uuid not in dict(found)]
        if older:
            found += self._pairs(prior_versions_path(), "crdc_series_uuid", "SeriesInstanceUID", older)
        return dict(found)

    def find_studies(self, study_instance_uids: Sequence[str]) -> dict[str, list[str]]:
        """Return the SeriesInstanceUIDs of each study; studies that the index does not list are left out."""
        found: dict[str, list[str]] = {}
        for study, series in self._pairs(self._index, "StudyInstanceUID", "SeriesInstanceUID", study_instance_uids):
            found.setdefault(study, []).append(series)
        return found

    def list_objects(self, bucket: str, crdc_series_uuid: str) -> list[StoredObject]:
        """Return all DICOM files of a series, page by page (ListObjectsV2); empty when IDC no longer holds it.

        Raises
        ------
        SourceUnreachable, SeriesUnavailable, SourceError
        """
        return [stored for page in self._pages(bucket, f"{crdc_series_uuid}/") for stored in page]

    def get_object(self, stored: StoredObject, write: Callable[[bytes], None]) -> None:
        """Pass the bytes of an object to `write`, chunk by chunk.

        Raises
        ------
        SourceUnreachable, SeriesUnavailable, SourceError
        """
        answer = self._answer(f"/{stored.bucket}/{quote(stored.key)}")
        try:
            for chunk in answer.stream(_CHUNK):
                write(chunk)
        except HTTPError as error:
            raise web.unreachable("IDC", error) from error
        finally:
            answer.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _series(self, column: str, values: Sequence[str]) -> list[Series]:
        known: dict[Any, Any] = {}  # but for the first and the last, a cell is that of many series: it is kept once
        return [
            Series(*row[:1], *(known.setdefault(cell, cell) for cell in row[1:-1]), *row[-1:])
            for row in _rows(self._index, _COLUMNS, column, values)
        ]

    def _pairs(self, table: Path, key: str, value: str, values: Sequence[str]) -> list[tuple[str, str]]:
        return sorted({(str(row[0]), str(row[1])) for row in _rows(table, f"{key}, {value}", key, values)})

    def _pages(self, bucket: str, prefix: str) -> Iterator[list[StoredObject]]:
        token: str | None = ""
        while token is not None:
            query = f"list-type=2&prefix={quote(prefix, safe='')}"
            query += f"&continuation-token={quote(token, safe='')}" if token else ""
            answer = self._answer(f"/{bucket}?{query}")
            try:
                page, token = _read_page(bucket, answer.data)
            except HTTPError as error:
                raise web.unreachable("IDC", error) from error
            finally:
                answer.close()
            yield page

    def _answer(self, path: str) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._followed(self.url + path)
            if answer.status == _OK:
                return answer
            text = web.shown(answer.read(_CHUNK).decode("utf-8", "replace"))
        except HTTPError as error:
            raise web.unreachable("IDC", error) from error
        answer.close()
        raise _refusal(answer, text)

    def _followed(self, url: str, left: int = web.REDIRECTS) -> urllib3.BaseHTTPResponse:
        answer = self._pool.request("GET", url, preload_content=False, redirect=False)
        target = web.redirected(url, answer.status, answer.headers.get("Location"))
        if not target or not left:
            return answer
        answer.close()
        return self._followed(target, left - 1)


def _rows(table: Path, columns: str, column: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield rows one by one, and ask for some values after the other: all at once would be many copies of them."""
    query = f"SELECT {columns} FROM read_parquet(?) WHERE {column} IN (SELECT unnest(?::VARCHAR[]))"  # noqa: S608  names of ours only
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            for start in range(0, len(values), _BATCH):
                answer = connection.execute(query, [str(table), values[start : start + _BATCH]])
                yield from iter(answer.fetchone, None)
    except duckdb.Error as error:
        raise UsageError(f"the index {table.name} cannot be read: {web.shown(str(error))}") from error


def _refusal(answer: urllib3.BaseHTTPResponse, text: str) -> SourceError:
    if web.is_later(answer.status):
        wait = web.retry_after(answer.headers.get("Retry-After"))
        return SourceUnreachable(f"IDC answered {answer.status}: {text}", retry_after=wait)
    if answer.status in _GONE:
        return SeriesUnavailable(f"IDC does not give out what its index lists ({answer.status}: {text})")
    return SourceError(f"IDC answered {answer.status}: {text}")


def _read_page(bucket: str, body: bytes) -> tuple[list[StoredObject], str | None]:
    try:
        root = ElementTree.fromstring(body)
        if not root.tag.endswith("ListBucketResult"):
            raise SourceUnreachable(f"IDC sent no list of objects: {web.shown(root.tag)}")
        objects = [_read_object(bucket, item) for item in root.iterfind("{*}Contents")]
        more = root.findtext("{*}IsTruncated", "false").strip() == "true"
        token = root.findtext("{*}NextContinuationToken", "").strip()
    except (ElementTree.ParseError, ValueError) as error:
        raise SourceUnreachable(f"IDC sent a list of objects that cannot be read: {error}") from error
    if more and not token:
        raise SeriesDamaged("IDC sent a list of objects that breaks off without a way to go on")
    return [stored for stored in objects if stored.size], token if more else None


def _read_object(bucket: str, item: "Element") -> StoredObject:
    etag = item.findtext("{*}ETag", "").strip().strip('"').lower()
    is_md5 = len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag)  # noqa: PLR2004  hex digits of MD5
    return StoredObject(bucket, item.findtext("{*}Key", ""), int(item.findtext("{*}Size", "")), etag if is_md5 else "")
