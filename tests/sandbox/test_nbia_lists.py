"""NBIA's smaller endpoints in the sandbox: shared carts, denied series, DOIs, elements of an image, texts."""

import io
import zipfile
from collections.abc import Iterator

import pytest
import requests

from sandbox.index import Row
from sandbox.sandbox import Sandbox

EXTRA, HIDDEN, NOWHERE = "1.2.826.0.1.3680043.3.1", "1.2.826.0.1.3680043.3.2", "1.2.3.4"


@pytest.fixture(scope="module")
def tcia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        collections=["cmb_aml"],
        max_instances=5,
        with_xnat=False,
        extra_series=[{"SeriesInstanceUID": EXTRA, "PatientID": "P1"}, {"SeriesInstanceUID": HIDDEN}],
        hidden_from_nbia={HIDDEN},
    ) as started:
        yield started


@pytest.fixture(scope="module")
def row(tcia: Sandbox) -> Row:
    query = "SELECT * FROM nbia WHERE collection_id = 'cmb_aml' AND Modality = 'CT' ORDER BY SeriesInstanceUID"
    return tcia.index.nbia(query)[0]


def ask(tcia: Sandbox, path: str, **asked: str) -> requests.Response:
    headers = {"Authorization": "Bearer undefined"} if path.startswith("v2") else {}
    url = f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/{path}"
    return requests.get(url, params=asked, headers=headers, timeout=30)


