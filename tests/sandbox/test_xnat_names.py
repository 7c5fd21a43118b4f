"""File names of imports, and objects of unusual forms (xnat-http.md §5.9; numbers of xnat-rest-tests.md §2)."""

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import requests
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from sandbox.xnat.dicom import read_header
from tests.sandbox.xnat_case import PROJECT, SERIES, STUDY, Site, counts, dicom, message, of_series, scans, zipped


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# names


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("${SOPInstanceUID}", f"{SERIES}.1.dcm"),
        ("${StudyInstanceUID}-${SeriesNumber}.dcm", f"{STUDY}-3.dcm"),
        ("${Modality}/${AccessionNumber}", "CT_no-value-for-AccessionNumber.dcm"),
        ("${HashSOPInstanceUID}-x", "evy8zy-x.dcm"),
    ],
)
def test_templates(tmp_path: Path, template: str, name: str) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(dicom())
    assert read_header(path).name_from(template) == name


@pytest.mark.parametrize(
    ("rename", "names"), [("false", ["3-1.dcm", "3-2.dcm", "3-3.dcm"]), ("true", [f"{STUDY}-3.dcm"])]
)
def test_check_096_names_of_the_zip_or_of_the_template(site: Site, rename: str, names: list[str]) -> None:
    """A template that does not tell instances apart keeps one file of them."""
    site.settings.dicom_file_name_template = "${StudyInstanceUID}-${SeriesNumber}"
    site.archived(of_series(3, 3), rename=rename)
    assert counts(site) == {"3": str(len(names))}
    assert sorted(path.name for path in (site.directory / "archive").rglob("*.dcm")) == names


def test_check_097_one_name_in_two_folders(site: Site) -> None:
    site.archived({"a/1.dcm": dicom(1), "b/1.dcm": dicom(2)}, rename="false")
    names = sorted(path.name for path in (site.directory / "archive").rglob("*.dcm"))
    assert (names[1], len(names)) == ("1.dcm", 2)
    assert names[0].startswith(f"{STUDY}-3-2-")


def test_every_user_reads_the_template(site: Site) -> None:
    url = f"{site.server.url}/xapi/siteConfig/dicomFileNameTemplate"
    answer = requests.get(url, auth=("guest-user", "secret"), timeout=30)
    assert answer.json() == site.settings.dicom_file_name_template


# unusual objects


def encoded(*, implicit: bool, meta: bool) -> bytes:
    """Return an image without preamble, or one whose meta information says explicit VR."""
    image = pydicom.dcmread(io.BytesIO(dicom()))
    file = DicomBytesIO()
    if meta:
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(file, image.file_meta, enforce_standard=False)
    file.is_implicit_VR, file.is_little_endian = implicit, True
    write_dataset(file, image)
    return file.getvalue()


@pytest.mark.parametrize(("implicit", "meta"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("anonymises", [True, False])
def test_objects_without_or_with_wrong_meta_information(
    site: Site, *, implicit: bool, meta: bool, anonymises: bool
) -> None:
    site.settings.enable_sitewide_anonymization_script = anonymises
    site.archived({"1.dcm": encoded(implicit=implicit, meta=meta)})
    assert (scans(site), counts(site)) == ({"3": SERIES}, {"3": "1"})
    [path] = (site.directory / "archive").rglob("*.dcm")
    if not anonymises:
        assert path.read_bytes() == encoded(implicit=implicit, meta=meta)
        return
    image = pydicom.dcmread(path)
    assert image.PixelData == pydicom.dcmread(io.BytesIO(dicom())).PixelData
    assert image.PatientID == "E1"
    assert image.file_meta.TransferSyntaxUID == UID(f"1.2.840.10008.1.2{'' if implicit else '.1'}")


@pytest.mark.parametrize("content", [b"text", b"", b"\x08\x00\x05\x00CS\x0a", bytes(200), b"PK\3\4" + bytes(200)])
def test_what_is_no_dicom(site: Site, content: bytes) -> None:
    answer = site.upload(zipped({"x.bin": content}))
    assert (answer.status_code, message(answer)) == (400, "unable to read DICOM object x.bin")
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []


def test_an_element_is_not_yet_an_object(site: Site) -> None:
    answer = site.upload(zipped({"x.bin": b"\x08\x00\x60\x00CS\x02\x00CT"}))
    assert (answer.status_code, message(answer)) == (400, "object x.bin contains no SOP Class UID")
