"""Series from the buckets of the Imaging Data Commons: one object an image, several fetched side by side."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import accumulate

from tcia_xnat.core.errors import SeriesDamaged, SeriesIncomplete, SeriesUnavailable
from tcia_xnat.core.model import Member, Series, SeriesPackage, SourceName
from tcia_xnat.core.retry import Patience
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.idc.buckets import IdcBuckets, StoredObject
from tcia_xnat.sources.verification import Digest, prove_count, prove_unique, stored_member
from tcia_xnat.staging.spool import Spool

CONNECTIONS = 8  # objects of one series side by side; IDC's cost is latency


class IdcSource:
    """Fetches series that IDC's index lists.

    Proof of a series: the bucket lists as many objects as the index counts; each arrives with the length of the
    listing and, where the ETag is an MD5, with that hash; each is DICOM of this series; no instance comes twice.

    Parameters
    ----------
    client
        Speaks to the buckets.
    patience
        How listing and objects are tried again, each for itself.
    spool_limit
        Bytes above which a series goes in several packages.
    """

    name = SourceName.IDC

    def __init__(self, client: IdcBuckets, patience: Patience, spool_limit: int) -> None:
        self._client = client
        self._patience = patience
        self._spool_limit = spool_limit

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series, proved; see `Source.fetch`."""
        objects = self._patience.call(lambda: self._list(series), series.series_instance_uid)
        notes = _size_notes(series, objects)
        arrived: list[Member] = []
        for part in _parts(objects, self._spool_limit):
            spool.clear()
            members = self._fetch_part(series, part, spool, on_bytes)
            arrived += members
            prove_unique(arrived)
            yield SeriesPackage(series, self.name, tuple(members), notes)

    def _list(self, series: Series) -> list[StoredObject]:
        objects = self._client.list_objects(series.aws_bucket, series.crdc_series_uuid, series.image_count)
        if not objects:
            raise SeriesUnavailable(
                "IDC lists this series and no longer holds it",
                "a newer index may know where it went: pip install --upgrade idc-index-data",
            )
        prove_count(len(objects), series.image_count)
        return objects

    def _fetch_part(
        self, series: Series, objects: Sequence[StoredObject], spool: Spool, on_bytes: OnBytes
    ) -> list[Member]:
        offsets = accumulate((stored.size for stored in objects), initial=0)
        with ThreadPoolExecutor(min(CONNECTIONS, len(objects)), "idc") as pool:
            futures = [
                pool.submit(self._fetch_object, series, stored, offset, spool, on_bytes)
                for stored, offset in zip(objects, offsets, strict=False)  # the last offset is the end
            ]
            wait(futures, return_when=FIRST_EXCEPTION)
            pool.shutdown(wait=True, cancel_futures=True)  # nobody writes into the spool when it is used again
        failed = (future.exception() for future in futures if future.done() and not future.cancelled())
        if error := next(filter(None, failed), None):
            raise error
        return [future.result() for future in futures]

    def _fetch_object(
        self, series: Series, stored: StoredObject, offset: int, spool: Spool, on_bytes: OnBytes
    ) -> Member:
        return self._patience.call(
            lambda: self._try_object(series, stored, offset, spool, on_bytes), series.series_instance_uid
        )

    def _try_object(self, series: Series, stored: StoredObject, offset: int, spool: Spool, on_bytes: OnBytes) -> Member:
        digest = Digest()

        def write(chunk: bytes) -> None:
            if digest.size + len(chunk) > stored.size:
                raise SeriesDamaged(f"{stored.key} is longer than the {stored.size} bytes that IDC lists")
            spool.write_at(offset + digest.size, chunk)
            digest.update(chunk)
            on_bytes(len(chunk))

        self._client.get_object(stored, write)
        if digest.size < stored.size:
            raise SeriesIncomplete(f"{stored.key} ended after {digest.size} of {stored.size} bytes")
        if stored.md5 and digest.md5 != stored.md5:
            raise SeriesDamaged(f"{stored.key} arrived with MD5 {digest.md5}, IDC lists {stored.md5}")
        return stored_member(series, spool, offset, digest, stored.key)


def _parts(objects: Sequence[StoredObject], limit: int) -> Iterator[list[StoredObject]]:
    """Cut the objects into runs of at most `limit` bytes, one object at least."""
    part: list[StoredObject] = []
    size = 0
    for stored in objects:
        if part and size + stored.size > limit:
            yield part
            part, size = [], 0
        part.append(stored)
        size += stored.size
    yield part


def _size_notes(series: Series, objects: Sequence[StoredObject]) -> tuple[str, ...]:
    listed = sum(stored.size for stored in objects)
    if listed == series.byte_count or not series.byte_count:
        return ()
    return (f"the bucket lists {listed} bytes, the index {series.byte_count}",)
