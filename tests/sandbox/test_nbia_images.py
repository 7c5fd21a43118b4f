"""The images of NBIA in the sandbox: zips as Java writes them, single files, and the texts of refusals."""

import csv
import hashlib
import io
import itertools
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator

import pydicom
import pytest
import requests

from sandbox.index import Row
from sandbox.nbia.zip import Entry, coded, hash_map_order, new_file_names
from sandbox.sandbox import Sandbox
from sandbox.uids import acquisition_number, sop_instance_uid

NOWHERE = "1.2.3.4"
HIDDEN = "1.2.826.0.1.3680043.1.1"
EXTRA = "1.2.826.0.1.3680043.1.2"


@pytest.fixture(scope="module")
def tcia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    extra = [{"SeriesInstanceUID": HIDDEN}, {"SeriesInstanceUID": EXTRA, "instanceCount": 12, "PatientID": "P"}]
    with Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        collections=["cmb_aml", "remind"],
        max_instances=120,
        with_xnat=False,
        extra_series=extra,
        hidden_from_nbia={HIDDEN},
    ) as started:
        yield started


@pytest.fixture(scope="module")
def row(tcia: Sandbox) -> Row:
    query = "SELECT * FROM nbia WHERE Modality = 'CT' AND instanceCount BETWEEN 20 AND 99 ORDER BY ALL"
    return tcia.index.nbia(query)[0]


def ask(tcia: Sandbox, path: str, method: str = "GET", headers: dict[str, str] | None = None, **asked: str) -> requests.Response:  # fmt: skip  # noqa: E501  one line
    return requests.request(
        method, f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/{path}", params=asked, headers=headers, timeout=30
    )


