"""Imports: requests, handlers, parameters, routing, names, anonymisation (xnat-http.md §5, §6, §11)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.xnat_case import PLAIN, PROJECT, Site, dicom, message, zipped

IMPORT = "/data/services/import"
ZIP = zipped({"1.dcm": dicom()})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# requests, §5.1, §5.2


def test_the_recommended_import(site: Site) -> None:
    first = site.upload(ZIP)
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith("text/uri-list")
    assert first.text.endswith("/E1\r\n")
    assert first.text.startswith(f"/data/prearchive/projects/{PROJECT}/2")
    second = site.upload(zipped({"1.dcm": dicom(SeriesInstanceUID="1.2.9", SeriesNumber="4")}))
    assert second.text == first.text
    folder = site.directory / first.text.strip().replace("/data/prearchive/projects", "prearchive")
    assert sorted(path.name for path in folder.glob("SCANS/*")) == ["3", "4"]


def test_a_form_of_any_part_name(site: Site) -> None:
    form = {"image_archive": ("s.zip", ZIP)}
    answer = site.session.post(site.server.url + IMPORT, params=PLAIN, files=form, timeout=30)
    assert answer.text.endswith("/E1\r\n")
    fields = {"session": "FROM_FORM", "subject": "FORM"}
    answer = site.session.post(
        site.server.url + IMPORT, params=PLAIN | {"session": "FROM_QUERY"}, data=fields, files=form, timeout=30
    )
    assert answer.text.endswith("/FROM_QUERY\r\n")
    no_zip = site.session.post(site.server.url + IMPORT, params=PLAIN, files={"f": ("s.dat", ZIP)}, timeout=30)
    assert (no_zip.status_code, message(no_zip)) == (400, "Unsupported format UNKNOWN")


def test_two_files_are_one_too_many(site: Site) -> None:
    form = {"a": ("a.zip", ZIP), "b": ("b.zip", ZIP)}
    answer = site.session.post(site.server.url + IMPORT, params=PLAIN, files=form, timeout=30)
    assert (answer.status_code, message(answer)) == (400, "Importer is limited to one uploaded resource at a time.")


@pytest.mark.parametrize(
    ("content_type", "more", "expected"),
    [
        ("application/octet-stream", {}, "Unsupported format UNKNOWN"),
        ("application/x-zip-compressed", {}, "Unable to identify upload format."),
        ("application/x-zip-compressed", {"inbody": "true"}, "Unsupported format UNKNOWN"),
    ],
)
def test_types_of_raw_bodies(site: Site, content_type: str, more: dict[str, str], expected: str) -> None:
    answer = site.ask("POST", IMPORT, ZIP, content_type=content_type, **PLAIN | more)
    assert (answer.status_code, message(answer)) == (400, expected)


def test_the_address_may_name_the_upload(site: Site) -> None:
    answer = site.ask("POST", f"{IMPORT}/x.zip", ZIP, content_type="application/octet-stream", **PLAIN)
    assert answer.text.endswith("/E1\r\n")


def test_bodies_of_unknown_length_must_be_zips(site: Site) -> None:
    assert site.upload(iter([ZIP]), PLAIN).text.endswith("/E1\r\n")
    refused = site.ask("POST", IMPORT, iter([ZIP]), content_type="application/x-tar", **PLAIN)
    assert refused.status_code == 400


def test_no_file(site: Site) -> None:
    answer = site.ask("POST", IMPORT, **PLAIN)
    assert (answer.status_code, message(answer)) == (400, "Unable to identify upload format.")
    assert site.ask("POST", IMPORT, project=PROJECT).status_code == 500
    assert site.ask("GET", IMPORT).status_code == 405


def test_handlers(site: Site) -> None:
    unknown = site.upload(ZIP, PLAIN, **{"import-handler": "nonsense"})
    assert unknown.status_code == 404
    assert message(unknown) == "Unknown importer implementation specified: nonsense"
    one = site.ask("POST", IMPORT, dicom(), content_type="application/dicom", project=PROJECT, EXPT_LABEL="G1")
    assert one.text.endswith("/G1\r\n")
    assert site.status(one.text.strip()) == "RECEIVING"


def test_odd_parameters(site: Site) -> None:
    code = site.upload(ZIP, PLAIN, prearchive_code="1", overwrite="append")
    assert code.status_code == 400
    assert message(code) == "Overwrite flag was not set to a valid option. ('append' or 'delete')"
    assert message(site.upload(ZIP, PLAIN, src="/user/cache/resources/X/files/F")) == "Unknown src file."
    assert message(site.upload(ZIP, PLAIN, dest="/somewhere/else")) == "Parameter dest format error"


def test_several_sessions_several_lines(site: Site) -> None:
    body = zipped({"1.dcm": dicom(), "2.dcm": dicom(2, StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1")})
    lines = site.upload(body, PLAIN).text.split("\r\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert len(set(lines)) == 3


def test_formats_of_the_answer(site: Site) -> None:
    text = site.upload(ZIP, PLAIN, format="txt")
    assert text.headers["Content-Type"].startswith("text/plain")
    assert text.text.endswith("/E1")
    page = site.upload(zipped({"x.txt": b"x"}), PLAIN, format="html")
    assert page.status_code == 200  # an error, told as success
    assert "unable to read DICOM object x.txt" in page.text


def test_a_listener_tells_how_it_went(site: Site) -> None:
    site.upload(ZIP, PLAIN, **{"http-session-listener": "42"})
    [[last]] = site.ask("GET", "/data/status/42", format="json").json()["msgs"]
    assert (last["status"], last["terminal"]) == ("COMPLETED", True)


# versions, §0.1, §15.14


def test_older_versions_know_other_parameters(site: Site) -> None:
    site.settings.version = "1.8.9.1"
    new = site.upload(ZIP, PLAIN)
    assert new.text.split("/")[4] == "Unassigned"  # `project` is not read
    old = {"import-handler": "DICOM-zip", "PROJECT_ID": PROJECT, "SUBJECT_ID": "S", "EXPT_LABEL": "OLD"}
    uri = site.upload(ZIP, old, dest="/archive", action="commit", AA="true").text.strip()
    assert uri.endswith("/OLD")
    assert site.status(uri) == "RECEIVING"
    nested = site.upload(zipped({"inner.zip": ZIP}), old)
    assert message(nested) == "unable to read DICOM object inner.zip"


def test_the_default_handler_depends_on_version_and_preference(site: Site) -> None:
    query = {"project": PROJECT, "session": "D"}
    mixed = zipped({"1.dcm": dicom(), "LICENSE": b"text"})
    assert site.upload(mixed, query).status_code == 400  # DICOM-zip
    site.settings.version = "1.8.9.1"
    assert site.upload(mixed, query).status_code == 200  # SI ignores what is not DICOM
    site.settings.version = "1.8.11-SNAPSHOT"
    assert site.upload(mixed, query).status_code == 400
    site.settings.ui_default_compressed_uploader_importer = "SI"
    assert site.upload(mixed, query).status_code == 200


# SI, §5.10


def test_session_importer(site: Site) -> None:
    query = PLAIN | {"import-handler": "SI"}
    uri = site.upload(zipped({"1.dcm": dicom(), "LICENSE": b"text"}), query).text.strip()
    assert site.status(uri) == "READY"
    assert site.rows(uri)[0]["prevent_auto_commit"] == "true"
    nothing = site.upload(zipped({"LICENSE": b"text"}), query)
    assert message(nothing) == "Upload did not include parsable files for session generation."
    two = zipped({"1.dcm": dicom(), "2.dcm": dicom(StudyInstanceUID="1.2.7")})
    assert message(site.upload(two, query)) == "Upload included files for multiple imaging sessions."


def test_session_importer_archives_and_tells_conflicts_as_409(site: Site) -> None:
    query = PLAIN | {"import-handler": "SI", "dest": f"/archive/projects/{PROJECT}"}
    assert site.upload(ZIP, query).text == f"/data/archive/projects/{PROJECT}/subjects/S1/experiments/E1\r\n"
    again = site.upload(ZIP, query)
    assert (again.status_code, message(again)) == (409, "Session already exists, retry with overwrite enabled")
