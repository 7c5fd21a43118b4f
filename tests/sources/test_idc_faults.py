"""What IDC's buckets may send instead of a whole series, and what becomes of it."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as changed

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core import limits
from tcia_xnat.core.errors import (
    SeriesDamaged,
    SeriesIncomplete,
    SeriesUnavailable,
    SourceError,
    SourceUnreachable,
    SpaceError,
    Stopped,
)
from tcia_xnat.core.model import SeriesPackage
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources import OnBytes
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.sources.idc.source import IdcSource
from tcia_xnat.staging.spool import Spool
from tests.images import SERIES, image, series

UUID = "8a1c0b3e-0000-4000-8000-000000000001"
FILES = {f"{UUID}/{number:02}.dcm": image(number) for number in range(1, 6)}


@dataclass
class Bucket:
    """A bucket with one series; `broken` answers once instead of an object, `listing` instead of the list."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    broken: dict[str, list[Response]] = field(default_factory=dict)
    listing: list[Response] = field(default_factory=list)
    etags: dict[str, str] = field(default_factory=dict)
    page: int = 1000
    asked: list[str] = field(default_factory=list)

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/bucket", self.list), Route("/bucket/{key:path}", self.get)])

    async def list(self, request: Request) -> Response:
        if self.listing:
            return self.listing.pop(0)
        start = int(request.query_params.get("continuation-token", "0"))
        keys = [key for key in sorted(self.files) if key.startswith(request.query_params["prefix"])]
        shown, more = keys[start : start + self.page], start + self.page < len(keys)
        rows = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(self.files[key])}</Size><ETag>&quot;{self.etag(key)}&quot;</ETag></Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{start + self.page}</NextContinuationToken>" if more else ""
        return Response(
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )

    async def get(self, request: Request) -> Response:
        key = request.path_params["key"]
        self.asked.append(key)
        if self.broken.get(key):
            return self.broken[key].pop(0)
        return Response(self.files[key]) if key in self.files else Response("NoSuchKey", 404)

    def etag(self, key: str) -> str:
        return self.etags.get(key) or hashlib.md5(self.files[key], usedforsecurity=False).hexdigest()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def fetch(
    bucket: Bucket,
    spool: Spool,
    *,
    attempts: int = 1,
    on_bytes: OnBytes = lambda _count: None,
    limit: int = 1 << 30,
    count: int = 5,
) -> list[dict[str, bytes]]:
    """Fetch the series; return the files of each package by SOPInstanceUID."""
    asked = changed(series(count), aws_bucket="bucket", crdc_series_uuid=UUID)
    with Server(bucket.application()) as server:
        client = IDCClient(server.url)
        try:
            source = IdcSource(client, Patience(RetryPolicy(attempts), lambda _seconds: None), limit)
            return [read(spool, package) for package in source.fetch(asked, spool, on_bytes)]
        finally:
            client.close()


def read(spool: Spool, package: SeriesPackage) -> dict[str, bytes]:
    return {one.sop_instance_uid: b"".join(spool.read(one.offset, one.size)) for one in package.members}


EXPECTED = {f"{SERIES}.{number}": image(number) for number in range(1, 6)}
FIRST = f"{UUID}/01.dcm"


def test_a_series_arrives_with_all_its_images_each_asked_for_once(bucket: Bucket, spool: Spool) -> None:
    assert fetch(bucket, spool) == [EXPECTED]
    assert sorted(bucket.asked) == sorted(FILES)


def test_a_list_of_several_pages_is_read_to_its_end(bucket: Bucket, spool: Spool) -> None:
    bucket.page = 2
    assert fetch(bucket, spool) == [EXPECTED]


def test_a_large_series_goes_in_several_packages_that_never_fill_the_spool(bucket: Bucket, spool: Spool) -> None:
    limit = 2 * len(image(1))
    packages = fetch(bucket, spool, limit=limit)
    assert [len(package) for package in packages] == [2, 2, 1]
    assert {uid: data for package in packages for uid, data in package.items()} == EXPECTED
    assert spool.size <= limit


@pytest.mark.parametrize(
    "instead",
    [
        Response("SlowDown", 503),
        Response(b"x" * len(FILES[FIRST])),
        Response(FILES[FIRST][:-10]),
        Response(FILES[FIRST] + b"!"),
    ],
    ids=["slow down", "other bytes", "short", "long"],
)
def test_an_object_that_fails_once_is_asked_for_again_and_no_other(
    bucket: Bucket, spool: Spool, instead: Response
) -> None:
    bucket.broken[FIRST] = [instead]
    assert fetch(bucket, spool, attempts=2) == [EXPECTED]
    assert sorted(bucket.asked) == sorted([*FILES, FIRST])