def unzip(answer: requests.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200
    opened = zipfile.ZipFile(io.BytesIO(answer.content))
    assert opened.testzip() is None
    return opened


def listed(opened: zipfile.ZipFile) -> dict[str, str]:
    rows = list(csv.reader(io.StringIO(opened.read("md5hashes.csv").decode())))
    assert rows[0] == ["Filename", "MD5Hash"]
    return {name: md5 for name, md5 in rows[1:]}  # noqa: C416  each line has two fields


def test_the_answer_has_no_length_and_cannot_be_resumed(tcia: Sandbox, row: Row) -> None:
    uid = row["SeriesInstanceUID"]
    answer = ask(tcia, "v4/getImage", SeriesInstanceUID=uid)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{uid}.zip"'
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert not {"Content-Length", "Accept-Ranges", "ETag", "Last-Modified"} & set(answer.headers)
    part = ask(tcia, "v4/getImage", headers={"Range": "bytes=100-"}, SeriesInstanceUID=uid)
    assert part.status_code == 200
    assert unzip(part).namelist() == unzip(answer).namelist()


def test_default_names(tcia: Sandbox, row: Row) -> None:
    opened = unzip(ask(tcia, "v4/getImage", SeriesInstanceUID=row["SeriesInstanceUID"], NewFileNames="true"))
    count = row["instanceCount"]
    assert opened.namelist() == ["LICENSE", *(f"{number:08}.dcm" for number in range(1, count + 1))]
    numbers = [pydicom.dcmread(io.BytesIO(opened.read(name))).InstanceNumber for name in opened.namelist()[1:]]
    assert sorted(numbers) == list(range(1, count + 1))
    assert numbers != sorted(numbers)  # the order of a database


@pytest.mark.parametrize("yes", ["Yes", "yes", "YES"])
def test_new_names_and_hashes(tcia: Sandbox, row: Row, yes: str) -> None:
    answer = ask(tcia, "v4/getImage", SeriesInstanceUID=row["SeriesInstanceUID"], NewFileNames=yes, IncludeMD5=yes)
    opened = unzip(answer)
    names = opened.namelist()
    numbers = [(acquisition_number(row, number), number) for number in range(1, row["instanceCount"] + 1)]
    assert names == ["LICENSE", *new_file_names(numbers), "md5hashes.csv"]
    images = {name: opened.read(name) for name in names[1:-1]}
    assert list(listed(opened)) == hash_map_order(images) != sorted(images)
    assert listed(opened) == {n: hashlib.md5(data, usedforsecurity=False).hexdigest() for n, data in images.items()}
    assert opened.read("md5hashes.csv").count(b"\n") == row["instanceCount"] + 1
    assert b"\r" not in opened.read("md5hashes.csv")
    for number, data in enumerate(images.values(), 1):
        image = pydicom.dcmread(io.BytesIO(data))
        assert (image.InstanceNumber, image.SOPInstanceUID) == (number, sop_instance_uid(row, number))
    assert sum(map(len, images.values())) == round(row["series_size_MB"] * 1e6)


def test_second_acquisition_gets_a_number_of_its_own(tcia: Sandbox) -> None:
    rows = tcia.index.nbia("SELECT * FROM nbia WHERE Modality = 'MR' AND instanceCount BETWEEN 10 AND 40 ORDER BY ALL")
    row = next(found for found in rows if acquisition_number(found, found["instanceCount"]) == 2)
    names = unzip(ask(tcia, "v4/getImage", SeriesInstanceUID=row["SeriesInstanceUID"], NewFileNames="Yes")).namelist()
    half = row["instanceCount"] // 2
    assert names[1] == "1-01.dcm"
    assert names[half : half + 2] == [f"1-{half:02}.dcm", "2-01.dcm"]


def test_hashes_only_if_asked_for_and_only_in_v4(tcia: Sandbox, row: Row) -> None:
    uid = row["SeriesInstanceUID"]
    assert "md5hashes.csv" not in unzip(ask(tcia, "v4/getImage", SeriesInstanceUID=uid)).namelist()
    assert "md5hashes.csv" not in unzip(ask(tcia, "v1/getImage", SeriesInstanceUID=uid, IncludeMD5="Yes")).namelist()


def test_get_image_with_md5_hash(tcia: Sandbox, row: Row) -> None:
    opened = unzip(ask(tcia, "v4/getImageWithMD5Hash", SeriesInstanceUID=row["SeriesInstanceUID"]))
    assert opened.namelist()[0] == "00000001.dcm"
    assert opened.namelist()[-1] == "md5hashes.csv"
    assert len(listed(opened)) == row["instanceCount"]
    refused = ask(tcia, "v4/getImageWithMD5Hash", SeriesInstanceUID=row["SeriesInstanceUID"], NewFileNames="Yes")
    assert (refused.status_code, refused.text) == (
        400,
        "Invalid query parameter: 'NewFileNames'. Allowed parameters are: [SeriesInstanceUID]",
    )


def test_get_dcm_image_has_new_names_and_no_license(tcia: Sandbox) -> None:
    opened = unzip(ask(tcia, "v4/getDCMImage", SeriesInstanceUID=EXTRA))
    assert opened.namelist() == [*(f"1-{number:02}.dcm" for number in range(1, 13)), "md5hashes.csv"]


def test_license(tcia: Sandbox, row: Row) -> None:
    text = unzip(ask(tcia, "v4/getImage", SeriesInstanceUID=row["SeriesInstanceUID"])).read("LICENSE").decode()
    assert row["license_short_name"] == "CC BY 4.0"
    collection = tcia.index.collection(row["collection_id"])
    assert text.startswith(
        f"License Information. The {collection} collection is distributed under the CC BY 4.0 at"
        " https://creativecommons.org/licenses/by/4.0/ By downloading the data, you agree to abide by terms of this"
        " license.\nData Usage Policy"
    )


def test_java_codes_the_zip(tcia: Sandbox) -> None:
    data = ask(tcia, "v4/getImage", SeriesInstanceUID=EXTRA, NewFileNames="Yes", IncludeMD5="Yes").content
    local = struct.unpack_from("<4s5H3I2H", data)
    assert local[:4] == (b"PK\x03\x04", 20, 0x0808, 8)
    assert local[6:] == (0, 0, 0, len("LICENSE"), 0)
    infos = zipfile.ZipFile(io.BytesIO(data)).infolist()
    for info, behind in itertools.pairwise(infos):
        descriptor = struct.unpack("<4s3I", data[behind.header_offset - 16 : behind.header_offset])
        assert descriptor == (b"PK\x07\x08", info.CRC, info.compress_size, info.file_size)
    for info in infos:
        assert (info.create_version, info.create_system, info.external_attr, info.flag_bits) == (20, 0, 0, 0x0808)
        assert (info.compress_type, info.extra, info.comment) == (zipfile.ZIP_DEFLATED, b"", b"")
    assert infos[1].compress_size < 0.7 * infos[1].file_size


@pytest.mark.skipif(shutil.which("unzip") is None, reason="Info-ZIP is not installed")
def test_info_zip_reads_the_zip(tcia: Sandbox, tmp_path: object) -> None:
    file = f"{tmp_path}/series.zip"
    with open(file, "wb") as written:  # noqa: PTH123  a text is enough
        written.write(ask(tcia, "v4/getImage", SeriesInstanceUID=EXTRA).content)
    tested = subprocess.run([str(shutil.which("unzip")), "-t", file], capture_output=True, text=True, check=False)
    assert (tested.returncode, "No errors detected" in tested.stdout) == (0, True)


def test_many_entries_and_large_offsets_make_a_zip64() -> None:
    many = b"".join(coded((Entry(f"{number}", b"") for number in range(70_000)), 1))
    assert len(zipfile.ZipFile(io.BytesIO(many)).namelist()) == 70_000
    few = b"".join(coded((Entry(f"{number}", b"") for number in range(65_534)), 1))
    assert b"PK\x06\x06" not in few


def test_an_empty_zip() -> None:
    assert zipfile.ZipFile(io.BytesIO(b"".join(coded(iter(()))))).namelist() == []


def test_the_zip_is_made_while_it_is_sent() -> None:
    made: list[str] = []

    def files() -> Iterator[Entry]:
        for number in range(3):
            made.append(str(number))
            yield Entry(str(number), b"x")

    pieces = coded(files())
    next(pieces)
    assert made == ["0"]


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ([(1, 1)], ["1-1.dcm"]),
        ([(1, n) for n in range(1, 11)], [f"1-{n:02}.dcm" for n in range(1, 11)]),
        ([(1, 1), (2, 2), (1, 3), (2, 4)], ["1-1.dcm", "2-1.dcm", "3-1.dcm", "4-1.dcm"]),
        ([(7, 3), (7, 4), (9, 5)], ["1-1.dcm", "1-2.dcm", "2-1.dcm"]),
        ([(None, 5)] * 10, [f"1-{n}.dcm" for n in range(1, 11)]),
        ([(None, None), (None, 1), (3, 2)], ["1-1.dcm", "1-2.dcm", "2-1.dcm"]),
        ([], []),
    ],
)
def test_new_file_names(numbers: list[tuple[int | None, int | None]], names: list[str]) -> None:
    assert new_file_names(numbers) == names


