"""Files of resources: folders, archives, filters, by the numbers of xnat-rest-tests.md §2."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.sandbox.xnat_case import PROJECT, Site, zipped

FILES = f"/data/projects/{PROJECT}/resources/TEST/files"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def put(site: Site, name: str, **query: str) -> None:
    url = f"{site.server.url}{FILES}/{name}"
    answer = site.session.put(url, params=query, files={"file": (name, name.encode())}, timeout=30)
    assert answer.status_code == 200, answer.text


def names(site: Site, path: str, **query: str) -> list[str]:
    return sorted(row["Name"] for row in site.rows(path, **query))


def tarred(mode: Literal["w", "w:gz"]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for number in (1, 2):
            member = tarfile.TarInfo(f"mr_1/{number}.dcm")
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return made.getvalue()


def test_check_041_a_file_by_a_form(site: Site) -> None:
    put(site, "1.dcm")
    for path in (FILES, f"/data/projects/{PROJECT}/files"):
        assert site.ask("GET", f"{path}/1.dcm").content == b"1.dcm"


def test_check_042_folders(site: Site) -> None:
    for name in ("1.dcm", "sub/2.dcm", "sub/folder/3.dcm", "subway.dcm"):
        put(site, name)
    assert names(site, f"{FILES}/sub/") == ["2.dcm", "3.dcm"]
    assert names(site, f"{FILES}/sub/", recursive="false") == ["2.dcm"]
    with zipfile.ZipFile(io.BytesIO(site.ask("GET", f"{FILES}/sub/", format="zip").content)) as archive:
        assert len(archive.namelist()) == 2
    assert site.ask("DELETE", f"{FILES}/sub/folder").status_code == 200
    assert names(site, FILES) == ["1.dcm", "2.dcm", "subway.dcm"]
    assert site.ask("GET", f"{FILES}/sub/folder/").status_code == 404


@pytest.mark.parametrize(
    ("check", "name", "content"),
    [
        (43, "a.zip", zipped({"mr_1/1.dcm": b"x", "mr_1/2.dcm": b"x"})),
        (44, "a.tar", tarred("w")),
        (45, "a.tar.gz", tarred("w:gz")),
        (46, "a.tgz", tarred("w:gz")),
    ],
    ids=lambda value: f"check_{value:03}" if isinstance(value, int) else "",
)
def test_checks_of_archives_that_are_extracted(site: Site, check: int, name: str, content: bytes) -> None:
    url = f"{site.server.url}{FILES}"
    answer = site.session.post(url, params={"extract": "true"}, files={"file": (name, content)}, timeout=30)
    assert answer.status_code == 200, check
    assert [row["URI"].partition("/files/")[2] for row in site.rows(FILES)] == ["mr_1/1.dcm", "mr_1/2.dcm"]
    assert site.ask("GET", f"{FILES}/mr_1/2.dcm").content == b"x"


def test_check_048_filters_of_a_listing(site: Site) -> None:
    put(site, "1.txt", content="NOTES")
    put(site, "2.txt", content="OTHER")
    assert names(site, FILES, file_content="NOTES") == ["1.txt"]
    assert site.ask("GET", FILES, index="1").content == b"2.txt"
    assert site.ask("GET", FILES, index="2").status_code == 404
