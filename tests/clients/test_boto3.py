"""IDC's buckets through boto3: unsigned, path style (tcia-nbia-and-idc.md §7.2)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.index import Row
from sandbox.sandbox import Sandbox

CONFIG = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def s3(archives: Sandbox) -> Iterator[Any]:
    url = archives.environment["TCIA_XNAT_IDC_URL"]
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=CONFIG)
    yield client
    client.close()


@pytest.fixture
def series(archives: Sandbox) -> Row:
    query = "SELECT * FROM nbia WHERE instanceCount BETWEEN 15 AND 40 ORDER BY SeriesInstanceUID LIMIT 1"
    return archives.index.nbia(query)[0]


@pytest.fixture
def place(series: Row) -> dict[str, str]:
    return {"Bucket": series["aws_bucket"], "Prefix": f"{series['crdc_series_uuid']}/"}


@pytest.fixture
def listed(s3: Any, place: dict[str, str]) -> list[dict[str, Any]]:  # noqa: ANN401  boto3 has no types
    found: list[dict[str, Any]] = s3.list_objects_v2(**place)["Contents"]
    return found


@pytest.fixture
def first(place: dict[str, str], listed: list[dict[str, Any]]) -> dict[str, str]:
    return {"Bucket": place["Bucket"], "Key": listed[0]["Key"]}


def test_pages_together_are_the_series(s3: Any, place: dict[str, str], series: Row) -> None:  # noqa: ANN401  boto3 has no types
    pages = list(s3.get_paginator("list_objects_v2").paginate(**place))
    objects = [found for page in pages for found in page["Contents"]]
    whole, rest = divmod(series["instanceCount"], 7)
    assert [page["KeyCount"] for page in pages] == [7] * whole + [rest] * bool(rest)
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert len({found["Key"] for found in objects}) == series["instanceCount"]
    assert all(found["Key"].startswith(place["Prefix"]) for found in objects)
    assert sum(found["Size"] for found in objects) == round(series["series_size_MB"] * 1e6)


def test_a_list_may_be_short_and_begin_behind_a_key(
    s3: Any,  # noqa: ANN401  boto3 has no types
    place: dict[str, str],
    listed: list[dict[str, Any]],
) -> None:
    page = s3.list_objects_v2(**place, MaxKeys=2, StartAfter=listed[2]["Key"])
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (2, 2, True)
    assert page["Contents"] == listed[3:5]


def test_an_unknown_folder_is_an_empty_list(s3: Any, place: dict[str, str]) -> None:  # noqa: ANN401  boto3 has no types
    page = s3.list_objects_v2(Bucket=place["Bucket"], Prefix="00000000-0000-4000-8000-000000000000/")
    assert (page["KeyCount"], page["IsTruncated"], "Contents" in page) == (0, False, False)


def test_an_object_has_its_size_and_md5_in_list_head_and_body(
    s3: Any,  # noqa: ANN401  boto3 has no types
    listed: list[dict[str, Any]],
    first: dict[str, str],
) -> None:
    head, got = s3.head_object(**first), s3.get_object(**first)
    with got["Body"] as body:
        data = body.read()
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    assert data[128:132] == b"DICM"
    assert (listed[0]["ETag"], head["ETag"], got["ETag"]) == (etag, etag, etag)
    assert (listed[0]["Size"], head["ContentLength"], got["ContentLength"]) == (len(data),) * 3
    assert listed[0]["LastModified"] == head["LastModified"] == got["LastModified"]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-10", slice(-10, None)),
    ],
)
def test_a_range_is_a_part_of_the_object(s3: Any, first: dict[str, str], asked: str, part: slice) -> None:  # noqa: ANN401  boto3 has no types
    with s3.get_object(**first)["Body"] as body:
        whole = body.read()
    got = s3.get_object(**first, Range=asked)
    with got["Body"] as body:
        assert body.read() == whole[part]
    begin, end, _ = part.indices(len(whole))
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {begin}-{end - 1}/{len(whole)}"


def test_a_file_is_downloaded(s3: Any, listed: list[dict[str, Any]], first: dict[str, str], tmp_path: Path) -> None:  # noqa: ANN401  boto3 has no types
    s3.download_file(first["Bucket"], first["Key"], str(tmp_path / "1.dcm"))
    data = (tmp_path / "1.dcm").read_bytes()
    assert listed[0]["ETag"].strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_what_is_not_there_is_told_by_its_code(s3: Any, first: dict[str, str]) -> None:  # noqa: ANN401  boto3 has no types
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=first["Bucket"], Key="gone/gone.dcm")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="somebody-elses")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**first, Range="bytes=999999-")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=first["Bucket"], Key="gone/gone.dcm")