def test_hash_map_order_is_java_s() -> None:  # as printed by Java 17
    assert hash_map_order(["zebra", "apple", "mango", "kiwi", "b", "a"]) == [
        "zebra",
        "apple",
        "a",
        "kiwi",
        "b",
        "mango",
    ]
    numbers = [int(name[2:4]) for name in hash_map_order(f"1-{number:02}.dcm" for number in range(1, 15))]
    assert numbers == [3, 8, 11, 6, 13, 4, 2, 9, 10, 5, 7, 12, 14, 1]


def test_single_image(tcia: Sandbox, row: Row) -> None:
    uid, sop = row["SeriesInstanceUID"], sop_instance_uid(row, 3)
    answer = ask(tcia, "v4/getSingleImage", SeriesInstanceUID=uid, SOPInstanceUID=sop)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={sop}.dcm"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.content == tcia.images.image(row, 3)
    md5 = ask(tcia, "v4/getMD5HashForImage", SOPInstanceUID=sop)
    assert (md5.headers["Content-Type"], md5.text) == (
        "text/plain; charset=utf-8",
        hashlib.md5(answer.content, usedforsecurity=False).hexdigest(),
    )
    assert ask(tcia, "v1/getM5HashForImage", SOPInstanceUID=sop).text == md5.text
    assert ask(tcia, "v4/getMD5HashForImage", SOPInstanceUID="1.2").text == ""
    for asked in (
        {"SeriesInstanceUID": uid, "SOPInstanceUID": "1.2"},
        {"SeriesInstanceUID": "1", "SOPInstanceUID": sop},
    ):
        unknown = ask(tcia, "v4/getSingleImage", **asked)
        assert (unknown.status_code, unknown.text) == (500, "Server was not able to process your request\nnull")


def test_sop_instance_uids_are_those_of_the_zip(tcia: Sandbox, row: Row) -> None:
    found = ask(tcia, "v4/getSOPInstanceUIDs", SeriesInstanceUID=row["SeriesInstanceUID"]).json()
    opened = unzip(ask(tcia, "v4/getImage", SeriesInstanceUID=row["SeriesInstanceUID"]))
    sops = {str(pydicom.dcmread(io.BytesIO(opened.read(n))).SOPInstanceUID) for n in opened.namelist()[1:]}
    assert {entry["SOPInstanceUID"] for entry in found} == sops
    assert len(found) == len(sops) == row["instanceCount"]
    unknown = ask(tcia, "v4/getSOPInstanceUIDs", SeriesInstanceUID=NOWHERE)
    assert (unknown.status_code, unknown.content) == (200, b"")


@pytest.mark.parametrize("uid", [NOWHERE, HIDDEN])
@pytest.mark.parametrize("endpoint", ["getImage", "getImageWithMD5Hash"])
def test_unknown_and_hidden_series_are_refused_in_the_same_words(tcia: Sandbox, uid: str, endpoint: str) -> None:
    granted = (
        f"The user has not been granted the access to image with given SeriesInstanceUID,{uid}."
        " Please contact System Admin to resolve this issue."
    )
    public = f"Image with given SeriesInstanceUID,{uid}, is not in public domain."
    for version, text in (("v1", public), ("v2", granted), ("v4", granted)):
        answer = ask(
            tcia, f"{version}/{endpoint}", headers={"Authorization": "Bearer undefined"}, SeriesInstanceUID=uid
        )
        assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (400, text, "application/json")