def test_an_object_that_never_has_the_bytes_of_its_etag_fails(bucket: Bucket, spool: Spool) -> None:
    bucket.etags[FIRST] = "0" * 32
    with pytest.raises(SeriesDamaged, match="arrived with MD5"):
        fetch(bucket, spool, attempts=2)


def test_an_etag_of_parts_is_no_hash(bucket: Bucket, spool: Spool) -> None:
    bucket.etags[FIRST] = "0" * 32 + "-2"
    assert fetch(bucket, spool) == [EXPECTED]


def test_fewer_objects_than_the_index_counts_fail_with_the_numbers(bucket: Bucket, spool: Spool) -> None:
    with pytest.raises(SeriesIncomplete, match="5 of 6 images"):
        fetch(bucket, spool, count=6)


def test_a_series_that_has_left_the_bucket_is_unavailable(bucket: Bucket, spool: Spool) -> None:
    bucket.files = {}
    with pytest.raises(SeriesUnavailable):
        fetch(bucket, spool)


@pytest.mark.parametrize("status", [403, 404])
def test_an_object_that_is_not_given_out_is_asked_for_once(bucket: Bucket, spool: Spool, status: int) -> None:
    bucket.broken[FIRST] = [Response("no", status)] * 9
    with pytest.raises(SeriesUnavailable, match=str(status)):
        fetch(bucket, spool, attempts=5)
    assert bucket.asked.count(FIRST) == 1


@pytest.mark.parametrize(
    "listing",
    [
        Response("<html>busy</html>"),
        Response(b"\x00\x01"),
        Response("SlowDown", 503),
        Response("<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult>&a;</ListBucketResult>"),
    ],
    ids=["html", "rubbish", "slow down", "entities"],
)
def test_a_list_that_cannot_be_read_is_asked_for_again(bucket: Bucket, spool: Spool, listing: Response) -> None:
    bucket.listing = [listing]
    assert fetch(bucket, spool, attempts=2) == [EXPECTED]
    bucket.listing = [listing] * 2
    with pytest.raises(SourceUnreachable):
        fetch(bucket, spool, attempts=2)


def test_a_redirect_is_not_followed(bucket: Bucket, spool: Spool) -> None:
    bucket.listing = [Response("", 301, {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(Exception, match="IDC answered 301"):
        fetch(bucket, spool)


def test_an_object_of_another_series_fails(bucket: Bucket, spool: Spool) -> None:
    bucket.files[FIRST] = image(1, series="1.2.3")
    with pytest.raises(SeriesDamaged, match="SeriesInstanceUID"):
        fetch(bucket, spool)


def test_the_same_instance_twice_fails_also_across_packages(bucket: Bucket, spool: Spool) -> None:
    bucket.files[FIRST] = image(5)
    with pytest.raises(SeriesDamaged, match="twice"):
        fetch(bucket, spool, limit=len(image(1)))


def test_a_stop_ends_all_threads_of_the_series(bucket: Bucket, spool: Spool) -> None:
    def stopped(_count: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fetch(bucket, spool, on_bytes=stopped)


def test_a_full_disk_is_no_fault_of_the_series(bucket: Bucket, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(SpaceError, match="No space left"):
        fetch(bucket, spool, attempts=2)


def listing(*keys: str, more: str = "", size: str = "10") -> Response:
    rows = "".join(f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key in keys)
    token = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    return Response(f"<ListBucketResult>{token}{rows}</ListBucketResult>")


ENDLESS = {
    "the same token again": [listing(FIRST, more="t") for _ in range(3)],
    "more objects than the index counts": [listing(*(f"{UUID}/{n}" for n in range(6)), more="t")],
    "objects of others": [listing("another/1.dcm")],
    "an object of a million GB": [listing(FIRST, size="1000000000000000")],
    "an object of less than nothing": [listing(FIRST, size="-1")],
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_list_that_no_honest_bucket_sends_is_not_followed(bucket: Bucket, spool: Spool, name: str) -> None:
    bucket.listing = ENDLESS[name]
    with pytest.raises((SeriesDamaged, SourceUnreachable), match="IDC"):
        fetch(bucket, spool)
    assert not bucket.asked


def test_a_list_of_ever_new_pages_has_an_end(bucket: Bucket, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTING_PAGES", 3)
    bucket.listing = [listing(more=f"t{number}") for number in range(9)]
    with pytest.raises(SeriesDamaged, match="without an end"):
        fetch(bucket, spool)
    assert len(bucket.listing) == 6


def test_a_list_that_grows_when_it_is_unpacked_stops_within_its_limit(bucket: Bucket, spool: Spool) -> None:
    bomb = gzip.compress(b"<ListBucketResult>" + b" " * (64 << 20))
    bucket.listing = [Response(bomb, headers={"content-encoding": "gzip"})]
    with pytest.raises(SourceError, match="larger than 8 MiB"):
        fetch(bucket, spool)
