"""IDC's buckets in the sandbox, over a socket."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pydicom
import pytest
import urllib3
from defusedxml import ElementTree

from sandbox.index import Row
from sandbox.sandbox import Sandbox

SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
HTTP = urllib3.PoolManager(retries=False, timeout=30)


def sandbox(folder: Path, **settings: Any) -> Sandbox:  # noqa: ANN401  the fields of Settings
    chosen = {"collections": ["cmb_aml", "remind", "breast_cancer_screening_dbt"], "with_xnat": False} | settings
    return Sandbox(folder, **chosen)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def idc(folder: Path) -> Iterator[Sandbox]:
    with sandbox(folder, page_size=7) as started:
        yield started


def series(idc: Sandbox, condition: str) -> Row:
    return idc.index.nbia(f"SELECT * FROM nbia WHERE {condition} ORDER BY SeriesInstanceUID LIMIT 1")[0]  # noqa: S608  tests' own words


def ask(idc: Sandbox, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
    return HTTP.request(method, idc.environment["TCIA_XNAT_IDC_URL"] + path, headers=headers)


def listing(idc: Sandbox, path: str) -> Element:
    answer = ask(idc, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/xml")
    return ElementTree.fromstring(answer.data)


def texts(page: Element, name: str) -> list[str]:
    return [found.text or "" for found in page.iter(f"{SPACE}{name}")]


def pages(idc: Sandbox, row: Row) -> list[Element]:
    path = f"/{row['aws_bucket']}?list-type=2&prefix={row['crdc_series_uuid']}/"
    found = [listing(idc, path)]
    while texts(found[-1], "IsTruncated") == ["true"]:
        token = texts(found[-1], "NextContinuationToken")[0]
        found.append(listing(idc, f"{path}&continuation-token={token}"))
    return found


def test_a_listing_comes_in_pages_and_is_what_the_index_says(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'CT' AND instanceCount BETWEEN 15 AND 60")
    found = pages(idc, row)
    keys = [key for page in found for key in texts(page, "Key")]
    sizes = [int(size) for page in found for size in texts(page, "Size")]
    assert [len(texts(page, "Key")) for page in found[:-1]] == [7] * (len(found) - 1)
    assert texts(found[-1], "IsTruncated") == ["false"]
    assert texts(found[-1], "NextContinuationToken") == []
    assert len(set(keys)) == row["instanceCount"]
    assert keys == sorted(keys)
    assert all(key.startswith(f"{row['crdc_series_uuid']}/") and key.endswith(".dcm") for key in keys)
    assert sum(sizes) == round(row["series_size_MB"] * 1e6)
    assert [texts(page, "KeyCount") for page in found] == [[str(len(texts(page, "Key")))] for page in found]


def test_objects_are_the_images_with_their_md5_as_etag(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'MR' AND instanceCount BETWEEN 8 AND 40")
    numbers = []
    for page in pages(idc, row):
        for key, etag, size in zip(texts(page, "Key"), texts(page, "ETag"), texts(page, "Size"), strict=True):
            answer = ask(idc, f"/{row['aws_bucket']}/{key}")
            assert answer.status == 200
            assert answer.headers["ETag"] == etag == f'"{hashlib.md5(answer.data, usedforsecurity=False).hexdigest()}"'
            assert int(answer.headers["Content-Length"]) == int(size) == len(answer.data)
            image = pydicom.dcmread(io.BytesIO(answer.data))
            assert image.SeriesInstanceUID == row["SeriesInstanceUID"]
            numbers.append(image.InstanceNumber)
    assert sorted(numbers) == list(range(1, row["instanceCount"] + 1))


def key_of(idc: Sandbox, row: Row) -> str:
    return f"/{row['aws_bucket']}/{texts(pages(idc, row)[0], 'Key')[0]}"


@pytest.mark.parametrize(
    ("asked", "part", "range_"),
    [
        ("bytes=0-99", slice(0, 100), "bytes 0-99/12288"),
        ("bytes=100-", slice(100, None), "bytes 100-12287/12288"),
        ("bytes=12000-99999", slice(12000, None), "bytes 12000-12287/12288"),
        ("bytes=-10", slice(-10, None), "bytes 12278-12287/12288"),
    ],
)
def test_range(idc: Sandbox, asked: str, part: slice, range_: str) -> None:
    key = key_of(idc, series(idc, "Modality = 'CT'"))
    whole, answer = ask(idc, key), ask(idc, key, Range=asked)
    assert (answer.status, answer.data) == (206, whole.data[part])
    assert answer.headers["Content-Range"] == range_
    assert answer.headers["ETag"] == whole.headers["ETag"]


def test_a_range_behind_the_end_cannot_be_satisfied(idc: Sandbox) -> None:
    answer = ask(idc, key_of(idc, series(idc, "Modality = 'CT'")), Range="bytes=12288-")
    assert answer.status == 416
    assert ElementTree.fromstring(answer.data).findtext("Code") == "InvalidRange"


def test_head_tells_size_and_etag_without_a_body(idc: Sandbox) -> None:
    key = key_of(idc, series(idc, "Modality = 'CT'"))
    head, whole = ask(idc, key, "HEAD"), ask(idc, key)
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", "12288")
    assert head.headers["ETag"] == whole.headers["ETag"]


def test_what_is_not_there(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'CT'")
    folder = row["crdc_series_uuid"]
    for path, code in (
        (f"/{row['aws_bucket']}/{folder}/00000000-0000-4000-8000-000000000000.dcm", "NoSuchKey"),
        (f"/{row['aws_bucket']}/{folder}", "NoSuchKey"),
        (f"/idc-open-data-two/{key_of(idc, row).split('/', 2)[2]}", "NoSuchKey"),
        ("/somebody-elses?list-type=2&prefix=x/", "NoSuchBucket"),
        ("/somebody-elses/key", "NoSuchBucket"),
    ):
        answer = ask(idc, path)
        assert answer.status == 404
        assert ElementTree.fromstring(answer.data).findtext("Code") == code
    assert ask(idc, f"/{row['aws_bucket']}/{folder}/x.dcm", "PUT").status == 405


def test_a_bucket_may_stand_in_the_host(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'CT'")
    key, host = key_of(idc, row), f"{row['aws_bucket']}.s3.amazonaws.com"
    inside = "/" + key.split("/", 2)[2]
    assert ask(idc, inside, Host=host).data == ask(idc, key).data
    listed = ask(idc, f"/?list-type=2&prefix={row['crdc_series_uuid']}/", Host=host)
    assert texts(ElementTree.fromstring(listed.data), "Key")[0] == inside[1:]
    assert ask(idc, inside).status == 404


@pytest.mark.parametrize(("most", "count"), [("0", 0), ("2", 2), ("9", 7)])
def test_a_page_may_be_made_shorter_and_no_longer(idc: Sandbox, most: str, count: int) -> None:
    row = series(idc, "Modality = 'CT' AND instanceCount > 9")
    path = f"/{row['aws_bucket']}?list-type=2&prefix={row['crdc_series_uuid']}/"
    page = listing(idc, f"{path}&max-keys={most}")
    assert len(texts(page, "Key")) == len(texts(page, "NextContinuationToken")) * count == count
    assert ask(idc, f"{path}&max-keys=-1").status == 400


def test_an_unknown_folder_lists_nothing(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'CT'")
    for path in (
        "/idc-open-data?list-type=2&prefix=00000000-0000-4000-8000-000000000000/",
        f"/idc-open-data-two?list-type=2&prefix={row['crdc_series_uuid']}/",
        "/idc-open-data?list-type=2",
    ):
        page = listing(idc, path)
        assert (texts(page, "Key"), texts(page, "KeyCount"), texts(page, "IsTruncated")) == ([], ["0"], ["false"])


def test_a_wrong_token_is_refused(idc: Sandbox) -> None:
    row = series(idc, "Modality = 'CT'")
    path = f"/{row['aws_bucket']}?list-type=2&prefix={row['crdc_series_uuid']}/&continuation-token=%21"
    answer = ask(idc, path)
    assert (answer.status, ElementTree.fromstring(answer.data).findtext("Code")) == (400, "InvalidArgument")


def test_buckets_by_licence(idc: Sandbox) -> None:
    row = series(idc, "collection_id = 'breast_cancer_screening_dbt'")
    assert row["aws_bucket"] == "idc-open-data-cr"
    image = pydicom.dcmread(io.BytesIO(ask(idc, key_of(idc, row)).data))
    assert (image.Modality, image.NumberOfFrames, image.pixel_array.shape) == ("MG", 4, (4, 32, 32))


def test_what_was_asked_is_remembered(idc: Sandbox) -> None:
    key = key_of(idc, series(idc, "Modality = 'CT'"))
    idc.s3.forget()
    ask(idc, f"{key}?x=1")
    ask(idc, f"{key}gone")
    assert [asked[:3] for asked in idc.s3.requests] == [("GET", f"{key}?x=1", 200), ("GET", f"{key}gone", 404)]
    assert idc.s3.most_at_once == 1
    assert idc.s3.bytes_sent > 12_288


def test_hidden_series_and_etags_of_objects_in_parts(idc: Sandbox, folder: Path) -> None:
    hidden, shown = idc.index.nbia("SELECT * FROM nbia WHERE Modality = 'CT' ORDER BY SeriesInstanceUID LIMIT 2")
    with sandbox(folder, hidden_from_idc={hidden["SeriesInstanceUID"]}, multipart_etags=True) as other:
        path = f"/{hidden['aws_bucket']}?list-type=2&prefix={hidden['crdc_series_uuid']}/"
        assert texts(listing(other, path), "Key") == []
        assert ask(other, key_of(idc, hidden)).status == 404
        assert other.index.nbia_series(hidden["SeriesInstanceUID"]) == hidden
        etag = ask(other, key_of(idc, shown)).headers["ETag"]
        assert etag == ask(idc, key_of(idc, shown)).headers["ETag"][:-1] + '-2"'
        assert texts(pages(other, shown)[0], "ETag")[0] == etag
        names = other.index.nbia("SELECT SeriesInstanceUID FROM idc WHERE Modality = 'CT' ORDER BY ALL LIMIT 1")
        assert names == [{"SeriesInstanceUID": shown["SeriesInstanceUID"]}]