def test_missing_parameters(tcia: Sandbox) -> None:
    for path, text in (
        ("v4/getImage", "A parameter, SeriesInstanceUID, is required for this API call."),
        ("v1/getImage", "A parameter, SeriesInstanceUID, is required for this API call."),
        ("v4/getImageWithMD5Hash", "A parameter, SeriesInstanceUID, is required for this API call."),
        ("v4/getSOPInstanceUIDs", "A parameter, SeriesInstanceUID is required for this API call."),
        ("v4/getSingleImage", "A parameter, SeriesInstanceUID and SOPInstanceUID, are required for this API call."),
    ):
        answer = ask(tcia, path)
        assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (400, text, "application/json")


def test_parameters_that_v4_does_not_know(tcia: Sandbox, row: Row) -> None:
    uid = row["SeriesInstanceUID"]
    answer = ask(tcia, "v4/getImage", seriesInstanceUID=uid)
    assert answer.status_code == 400
    assert answer.text == (
        "Invalid query parameter: 'seriesInstanceUID'."
        " Allowed parameters are: [SeriesInstanceUID, NewFileNames, IncludeMD5]"
    )
    assert ask(tcia, "v1/getImage", SeriesInstanceUID=uid, includeAnnotation="true").status_code == 200


def test_who_may_ask(tcia: Sandbox) -> None:
    def status(version: str, authorization: str | None) -> tuple[int, bytes]:
        headers = {"Authorization": authorization} if authorization else {}
        answer = ask(tcia, f"{version}/getImage", "HEAD", headers, SeriesInstanceUID=EXTRA)
        return answer.status_code, answer.content

    assert status("v4", None) == status("v4", "Bearer undefined") == status("v2", "Bearer undefined") == (200, b"")
    assert (status("v4", "Bearer wrong"), status("v1", "Bearer wrong")) == ((401, b""), (200, b""))
    refused = ask(tcia, "v2/getImage", SeriesInstanceUID=EXTRA)
    assert (refused.status_code, refused.content) == (500, b"Server was not able to process your request\nnull")
    assert refused.headers["Content-Length"] == "48"
    root = tcia.environment["TCIA_XNAT_NBIA_URL"].removesuffix("/services")
    form = {"username": "nbia_guest", "password": "", "client_id": "NBIA", "grant_type": "password"}
    token = requests.post(f"{root}/oauth/token", form, timeout=30).json()["access_token"]
    assert status("v2", f"Bearer {token}") == status("v4", f"Bearer {token}") == (200, b"")
    assert requests.post(f"{root}/oauth/token", form | {"username": "me"}, timeout=30).status_code == 401


def test_head_tells_no_size(tcia: Sandbox) -> None:
    tcia.nbia.forget()
    answer = ask(tcia, "v4/getImage", "HEAD", SeriesInstanceUID=EXTRA)
    assert (answer.status_code, answer.content, "Content-Length" in answer.headers) == (200, b"", False)
    assert ask(tcia, "v4/getImage", "HEAD", SeriesInstanceUID=NOWHERE).status_code == 400
    assert [asked.status for asked in tcia.nbia.requests] == [200, 400]
    assert tcia.nbia.requests[0].path_with_query == f"/nbia-api/services/v4/getImage?SeriesInstanceUID={EXTRA}"


def test_what_is_not_there_is_an_error_of_the_server(tcia: Sandbox) -> None:
    for method, path, text in (
        ("GET", "v4/getNothing", "HTTP 404 Not Found"),
        ("GET", "v9/getImage", "HTTP 404 Not Found"),
        ("GET", "v4", "HTTP 404 Not Found"),
        ("POST", "v4/getImage", "HTTP 405 Method Not Allowed"),
        ("GET", "v4/getSeriesMetadata", "HTTP 405 Method Not Allowed"),
        ("GET", "v1/getSeriesMetadata", "HTTP 404 Not Found"),
    ):
        answer = ask(tcia, path, method)
        assert (answer.status_code, answer.text) == (500, f"Server was not able to process your request\n{text}")
        assert answer.headers["Content-Type"].startswith("text/plain")
    root = tcia.environment["TCIA_XNAT_NBIA_URL"].removesuffix("/services")
    assert requests.get(f"{root}/up", timeout=30).text == "up"


def test_entries_can_be_wrapped(tcia: Sandbox) -> None:
    def shortened(uid: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        return itertools.islice(entries, 3) if uid == EXTRA else entries

    tcia.nbia_application.wrap = shortened
    try:
        answer = ask(tcia, "v4/getImage", SeriesInstanceUID=EXTRA, NewFileNames="Yes", IncludeMD5="Yes")
    finally:
        tcia.nbia_application.wrap = None
    assert unzip(answer).namelist() == ["LICENSE", "1-01.dcm", "1-02.dcm"]