def post(tcia: Sandbox, path: str, **form: str) -> requests.Response:
    return requests.post(f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/{path}", data=form, timeout=30)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_shared_cart_lists_its_series(tcia: Sandbox, row: Row, version: str) -> None:
    tcia.nbia_application.shared_carts["nbia-1"] = [row["SeriesInstanceUID"], HIDDEN, NOWHERE]
    (found,) = ask(tcia, f"{version}/getContentsByName", name="nbia-1", format="csv").json()
    assert found["SeriesInstanceUID"] == row["SeriesInstanceUID"]
    assert found["SeriesDate"] == f"{row['SeriesDate']} 00:00:00.0"
    assert found["ImageCount"] == row["instanceCount"]
    assert found["Date Released"].endswith(" 00:00:00.0")
    assert "FileSize" not in found
    assert ask(tcia, f"{version}/getContentsByName", name="nbia-2").content == b""
    missing = ask(tcia, f"{version}/getContentsByName")
    assert missing.status_code == 400
    assert missing.text.startswith(f"A parameter, {'name' if version == 'v1' else 'SeriesInstanceUID'} is required")


def test_v4_has_no_shared_carts(tcia: Sandbox) -> None:
    answer = ask(tcia, "v4/getContentsByName", name="nbia-1")
    assert (answer.status_code, answer.text.splitlines()[-1]) == (500, "HTTP 404 Not Found")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_denied_series_are_those_that_the_public_may_not_have(tcia: Sandbox, row: Row, version: str) -> None:
    path, public = f"{version}/getDeniedSeries", row["SeriesInstanceUID"]
    found = ask(tcia, path, seriesList=f"{HIDDEN},{public},{NOWHERE}").json()
    assert found == [{"SeriesInstanceUID": HIDDEN}, {"SeriesInstanceUID": NOWHERE}]
    none = ask(tcia, path, seriesList=f"{public},{EXTRA}")
    assert (none.status_code, none.content) == (204, b"")
    twice = ask(tcia, path, seriesList=f"{public},{public}")
    assert (twice.status_code, twice.content) == (200, b"")
    missing = ask(tcia, path)
    assert (missing.status_code, missing.text[:26]) == (400, "A parameter, seriesList,  ")


def test_a_doi_stands_for_collections_or_series(tcia: Sandbox, row: Row) -> None:
    doi, path = f"https://doi.org/{row['source_DOI'].upper()}", "v4/getCollectionOrSeriesForDOI"
    collection = {"collection": "CMB-AML", "thirdPartyAnanlysis": "NO", "authorized": 1}
    assert collection in post(tcia, path, DOI=doi, CollectionOrSeries="").json()
    found = post(tcia, path, DOI=doi, CollectionOrSeries="series").json()
    rows = tcia.index.nbia("SELECT * FROM nbia WHERE source_DOI = ?", [row["source_DOI"]])
    assert {one["seriesInstanceUID"] for one in found} == {one["SeriesInstanceUID"] for one in rows}
    assert {one["collection"] for one in post(tcia, path).json()} == {"CMB-AML", "NBIA-ONLY"}
    assert post(tcia, path, DOI="https://doi.org/10.1/none").text == "[]"
    assert post(tcia, path, doi=doi).status_code == 400
    assert ask(tcia, path, DOI=doi).status_code == 500


def test_patients_of_a_modality_are_numbers_and_nothing_more(tcia: Sandbox, row: Row) -> None:
    asked = {"Collection": "CMB-AML", "Modality": "CT"}
    rows = tcia.index.nbia("SELECT DISTINCT PatientID FROM nbia WHERE collection_id = 'cmb_aml' AND Modality = 'CT'")
    patients = sorted(one["PatientID"] for one in rows)
    found = ask(tcia, "v4/getPatientByCollectionAndModality", **asked).json()
    assert found == [{"PatientId": patient, "Authorized": 1} for patient in patients]
    assert row["PatientID"] in patients
    assert ask(tcia, "v1/getPatientByCollectionAndModality", **asked).json()[0] == {"PatientId": patients[0]}
    missing = ask(tcia, "v4/getPatientByCollectionAndModality", Collection="CMB-AML")
    assert (missing.status_code, missing.text) == (
        400,
        "A parameter, Collection and Modality, are required for this API call.",
    )


def test_v1_has_a_column_for_birth_dates(tcia: Sandbox) -> None:
    for endpoint, place, count in (("getPatient", 2, 9), ("getPatientStudy", 8, 15)):
        head = ask(tcia, f"v1/{endpoint}", PatientId="P1", format="csv").text.splitlines()[0].split(",")
        assert (head[place], len(head), '"Authorized"' in head) == ('"PatientBirthDate"', count, False)


def test_elements_of_the_first_image(tcia: Sandbox, row: Row) -> None:
    found = ask(tcia, "v4/getDicomTags", SeriesUID=row["SeriesInstanceUID"]).json()
    assert all(set(one) == {"element", "name", "data"} for one in found)
    elements = {one["element"]: (one["name"], one["data"]) for one in found}
    assert found[0]["element"].startswith("(0002,")
    assert elements["(0008,0060)"] == ("Modality", "CT")
    assert elements["(0020,000E)"] == ("Series Instance UID", row["SeriesInstanceUID"])
    assert elements["(0020,0013)"][1] == "1"
    assert elements["(0020,0032)"][1].split("\\")[:2] == ["-200", "-200"]
    assert elements["(0002,0001)"][1] is None
    assert "(7FE0,0010)" not in elements


@pytest.mark.parametrize("asked", [{"SeriesUID": HIDDEN}, {"SeriesUID": NOWHERE}, {}])
def test_elements_that_are_not_given(tcia: Sandbox, asked: dict[str, str]) -> None:
    answer = ask(tcia, "v4/getDicomTags", **asked)
    assert answer.status_code == 400
    assert f"with given SeriesInstanceUID,{asked.get('SeriesUID', 'null')}." in answer.text
    wrong = ask(tcia, "v4/getDicomTags", SeriesInstanceUID=NOWHERE)
    assert wrong.text == "Invalid query parameter: 'SeriesInstanceUID'. Allowed parameters are: [SeriesUID]"


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_what_is_no_dicom_is_an_empty_zip(tcia: Sandbox, row: Row, version: str) -> None:
    answer = ask(tcia, f"{version}/getImageOther", SeriesInstanceUID=row["SeriesInstanceUID"])
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == []
    assert ask(tcia, f"{version}/getImageOther").status_code == 400


def test_texts_are_files_to_save(tcia: Sandbox) -> None:
    for endpoint, name, part in (
        ("getUserAgreementTxt", "userAgreement.txt", "Data Usage Policy"),
        ("getAllSOPClassDefinition", "UIDNames.properties", "1.2.840.10008.5.1.4.1.1.2=CT Image Storage\n"),
    ):
        answer = ask(tcia, f"v1/{endpoint}")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert part in answer.text
        assert ask(tcia, f"v4/{endpoint}").status_code == 500
