"""Checks of XNAT's own REST tests that no other file has, by their numbers in xnat-rest-tests.md §2."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RawDataStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    XRay3DAngiographicImageStorage,
    XRayAngiographicImageStorage,
)

from tests.sandbox.xnat_case import (
    EXPERIMENTS,
    IMAGING,
    PLAIN,
    PROJECT,
    SERIES,
    Site,
    counts,
    dicom,
    of_series,
    scans,
    zipped,
)

ADDRESS = f"/prearchive/projects/{PROJECT}/20000101_050505/FOLDER"
FORM = "application/x-www-form-urlencoded"
GUEST = ("guest-user", "secret")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def as_guest(site: Site, method: str, path: str) -> requests.Response:
    return requests.request(method, site.server.url + path, auth=GUEST, timeout=30)


def files_at(site: Site, address: str) -> int:
    return sum(int(row["file_count"]) for row in site.rows(f"/data{address}/resources"))


# users and site


def test_check_003_sessions_of_a_user_are_ended(site: Site) -> None:
    with requests.Session() as session:
        session.get(f"{site.server.url}/data/projects", auth=GUEST, timeout=30)
        listed = site.ask("DELETE", "/xapi/users/active/guest-user")
        assert (listed.status_code, len(listed.json())) == (200, 1)
        assert session.get(f"{site.server.url}/data/projects", timeout=30).status_code == 401
    assert as_guest(site, "DELETE", "/xapi/users/active/admin").status_code == 403


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("siteId", (200, 200, 200)),
        ("sitewidePetTracers", (401, 200, 200)),
        ("passwordComplexityMessage", (401, 403, 200)),
    ],
)
def test_check_056_who_reads_which_preference(site: Site, name: str, expected: tuple[int, ...]) -> None:
    path = f"/xapi/siteConfig/{name}"
    nobody = requests.get(site.server.url + path, timeout=30).status_code
    assert (nobody, as_guest(site, "GET", path).status_code, site.ask("GET", path).status_code) == expected


def test_check_117_workflows(site: Site) -> None:
    made = site.ask("PUT", "/data/workflows", **{"wrk:workflowData/pipeline_name": "Transfer"})
    path = f"/data/workflows/{made.text}"
    shown = site.ask("GET", path, format="json")
    assert (made.status_code, shown.status_code) == (200, 200)
    assert shown.json()["items"][0]["data_fields"]["pipeline_name"] == "Transfer"
    assert as_guest(site, "GET", path).status_code == 403


# addresses in the prearchive


@pytest.mark.parametrize("handler", ["DICOM-zip", "SI"])
def test_check_073_two_scans_at_one_address(site: Site, handler: str) -> None:
    for number in (3, 5):
        query = {"import-handler": handler, "dest": ADDRESS, "overwrite": "append"}
        answer = site.upload(zipped(of_series(number, 2)), query)
        assert (answer.status_code, answer.text.strip()) == (200, f"/data{ADDRESS}")
    assert files_at(site, ADDRESS) == 4


def test_check_074_another_study_at_the_same_address(site: Site) -> None:
    query = {"import-handler": "DICOM-zip", "dest": ADDRESS}
    assert site.upload(zipped(of_series(3)), query).status_code == 200
    assert site.upload(zipped(of_series(5, StudyInstanceUID="1.2.7")), query).status_code == 400
    assert [row["ID"] for row in site.rows(f"/data{ADDRESS}/scans")] == ["3"]


def test_check_088_an_address_with_labels(site: Site) -> None:
    query = {"import-handler": "DICOM-zip", "dest": ADDRESS, "subject": "SUBJ9", "session": "SUBJ9_MRI"}
    assert site.upload(zipped(of_series(3)), query).status_code == 200
    [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
    assert (row["folderName"], row["name"], row["subject"], row["url"]) == ("FOLDER", "SUBJ9_MRI", "SUBJ9", ADDRESS)
    assert site.ask("DELETE", f"/data{ADDRESS}").status_code == 200
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []


# archiving


def test_check_090_labels_by_data_type(site: Site) -> None:
    labels = {"xnat:mrSessionData/label": "MR1", "xnat:mrSessionData/subject_id": "S7"}
    answer = site.archive(site.built(), **labels)
    assert answer.text.strip() == f"/data/archive/projects/{PROJECT}/subjects/S7/experiments/MR1"


def test_check_091_archive_by_a_form(site: Site) -> None:
    uri = site.built()
    answer = site.ask("POST", "/data/services/archive", {"src": uri.removeprefix("/data")}, content_type=FORM)
    assert (answer.status_code, scans(site)) == (200, {"3": SERIES})


def test_check_119_rebuild_by_a_form(site: Site) -> None:
    uri = site.sent()
    answer = site.ask(
        "POST", "/data/services/prearchive/rebuild", {"src": uri.removeprefix("/data")}, content_type=FORM
    )
    assert answer.status_code == 200
    site.server.parts.background.stop()  # what is queued is done then
    assert site.status(uri) == "READY"


def test_check_099_code_5_replaces_the_same_images(site: Site) -> None:
    site.ask("PUT", f"/data/projects/{PROJECT}/prearchive_code/5")
    for names in ("ab", "cd"):
        uri = site.built({f"{name}.dcm": dicom(n) for n, name in enumerate(names, 1)}, rename="false")
        assert site.archive(uri, **{"auto-archive": "false"}).status_code in {200, 303}
    assert counts(site) == {"3": "2"}
    assert sorted(path.name for path in (site.directory / "archive").rglob("*.dcm")) == ["c.dcm", "d.dcm"]


# data types: modality and SOP class of each series, session, scans

MR, CT, PET = MRImageStorage, CTImageStorage, PositronEmissionTomographyImageStorage
RT, SECONDARY, XA = RTStructureSetStorage, SecondaryCaptureImageStorage, XRayAngiographicImageStorage
KINDS: dict[int, tuple[list[tuple[str | None, str]], str, list[str]]] = {
    100: ([("MR", MR), ("MR", MR)], "mr", ["mr", "mr"]),
    101: ([("PT", PET)], "pet", ["pet"]),
    102: ([("CT", SECONDARY)], "ct", ["sc"]),
    103: ([("SC", SECONDARY)], "otherDicom", ["sc"]),
    104: ([("RTSTRUCT", RT), ("MR", MR)], "mr", ["rtImage", "mr"]),
    106: ([("XA", XA)], "xa", ["xa"]),
    107: ([("XA", XRay3DAngiographicImageStorage)], "xa", ["xa"]),
    108: ([("CR", ComputedRadiographyImageStorage)], "cr", ["cr"]),
    109: ([(None, MR)], "mr", ["mr"]),
    110: ([("PT", PET), ("CT", CT)], "pet", ["pet", "ct"]),
    111: ([("RTSTRUCT", RT), ("PT", PET), ("CT", CT)], "pet", ["rtImage", "pet", "ct"]),
    112: ([("PT", PET), ("MR", MR)], "petmr", ["pet", "mr"]),
    113: ([("PT", PET), ("MR", MR)], "pet", ["pet", "mr"]),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("xnat")) as site:
        yield site


@pytest.mark.parametrize("number", KINDS, ids=lambda number: f"check_{number:03}")
def test_checks_of_data_types(kinds: Site, number: int) -> None:
    series, session, expected = KINDS[number]
    pet_mr = {112: "petmr", 113: "pet"}.get(number)
    if pet_mr:
        kinds.ask("PUT", f"/data/projects/{PROJECT}/config/separatePETMR/config", pet_mr, content_type="text/plain")
    files: dict[str, bytes] = {}
    for place, (modality, sop_class) in enumerate(series, 1):
        files |= of_series(place, Modality=modality, SOPClassUID=sop_class, StudyInstanceUID=f"1.2.{number}")
    label = f"CHECK_{number}"
    query = PLAIN | {"session": label, "dest": f"/archive/projects/{PROJECT}/subjects/S1/experiments/{label}"}
    assert kinds.upload(zipped(files), query).status_code == 200
    rows = [row for row in kinds.rows(EXPERIMENTS, xsiType=IMAGING) if row["label"] == label]
    assert [row["xsiType"] for row in rows] == [f"xnat:{session}SessionData"]
    found = kinds.rows(f"{EXPERIMENTS}/{label}/scans", columns="ID,xsiType")
    assert [row["xsiType"] for row in found] == [f"xnat:{kind}ScanData" for kind in expected]


def test_check_105_a_series_of_two_sop_classes(site: Site) -> None:
    files = {f"{n}.dcm": dicom(n, Modality="MR", SOPClassUID=of) for n, of in enumerate((RawDataStorage, MR), 1)}
    site.archived(files)
    assert [row["xsiType"] for row in site.rows(EXPERIMENTS)] == ["xnat:mrSessionData"]
    assert [row["xsiType"] for row in site.rows(f"{EXPERIMENTS}/E1/scans")] == ["xnat:mrScanData"]
