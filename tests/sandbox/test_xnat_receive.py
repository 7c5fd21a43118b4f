"""Objects on their way into the prearchive: routing, names, anonymisation (xnat-http.md §5.9, §6, §11)."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests

from sandbox.xnat import Settings
from sandbox.xnat.accounts import User
from sandbox.xnat.dicom import Header
from tests.sandbox.xnat_case import PLAIN, PROJECT, STUDY, Site, dicom, message, zipped

IMPORT = "/data/services/import"
ZIP = zipped({"1.dcm": dicom()})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def stored(site: Site) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted((site.directory / "prearchive").rglob("*.dcm"))]


# routing and labels, §5.9, §6


def test_unknown_projects_lead_to_unassigned(site: Site) -> None:
    answer = site.upload(ZIP, PLAIN, project="NONE")
    assert answer.status_code == 200
    assert answer.text.startswith("/data/prearchive/projects/Unassigned/")
    assert answer.text.endswith("/E1\r\n")
    [row] = site.rows("/data/prearchive/projects/Unassigned")
    assert (row["project"], row["subject"]) == ("Unassigned", "S1")


def test_unreadable_projects_lead_to_unassigned_and_reading_is_enough(site: Site) -> None:
    site.server.add_user("stranger", "p")
    site.server.add_user("reader", "p", {PROJECT: "Collaborators"})
    found, deleted = {}, {}
    for user in ("stranger", "reader"):
        answer = requests.post(
            site.server.url + IMPORT,
            ZIP,
            params=PLAIN | {"session": user},
            headers={"Content-Type": "application/zip"},
            auth=(user, "p"),
            timeout=30,
        )
        found[user] = (answer.status_code, answer.text.split("/")[4])
        stray = requests.delete(site.server.url + answer.text.strip(), auth=(user, "p"), timeout=30)
        deleted[user] = stray.status_code
    assert deleted == {"stranger": 403, "reader": 403}
    assert found == {"stranger": (200, "Unassigned"), "reader": (200, PROJECT)}


@pytest.mark.parametrize(
    "fields",
    [
        {"PatientComments": f"Project:{PROJECT} Subject: S9, session:E9"},
        {"AdditionalPatientHistory": f"some words; project : {PROJECT}; Subject:S9 Session:E9"},
        {"StudyDescription": PROJECT, "PatientName": "S9", "PatientID": "E9"},
        {"AccessionNumber": PROJECT, "PatientName": "S9", "PatientID": "E9"},
    ],
)
def test_headers_route(site: Site, fields: dict[str, Any]) -> None:
    uri = site.upload(zipped({"1.dcm": dicom(**fields)}), {"import-handler": "DICOM-zip"}).text.strip()
    [row] = site.rows(uri)
    assert (row["project"], row["subject"], row["name"]) == (PROJECT, "S9", "E9")


def test_labels_of_the_header_are_cleaned_and_those_of_the_request_are_not(site: Site) -> None:
    body = zipped({"1.dcm": dicom(PatientID="A B.1", PatientName="X^Y")})
    [row] = site.rows(site.upload(body, {"import-handler": "DICOM-zip", "project": PROJECT}).text.strip())
    assert (row["name"], row["subject"]) == ("A_B_1", "X_Y")
    [row] = site.rows(site.upload(body, PLAIN, session="E 1.2", subject="O'Hara & Co").text.strip())
    assert (row["name"], row["subject"]) == ("E 1.2", "O&apos;Hara &amp; Co")


def test_labels_cannot_lead_out_of_the_prearchive(site: Site) -> None:
    for name in ("../../../out", f"{site.directory}/out", "a/../../../../out"):
        assert site.upload(ZIP, PLAIN, session=name).status_code == 200
    assert not (site.directory.parent / "out").exists()
    assert not list(site.directory.glob("out*"))
    assert len(list((site.directory / "prearchive").rglob("1.dcm"))) == 3


def test_where_objects_are_stored(site: Site) -> None:
    files = {
        "1.dcm": dicom(),
        "2.dcm": dicom(2, SeriesNumber=None, SeriesInstanceUID="1.2.8"),
        "b c.dcm": dicom(3),
    }
    uri = site.sent(files, rename="false")
    folder = site.directory / uri.replace("/data/prearchive/projects", "prearchive")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.dcm")) == [
        "SCANS/1_2_8/DICOM/2.dcm",
        "SCANS/3/DICOM/1.dcm",
        "SCANS/3/DICOM/b_c.dcm",
    ]


def test_names(site: Site) -> None:
    site.sent({"1.dcm": dicom(1)}, rename="false")
    site.sent({"1.dcm": dicom(1, SeriesDescription="newer")}, rename="false")
    assert site.files() == ["1.dcm"]  # the same object under the same name is replaced
    assert stored(site)[0].SeriesDescription == "newer"
    site.sent({"1.dcm": dicom(2)}, rename="false")
    template = next(name for name in site.files() if name != "1.dcm")
    assert template.startswith(f"{STUDY}-3-2-")
    site.sent({"anything": dicom(2)})  # rename=true takes the template at once
    assert site.files() == sorted(["1.dcm", template])
    site.sent({"other.dcm": dicom(1)}, rename="false")
    assert len(site.files()) == 3  # the same object under another name is kept twice


def test_names_of_objects_without_numbers(site: Site) -> None:
    site.sent({"1.dcm": dicom(SeriesNumber=None, InstanceNumber=None)})
    [name] = site.files()
    assert name.startswith(f"{STUDY}-no-value-for-SeriesNumber-no-value-for-InstanceNumber-")


def test_the_same_file_twice_at_once(site: Site) -> None:
    class Halting(io.BytesIO):
        """An object whose pixel data come when they are let."""

        def __init__(self, data: bytes) -> None:
            super().__init__(data)
            self.arrived, self.opened = threading.Event(), threading.Event()

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                self.arrived.set()
                self.opened.wait(10)
            return super().read(size)

    source = Halting(dicom(size=200_000))
    parameters = {"project": PROJECT, "subject": "S1", "session": "E1", "rename": "true"}
    admin = User("admin", is_admin=True)
    work = threading.Thread(target=site.server.parts.receiver.store, args=("1.dcm", source, parameters, admin))
    work.start()
    assert source.arrived.wait(10)
    answer = site.upload(ZIP)
    source.opened.set()
    work.join(10)
    assert (answer.status_code, message(answer)) == (400, "Concurrent file sends of the same data is not supported.")


def test_a_filter_drops_objects_silently(tmp_path: Path) -> None:
    def without_ct(header: Header) -> bool:
        return header.modality != "CT"

    with Site(tmp_path, Settings(series_import_filter=without_ct)) as site:
        answer = site.upload(ZIP)
        assert (answer.status_code, answer.content) == (200, b"")
        assert site.upload(zipped({"1.dcm": dicom(), "2.dcm": dicom(2, Modality="MR")})).text.endswith("/E1\r\n")
        assert len(site.files()) == 1


# anonymisation, §11


def test_labels_are_written_into_the_header_and_nothing_else(site: Site) -> None:
    sent = dicom(size=5000, PatientComments="kept")
    site.sent({"1.dcm": sent}, rename="false")
    before, [after] = pydicom.dcmread(io.BytesIO(sent)), stored(site)
    assert (after.PatientName, after.PatientID, after.StudyDescription) == ("S1", "E1", PROJECT)
    for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientComments", "PixelData"):
        assert after[name].value == before[name].value
    path = next((site.directory / "prearchive").rglob("1.dcm"))
    assert path.read_bytes() != sent


def test_implicit_and_sequences_survive(site: Site) -> None:
    source = pydicom.dcmread(io.BytesIO(dicom()))
    step = pydicom.Dataset()
    step.ReferencedSOPInstanceUID = "1.2.3.4"
    source.ReferencedImageSequence = [step]
    source.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    for is_undefined in (False, True):
        source["ReferencedImageSequence"].is_undefined_length = is_undefined
        file = io.BytesIO()
        source.save_as(file, implicit_vr=True, little_endian=True)
        site.sent({"1.dcm": file.getvalue()})
        [after] = stored(site)
        assert after.PatientID == "E1"
        assert after.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
        assert after.PixelData == source.PixelData


@pytest.mark.parametrize("how", ["site", "request"])
def test_anonymisation_can_be_off(site: Site, how: str) -> None:
    site.settings.enable_sitewide_anonymization_script = how != "site"
    site.sent(rename="false", prevent_anon=str(how == "request").lower())
    [path] = (site.directory / "prearchive").rglob("1.dcm")
    assert path.read_bytes() == dicom()


def test_a_broken_script_takes_the_new_row_back(site: Site) -> None:
    site.settings.anonymization_error = "script error"
    answer = site.upload(ZIP)
    assert (answer.status_code, message(answer)) == (400, "script error")
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []


def test_study_description_stays_where_no_project_is(site: Site) -> None:
    site.upload(zipped({"1.dcm": dicom(StudyDescription="words")}), {"import-handler": "DICOM-zip"})
    assert stored(site)[0].StudyDescription == "words"
