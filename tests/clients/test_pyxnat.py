"""The sandbox's XNAT through pyxnat: select, download, upload, prearchive (xnat-http.md §4, §7.4, §10)."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import pyxnat
from pyxnat.core.errors import DatabaseError

from tests.sandbox.xnat_case import PROJECT, STUDY, Site, of_series

SCANS = {"3": 2, "4": 1}
"""Number of images of each scan."""
ADMIN = {"user": "admin", "password": "admin"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a server with session E1 of subject S1: two scans."""
    with Site(tmp_path_factory.mktemp("xnat")) as site:
        site.archived(
            {name: data for scan, count in SCANS.items() for name, data in of_series(int(scan), count).items()}
        )
        yield site


@pytest.fixture(scope="module")
def interface(site: Site) -> Iterator[Any]:
    with pyxnat.Interface(server=site.server.url, **ADMIN) as interface:
        yield interface


@pytest.fixture
def session(interface: Any) -> Any:  # noqa: ANN401  pyxnat has no types
    return interface.select.project(PROJECT).subject("S1").experiment("E1")


def test_a_connection_is_one_session_until_its_end(site: Site) -> None:
    before = site.server.parts.accounts.open_sessions("admin")
    with pyxnat.Interface(server=site.server.url, **ADMIN) as interface:
        assert interface.version()["version"] == "1.8.10.1"
        assert PROJECT in interface.select.projects().get()
        assert site.server.parts.accounts.open_sessions("admin") == before + 1
    assert site.server.parts.accounts.open_sessions("admin") == before


def test_wrong_passwords_are_told(site: Site) -> None:
    with (
        pyxnat.Interface(server=site.server.url, **ADMIN | {"password": "wrong"}) as interface,
        pytest.raises(DatabaseError, match="status code: 401"),
    ):
        interface.select.project(PROJECT).prearchive_code()


def test_the_way_from_project_to_files(interface: Any) -> None:  # noqa: ANN401  pyxnat has no types
    project = interface.select.project(PROJECT)
    [subject] = project.subjects()
    [session] = subject.experiments()
    assert (project.id(), subject.label(), session.label()) == (PROJECT, "S1", "E1")
    assert session.scans().get() == list(SCANS)
    for scan, count in SCANS.items():
        [resource] = session.scan(scan).resources()
        assert resource.label() == "DICOM"
        assert len(resource.files().get()) == count


def test_one_path_leads_to_all_files(interface: Any) -> None:  # noqa: ANN401  pyxnat has no types
    path = f"/projects/{PROJECT}/subjects/*/experiments/*/scans/*/resources/*/files"
    names = interface.select(path).get()
    assert len(set(names)) == sum(SCANS.values())
    assert all(name.startswith(STUDY) and name.endswith(".dcm") for name in names)


def test_attributes_of_a_session_and_a_scan(session: Any) -> None:  # noqa: ANN401  pyxnat has no types
    assert session.datatype() == "xnat:ctSessionData"
    assert session.attrs.mget(["UID", "date", "subject_label"]) == [STUDY, "2001-02-03", "S1"]
    scan = session.scan("3")
    assert scan.datatype() == "xnat:ctScanData"
    assert scan.attrs.mget(["UID", "series_description", "frames"]) == [f"{STUDY}.3", "Thorax", "2"]
    assert session.xpath("/*/@UID") == [STUDY]


def test_what_is_not_there_does_not_exist(interface: Any, session: Any) -> None:  # noqa: ANN401  pyxnat has no types
    assert session.exists()
    assert session.scan("3").exists()
    assert not session.scan("9").exists()
    assert not interface.select.project(PROJECT).subject("S9").exists()
    assert not interface.select.project("NOBODYS").exists()


def test_a_table_of_sessions(interface: Any) -> None:  # noqa: ANN401  pyxnat has no types
    columns = ["label", "subject_label", "xnat:ctSessionData/scans/scan/UID"]
    found = interface.array.experiments(project_id=PROJECT, experiment_type="xnat:ctSessionData", columns=columns).data
    assert {(row["label"], row["subject_label"]) for row in found} == {("E1", "S1")}
    assert {row["xnat:ctsessiondata/scans/scan/uid"] for row in found} == {f"{STUDY}.{scan}" for scan in SCANS}


def test_a_file_is_downloaded(session: Any, tmp_path: Path) -> None:  # noqa: ANN401  pyxnat has no types
    for file in session.scan("3").resource("DICOM").files():
        target = Path(file.get(str(tmp_path / file.id())))
        told = file.attributes()
        assert int(told["Size"]) == target.stat().st_size
        assert told["digest"] == hashlib.md5(target.read_bytes(), usedforsecurity=False).hexdigest()
        assert pydicom.dcmread(target).SeriesInstanceUID == f"{STUDY}.3"
    assert len(list(tmp_path.iterdir())) == SCANS["3"]


def test_scans_are_downloaded_as_zip(session: Any, tmp_path: Path) -> None:  # noqa: ANN401  pyxnat has no types
    with zipfile.ZipFile(session.scans().download(str(tmp_path), type="ALL")) as archive:
        assert len(archive.namelist()) == sum(SCANS.values())
    extracted = session.scan("4").resource("DICOM").get(str(tmp_path), extract=True)
    assert [pydicom.dcmread(path).SeriesInstanceUID for path in extracted] == [f"{STUDY}.4"]


def test_a_file_of_a_project_is_stored_replaced_and_deleted(interface: Any, tmp_path: Path) -> None:  # noqa: ANN401  pyxnat has no types
    resource = interface.select.project(PROJECT).resource("MANIFEST")
    source = tmp_path / "source.txt"
    for text, overwrite, stored in (("one", False, "one"), ("other", False, "one"), ("other", True, "other")):
        source.write_text(text)
        resource.file("a.txt").put(str(source), format="TXT", content="LIST", overwrite=overwrite)
        target = resource.file("a.txt").get(str(tmp_path / "target.txt"))
        assert Path(target).read_text() == stored
    told = resource.file("a.txt").attributes()
    assert (told["Name"], told["Size"], told["file_format"], told["file_content"]) == ("a.txt", "5", "TXT", "LIST")
    resource.file("a.txt").delete()
    assert resource.files().get() == []


def test_a_project_is_made_and_deleted(interface: Any) -> None:  # noqa: ANN401  pyxnat has no types
    project = interface.select.project("MADE")
    project.create()
    project.subject("S2").create()
    project.set_prearchive_code("0")
    project.set_accessibility("private")
    assert project.exists()
    assert (project.prearchive_code(), project.accessibility(), project.owners()) == (0, b"private", ["admin"])
    assert [subject.label() for subject in project.subjects()] == ["S2"]
    project.delete()
    assert not project.exists()


def test_the_prearchive_is_listed(interface: Any, site: Site) -> None:  # noqa: ANN401  pyxnat has no types
    uri = site.built(of_series(5, 3), session="E2", EXPT_LABEL="E2")
    place = uri.removeprefix("/data/prearchive/projects/").split("/")
    prearchive = interface.manage.prearchive
    assert place in [list(row) for row in prearchive.get()]
    assert prearchive.status(place) == "READY"
    assert prearchive.get_scans(place) == "5"
