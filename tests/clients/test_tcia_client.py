"""TCIAClient against the sandbox's NBIA, and next to tcia_utils: the same answers to the same questions."""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import pydicom
import pytest
from tcia_utils import nbia

from sandbox.index import Row
from sandbox.sandbox import Sandbox
from tcia_xnat.core.errors import SeriesUnavailable, SourceError
from tcia_xnat.manifest import read
from tcia_xnat.sources.nbia.client import METADATA_BATCH, TCIAClient

UNKNOWN = "1.2.3.4"
DAY = date(2021, 1, 13)  # no month has its number

renames_in_place = pytest.mark.filterwarnings("ignore:The inplace keyword")  # tcia_utils does, pandas 3.1 warns


@pytest.fixture
def client(archives: Sandbox) -> Iterator[TCIAClient]:
    with TCIAClient(archives.environment["TCIA_XNAT_NBIA_URL"]) as made:
        yield made


@pytest.fixture(autouse=True)
def _base_url(archives: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point tcia_utils to the sandbox: it takes names of TCIA's servers only, no address."""
    base = archives.environment["TCIA_XNAT_NBIA_URL"]

    def url(endpoint: str, _api_url: str = "") -> str:
        return f"{base}/{'v1' if endpoint == 'getContentsByName' else 'v4'}/"

    monkeypatch.setattr(nbia, "setApiUrl", url)


@pytest.fixture(scope="module")
def rows(archives: Sandbox) -> Sequence[Row]:
    return archives.index.nbia("SELECT * FROM nbia ORDER BY SeriesInstanceUID")


@pytest.fixture(scope="module")
def row(rows: Sequence[Row]) -> Row:
    return next(row for row in rows if 3 <= row["instanceCount"] <= 12 and row["BodyPartExamined"])


class Same(NamedTuple):
    """A question to both clients; ours gives values where `column` is set, tcia_utils always rows."""

    ours: Callable[[TCIAClient, Row], Any]
    theirs: Callable[[Row], Any]
    column: str = ""


SAME = {
    "collections": Same(
        lambda client, _: client.get_collection_values(), lambda _: nbia.getCollections(), "Collection"
    ),
    "modalities": Same(
        lambda client, _: client.get_modality_values("CMB-AML"), lambda _: nbia.getModality("CMB-AML"), "Modality"
    ),
    "modalities of a body part": Same(
        lambda client, row: client.get_modality_values(body_part_examined=row["BodyPartExamined"]),
        lambda row: nbia.getModality(bodyPart=row["BodyPartExamined"]),
        "Modality",
    ),
    "body parts": Same(
        lambda client, row: client.get_body_part_values("CMB-AML", row["Modality"]),
        lambda row: nbia.getBodyPart("CMB-AML", row["Modality"]),
        "BodyPartExamined",
    ),
    "manufacturers": Same(
        lambda client, row: client.get_manufacturer_values("CMB-AML", row["Modality"], row["BodyPartExamined"]),
        lambda row: nbia.getManufacturer("CMB-AML", row["Modality"], row["BodyPartExamined"]),
        "Manufacturer",
    ),
    "patients": Same(lambda client, _: client.get_patient("CMB-AML"), lambda _: nbia.getPatient("CMB-AML")),
    "patients of a modality": Same(
        lambda client, _: client.get_patient_by_collection_and_modality("CMB-AML", "CT"),
        lambda _: nbia.getPatientByCollectionAndModality("CMB-AML", "CT"),
        "PatientId",
    ),
    "new patients": Same(
        lambda client, _: client.get_new_patients_in_collection("CMB-AML", DAY),
        lambda _: nbia.getNewPatientsInCollection("CMB-AML", f"{DAY:%Y/%m/%d}"),
    ),
    "studies": Same(
        lambda client, row: client.get_patient_study("CMB-AML", row["PatientID"]),
        lambda row: nbia.getStudy("CMB-AML", row["PatientID"]),
    ),
    "one study": Same(
        lambda client, row: client.get_patient_study("CMB-AML", study_instance_uid=row["StudyInstanceUID"]),
        lambda row: nbia.getStudy("CMB-AML", studyUid=row["StudyInstanceUID"]),
    ),
    "new studies": Same(
        lambda client, row: client.get_new_studies_in_patient_collection("CMB-AML", DAY, row["PatientID"]),
        lambda row: nbia.getNewStudiesInPatient("CMB-AML", row["PatientID"], f"{DAY:%Y/%m/%d}"),
    ),
    "series of a collection": Same(
        lambda client, _: client.get_series(collection="CMB-AML"), lambda _: nbia.getSeries("CMB-AML")
    ),
    "series by everything": Same(
        lambda client, row: client.get_series(
            collection="CMB-AML",
            patient_id=row["PatientID"],
            study_instance_uid=row["StudyInstanceUID"],
            series_instance_uid=row["SeriesInstanceUID"],
            modality=row["Modality"],
            body_part_examined=row["BodyPartExamined"],
            manufacturer=row["Manufacturer"],
            manufacturer_model_name=row["ManufacturerModelName"],
        ),
        lambda row: nbia.getSeries(
            "CMB-AML",
            row["PatientID"],
            row["StudyInstanceUID"],
            row["SeriesInstanceUID"],
            row["Modality"],
            row["BodyPartExamined"],
            row["Manufacturer"],
            row["ManufacturerModelName"],
        ),
    ),
    "updated series": Same(
        lambda client, _: client.get_updated_series(DAY), lambda _: nbia.getUpdatedSeries(f"{DAY:%Y/%m/%d}")
    ),
    "size": Same(
        lambda client, row: client.get_series_size(row["SeriesInstanceUID"]),
        lambda row: nbia.getSeriesSize(row["SeriesInstanceUID"]),
    ),
    "instances": Same(
        lambda client, row: client.get_sop_instance_uids(row["SeriesInstanceUID"]),
        lambda row: nbia.getSopInstanceUids(row["SeriesInstanceUID"]),
        "SOPInstanceUID",
    ),
    "shared cart": Same(lambda client, _: client.contents_by_name("nbia-1"), lambda _: nbia.getSharedCart("nbia-1")),
    "elements": Same(
        lambda client, row: client.get_dicom_tags(row["SeriesInstanceUID"]),
        lambda row: nbia.getDicomTags(row["SeriesInstanceUID"]).to_dict("records"),
    ),
    "collections of a doi": Same(
        lambda client, row: client.get_collections_for_doi(f"https://doi.org/{row['source_DOI']}"),
        lambda row: nbia.getDoiMetadata(f"https://doi.org/{row['source_DOI']}"),
    ),
    "series of a doi": Same(
        lambda client, row: client.get_series_for_doi(f"https://doi.org/{row['source_DOI']}"),
        lambda row: nbia.getDoiMetadata(f"https://doi.org/{row['source_DOI']}", "series"),
    ),
}


@pytest.mark.parametrize("asked", SAME)
def test_tcia_utils_gives_the_same_answer(archives: Sandbox, client: TCIAClient, row: Row, asked: str) -> None:
    archives.nbia_application.shared_carts["nbia-1"] = [row["SeriesInstanceUID"]]
    ours, theirs, column = SAME[asked]
    found, expected = ours(client, row), theirs(row)
    assert found
    assert ([{column: value} for value in found] if column else found) == [
        {column: one[column]} if column else _known(one) for one in expected
    ]


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what a DataFrame adds for values that are not there."""
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124  NaN


@renames_in_place
def test_tcia_utils_gives_the_same_metadata(client: TCIAClient, rows: Sequence[Row]) -> None:
    uids = [row["SeriesInstanceUID"] for row in rows]
    expected = nbia.getSeriesList([*uids, UNKNOWN]).to_dict("records")
    found = client.get_series_metadata([*uids, UNKNOWN])
    assert len(found) == len(uids)
    for one, other in zip(found, expected, strict=True):  # it reads numbers out of a table: all are compared as text
        known = {name: str(value) for name, value in _known(other).items() if value is not None}
        assert {name: str(value) for name, value in one.items()} == known


def test_answers_are_what_the_index_says(client: TCIAClient, rows: Sequence[Row], row: Row) -> None:
    assert client.get_collection_values() == ["CMB-AML"]
    assert client.get_modality_values() == sorted({row["Modality"] for row in rows})
    patients = client.get_patient(patient_id=row["PatientID"])
    assert [patient["PatientId"] for patient in patients] == [row["PatientID"]]
    series = client.get_series(patient_id=row["PatientID"], modality=row["Modality"])
    expected = [one for one in rows if (one["PatientID"], one["Modality"]) == (row["PatientID"], row["Modality"])]
    assert [(one["SeriesInstanceUID"], one["ImageCount"]) for one in series] == [
        (one["SeriesInstanceUID"], one["instanceCount"]) for one in expected
    ]
    assert len(client.get_sop_instance_uids(row["SeriesInstanceUID"])) == row["instanceCount"]


def test_metadata_are_asked_for_in_batches(archives: Sandbox, client: TCIAClient, row: Row) -> None:
    archives.nbia.forget()
    uids = [f"1.2.{number}" for number in range(METADATA_BATCH)]
    found = client.get_series_metadata([*uids, row["SeriesInstanceUID"]])
    assert [one["PatientID"] for one in found] == [row["PatientID"]]
    assert len(archives.nbia.requests) == 2
    assert client.get_series_metadata([]) == []
    assert len(archives.nbia.requests) == 2


def test_denied_series_are_asked_for_in_batches(archives: Sandbox, client: TCIAClient, row: Row) -> None:
    archives.nbia.forget()
    public, unknown = row["SeriesInstanceUID"], [f"1.2.{number}" for number in range(15)]
    assert client.get_denied_series([*unknown, public]) == unknown
    assert len(archives.nbia.requests) == 2
    assert client.get_denied_series([public]) == []


def test_nothing_found_is_an_empty_list(client: TCIAClient) -> None:
    assert client.get_modality_values("Nobody's") == []
    assert client.get_patient("Nobody's") == []
    assert client.get_patient_study("Nobody's") == []
    assert client.get_series(collection="Nobody's") == []
    assert client.get_series_size(UNKNOWN) == []
    assert client.get_series_metadata([UNKNOWN]) == []
    assert client.get_sop_instance_uids(UNKNOWN) == []
    assert client.contents_by_name("nobody's") == []
    assert client.get_updated_series(date(2099, 1, 1)) == []
    assert client.get_collections_for_doi("https://doi.org/10.1/none") == []
    assert client.get_md5_hash_for_image(UNKNOWN) == ""


def test_a_series_that_is_not_public_is_told_apart(client: TCIAClient) -> None:
    for ask in (client.get_dicom_tags, _zip(client.get_image), _zip(client.get_image_with_md5_hash)):
        with pytest.raises(SeriesUnavailable, match="does not offer this series"):
            ask(UNKNOWN)


def test_a_question_without_what_it_needs_is_refused(client: TCIAClient) -> None:
    for ask in (client.get_series_size, _zip(client.get_image)):
        with pytest.raises(SourceError, match="answered 400: A parameter, SeriesInstanceUID") as caught:
            ask("")
        assert not isinstance(caught.value, SeriesUnavailable)


def _zip(stream: Callable[[str, Callable[[bytes], None]], None]) -> Callable[[str], zipfile.ZipFile]:
    def read_zip(uid: str) -> zipfile.ZipFile:
        arrived = bytearray()
        stream(uid, arrived.extend)
        return zipfile.ZipFile(io.BytesIO(arrived))

    return read_zip


def test_zips_of_all_kinds(client: TCIAClient, row: Row) -> None:
    uid, count = row["SeriesInstanceUID"], row["instanceCount"]
    for stream, more in (
        (client.get_image, {"LICENSE", "md5hashes.csv"}),
        (client.get_image_with_md5_hash, {"md5hashes.csv"}),
        (client.get_dcm_image, {"md5hashes.csv"}),
    ):
        archive = _zip(stream)(uid)
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert names >= more
        assert len(names) == count + len(more)
    assert _zip(client.get_image_other)(uid).namelist() == []


def test_one_image_and_its_hash(archives: Sandbox, client: TCIAClient, row: Row) -> None:
    sop = client.get_sop_instance_uids(row["SeriesInstanceUID"])[1]
    image = client.get_single_image(row["SeriesInstanceUID"], sop)
    assert image == archives.images.image(row, 2)
    assert pydicom.dcmread(io.BytesIO(image)).SOPInstanceUID == sop
    assert client.get_md5_hash_for_image(sop) == archives.images.md5(row, 2)


def test_manifests_can_be_read(client: TCIAClient, rows: Sequence[Row], row: Row, tmp_path: Any) -> None:  # noqa: ANN401  a folder
    uids = [one["SeriesInstanceUID"] for one in rows]
    of_patient = [one["SeriesInstanceUID"] for one in rows if one["PatientID"] == row["PatientID"]]
    for text, expected in (
        (client.get_manifest_text(uids[:2]), uids[:2]),
        (client.get_manifest_for_collection("CMB-AML", include_annotation=False), uids),
        (client.get_manifest_from_patient_study_series([row["PatientID"]]), of_patient),
    ):
        (tmp_path / "asked.tcia").write_text(text)
        assert list(read(tmp_path / "asked.tcia").series_instance_uids) == expected
    assert "includeAnnotation=true\n" in client.get_manifest_text(uids[:1])
    assert "includeAnnotation=false\n" in client.get_manifest_for_collection("CMB-AML", include_annotation=False)


def test_texts(client: TCIAClient) -> None:
    assert client.get_user_agreement_txt().startswith("Data Usage Policy")
    assert client.get_all_sop_class_definition()["1.2.840.10008.5.1.4.1.1.2"] == "CT Image Storage"
