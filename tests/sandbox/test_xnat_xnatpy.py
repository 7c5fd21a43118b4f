"""The sandbox's XNAT through xnatpy with its full object model (xnat-http.md §2)."""

import io
import logging
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import xnat
import xnat.exceptions

from sandbox.xnat.modalities import all_scan_types, all_session_types
from tests.sandbox.xnat_case import PROJECT, SERIES, STUDY, Site, dicom, zipped

QUIET = {"logger": logging.getLogger("xnatpy")}
ADMIN = {"user": "admin", "password": "admin"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("xnat")) as site:
        yield site


@pytest.fixture(scope="module")
def connection(site: Site) -> Iterator[Any]:
    logging.addLevelName(15, "VERBOSE")
    with xnat.connect(site.server.url, **ADMIN, **QUIET) as connection:
        yield connection


@pytest.mark.parametrize("mode", [{}, {"extension_types": False}, {"no_parse_model": True}])
def test_all_modes_connect_and_log_out(site: Site, mode: dict[str, bool]) -> None:
    before = site.server.parts.accounts.open_sessions("admin")
    with xnat.connect(site.server.url, **ADMIN, **mode, **QUIET) as connection:
        assert connection.logged_in_user == "admin"
        assert connection.xnat_version == "1.8.10.1"
        assert site.server.parts.accounts.open_sessions("admin") == before + 1
        assert connection.session_expiration_time[1] == 900
    assert site.server.parts.accounts.open_sessions("admin") == before


def test_alias_tokens_connect_with_one_session(site: Site) -> None:
    token = site.ask("GET", "/data/services/tokens/issue").json()
    before = site.server.parts.accounts.open_sessions("admin")
    credentials = {"user": token["alias"], "password": token["secret"]}
    with xnat.connect(site.server.url, **credentials, no_parse_model=True, **QUIET) as connection:
        connection.get("/data/projects")
        assert connection.logged_in_user == "admin"
        assert site.server.parts.accounts.open_sessions("admin") == before + 1


def test_wrong_passwords_are_told(site: Site) -> None:
    with pytest.raises(xnat.exceptions.XNATLoginFailedError):
        xnat.connect(site.server.url, **ADMIN | {"password": "wrong"}, **QUIET)


def test_projects_and_resources(connection: Any) -> None:  # noqa: ANN401  xnatpy has no types
    connection.classes.ProjectData(parent=connection.projects, id_="PYTHON", name="PYTHON")
    project = connection.projects["PYTHON"]
    assert (project.id, project.name) == ("PYTHON", "PYTHON")
    resource = project.create_resource("MANIFEST")
    resource.upload_data(b"hello", "a.txt")
    assert [(file.id, int(file.data["Size"])) for file in resource.files.values()] == [("a.txt", 5)]
    target = io.BytesIO()
    resource.files["a.txt"].download_stream(target)
    assert target.getvalue() == b"hello"
    connection.clearcache()
    assert connection.projects["PYTHON"].resources["MANIFEST"].file_count == 1


def test_from_import_to_archive(connection: Any, tmp_path: Path) -> None:  # noqa: ANN401  xnatpy has no types
    body = zipped({"1.dcm": dicom(1), "2.dcm": dicom(2)})
    options = {"content_type": "application/zip", "import_handler": "DICOM-zip"}
    session = connection.services.import_(data=body, project=PROJECT, subject="S1", experiment="E1", **options)
    assert (session.label, session.subject, session.status, session.tag) == ("E1", "S1", "RECEIVING", STUDY)
    assert session.timestamp.year > 2000
    connection.post(session.uri, query={"action": "build"})
    session.clearcache()
    assert session.status == "READY"
    [scan] = session.scans
    assert scan.series_description == "Thorax"
    assert scan.read_dicom().PatientID == "E1"
    assert [found.label for found in connection.prearchive.sessions(project=PROJECT)] == ["E1"]
    assert [found.label for found in connection.prearchive.sessions()] == ["E1"]

    experiment = session.archive()
    assert (experiment.label, experiment.uid, str(experiment.date)) == ("E1", STUDY, "2001-02-03")
    connection.clearcache()
    project = connection.projects[PROJECT]
    assert [subject.label for subject in project.subjects.values()] == ["S1"]
    assert [found.label for found in project.subjects["S1"].experiments.values()] == ["E1"]
    assert [found.label for found in connection.experiments.values()] == ["E1"]
    [scan] = project.experiments["E1"].scans.values()
    assert (scan.id, scan.uid, scan.type, scan.frames) == ("3", SERIES, "Thorax", 2)
    assert scan.resources["DICOM"].file_count == 2
    assert len(scan.files) == 2
    assert type(experiment).__name__ == "CtSessionData"
    scan.download(tmp_path / "scan.zip", verbose=False)
    with zipfile.ZipFile(tmp_path / "scan.zip") as archive:
        assert sorted(Path(name).name for name in archive.namelist()) == sorted(file.id for file in scan.files.values())
        assert archive.testzip() is None


def test_prearchive_sessions_are_deleted_in_the_background(connection: Any, site: Site) -> None:  # noqa: ANN401  xnatpy has no types
    session = connection.services.import_(
        data=zipped({"1.dcm": dicom()}), project=PROJECT, experiment="E9", content_type="application/zip"
    )
    uri = session.uri
    assert session.delete().status_code == 200
    for _ in range(1000):
        if not site.rows(uri):
            break
        threading.Event().wait(0.01)
    assert site.rows(uri) == []


def test_an_empty_import_is_an_index_error_in_xnatpy(connection: Any) -> None:  # noqa: ANN401  xnatpy has no types
    with pytest.raises((IndexError, requests.RequestException, xnat.exceptions.XNATError)):
        connection.services.import_(data=zipped({}), project=PROJECT, content_type="application/zip")


def test_the_role_in_a_project(connection: Any) -> None:  # noqa: ANN401  xnatpy has no types
    assert connection.projects[PROJECT].access_level == "Administrator"


def test_schemas_are_xml_with_the_prefix_that_xnatpy_looks_for(site: Site) -> None:
    for name in ("xnat", "xdat"):
        answer = site.ask("GET", f"/xapi/schemas/{name}")
        assert answer.headers["Content-Type"].startswith("application/xml")
        assert "<xs:schema" in answer.text


def test_every_type_that_the_server_returns_is_declared(connection: Any) -> None:  # noqa: ANN401  xnatpy has no types
    known = connection.XNAT_CLASS_LOOKUP
    assert {*all_session_types(), *all_scan_types(), "xnat:resourceCatalog"} <= set(known)
