"""NBIA's DownloadServlet in the sandbox (tcia-nbia-and-idc.md §4, §10.19 to §10.21)."""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterator

import pytest
import requests

from sandbox.nbia.zip import Entry
from sandbox.sandbox import Sandbox
from sandbox.uids import sop_instance_uid

HIDDEN = "1.2.826.0.1.3680043.1.1"
EXTRA = "1.2.826.0.1.3680043.1.2"
GUEST = {"password": ""}


@pytest.fixture(scope="module")
def tcia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    extra = [
        {"SeriesInstanceUID": HIDDEN},
        {"SeriesInstanceUID": EXTRA, "instanceCount": 12, "PatientID": "P", "SeriesDescription": "Thorax|5/mm"},
    ]
    with Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        collections=["cmb_aml"],
        with_xnat=False,
        extra_series=extra,
        hidden_from_nbia={HIDDEN},
    ) as started:
        yield started


def ask(tcia: Sandbox, version: str, headers: dict[str, str] | None = None, **form: str) -> requests.Response:
    root = tcia.environment["TCIA_XNAT_NBIA_URL"].removesuffix("/nbia-api/services")
    return requests.post(f"{root}/nbia-download/servlet/DownloadServlet{version}", form, headers=headers, timeout=30)


def untar(answer: requests.Response) -> dict[str, bytes]:
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def refused(answer: requests.Response, reason: str, message: str) -> int:
    assert answer.headers["Content-Type"].startswith("text/html")
    assert f"<title>HTTP Status {answer.status_code} \N{EN DASH} {reason}</title>" in answer.text
    assert message in answer.text
    return answer.status_code


def test_a_line_for_each_series(tcia: Sandbox) -> None:
    other = tcia.index.nbia("SELECT * FROM nbia WHERE collection_id = 'cmb_aml' ORDER BY ALL")[0]["SeriesInstanceUID"]
    for version, fields in (("V3", 16), ("V4", 24)):
        answer = ask(tcia, version, numberOfSeries="2", series1=EXTRA, series2=other)
        assert answer.headers["Content-Disposition"] == "attachment;filename=downloadname.txt"
        assert answer.headers["Content-Type"].startswith("text/plain")
        lines = [line.split("|") for line in answer.text.splitlines()]
        assert [(len(line), line[3]) for line in lines] == [(fields, EXTRA), (fields, other)]
        size = str(12 * tcia.images.image_bytes)
        assert (lines[0][1], lines[0][5:8]) == ("P", ["12", size, "0"])
        assert lines[0][15] == "Thorax5mm"


def test_get_is_as_good_as_post(tcia: Sandbox) -> None:
    url = ask(tcia, "V4", numberOfSeries="0").url
    assert requests.get(url, {"numberOfSeries": "1", "series1": EXTRA}, timeout=30).text.count("|") == 23


def test_one_series_that_is_not_shown_refuses_all(tcia: Sandbox) -> None:
    for other in (HIDDEN, "1.2.3.4", EXTRA):
        answer = ask(tcia, "V4", numberOfSeries="2", series1=EXTRA, series2=other)
        assert refused(answer, "Unknown Reason", "Login needed.") == 460
    login = ask(tcia, "V4", {"password": "x"}, numberOfSeries="1", series1=EXTRA, userId="me")
    assert refused(login, "Unknown Reason", "Incorrect username") == 461
    assert refused(ask(tcia, "V4", numberOfSeries="0"), "Bad Request", "at least one series") == 400
    assert ask(tcia, "V4", numberOfSeries="two").status_code == 500


def test_a_series_is_a_tar(tcia: Sandbox) -> None:
    answer = ask(tcia, "V4", GUEST, seriesUid=EXTRA, Range="bytes=512-")
    assert not {"Content-Type", "Content-Length"} & set(answer.headers)
    assert len(answer.content) % 10240 == 0
    row = tcia.index.nbia_series(EXTRA)
    assert row
    sops = [sop_instance_uid(row, number) for number in range(1, 13)]
    images = [tcia.images.image(row, number) for number in range(1, 13)]
    assert list(untar(answer).items()) == list(zip((f"{sop}.dcm" for sop in sops), images, strict=True))


@pytest.mark.parametrize("version", ["", "V2", "V3", "V4"])
def test_new_names_and_hashes(tcia: Sandbox, version: str) -> None:
    files = untar(ask(tcia, version, GUEST, seriesUid=EXTRA, newFileNames="Yes", getMD5Hash="Yes"))
    names = list(files)
    assert names[0].endswith("^1-01.dcm")
    assert len(names) == 12 + (version == "V4")
    if version == "V4":
        rows = list(csv.reader(io.StringIO(files["md5hashes.csv"].decode())))
        found = [
            [name.partition("^")[2], hashlib.md5(files[name], usedforsecurity=False).hexdigest()] for name in names[:-1]
        ]
        assert (names[-1], rows) == ("md5hashes.csv", [["Filename", "MD5Hash"], *found])


def test_what_a_client_has_is_left_out_by_part_of_its_name(tcia: Sandbox) -> None:
    row = tcia.index.nbia_series(EXTRA)
    assert row
    sops = [sop_instance_uid(row, number) for number in range(1, 13)]
    rest = untar(ask(tcia, "V4", GUEST, seriesUid=EXTRA, sopUids=f"'{sops[0]}','{sops[1]}0'"))
    assert list(rest) == [f"{sop}.dcm" for sop in sops[2:]]
    none = ask(tcia, "V4", GUEST, seriesUid=EXTRA, sopUids=",".join(sops))
    assert refused(none, "Forbidden", "Access Denied") == 403


def test_who_gets_a_series(tcia: Sandbox) -> None:
    assert ask(tcia, "V4", seriesUid=EXTRA).status_code == 500  # without the header
    for version in ("V2", "V3", "V4"):
        assert refused(ask(tcia, version, GUEST, seriesUid=HIDDEN), "Forbidden", "Access Denied") == 403
    assert untar(ask(tcia, "", GUEST, seriesUid=HIDDEN)) == {}


def test_a_file_that_is_gone_stays_in_the_list(tcia: Sandbox) -> None:
    def without_third(_uid: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        return (entry for place, entry in enumerate(entries, 1) if place != 3)

    tcia.nbia_application.wrap = without_third
    try:
        files = untar(ask(tcia, "V4", GUEST, seriesUid=EXTRA, getMD5Hash="Yes"))
    finally:
        tcia.nbia_application.wrap = None
    assert len(files) == 12
    assert files["md5hashes.csv"].count(b"\n1-") == 12


def test_version_has_six_lines(tcia: Sandbox) -> None:
    assert len(ask(tcia, "Version", os="CentOS", appVersion="4.4").text.splitlines()) == 6
