"""The images that the sandbox makes: valid DICOM under the identifiers of the index, the same ones every time."""

import io
import re
import time
import zlib
from pathlib import Path
from typing import Any

import duckdb
import idc_index_data
import pydicom
import pytest
from pydicom.uid import UID

from sandbox.dicom import Images
from sandbox.header import layout_of
from sandbox.index import Index, Row, Served
from sandbox.uids import acquisition_number, instance_number, instance_uuid, numbered, sop_instance_uid

SOURCE = str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH)
ODD: Row = {
    "collection_id": "none",
    "analysis_result_id": None,
    "PatientID": "José\\Ñandú\n x" + "y" * 80,
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
    "PatientAge": "042y",
    "PatientSex": "6657",
    "StudyDate": "",
    "StudyDescription": "IRM FÉMUR/CUISSE " + "é" * 80,
    "BodyPartExamined": "CHEST (THORAX) W/O",
    "Modality": None,
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22,1.2.840.10008.5.1.4.1.1.88.33",
    "PhotometricInterpretation": None,
    "Manufacturer": None,
    "ManufacturerModelName": "",
    "SeriesDate": "unknown",
    "SeriesDescription": None,
    "SeriesNumber": "1.5",
    "instanceCount": 2,
    "aws_bucket": "idc-open-data",
    "crdc_series_uuid": "00000000-0000-4000-8000-0000000000ff",
}


def rows(query: str) -> list[Row]:
    with duckdb.connect() as database:
        found = database.execute(f"SELECT * FROM read_parquet('{SOURCE}') {query}")  # noqa: S608  tests' own words
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def read(data: bytes) -> pydicom.Dataset:
    """Read a file, every element of it: what is wrong is a warning, which is an error here."""
    found = pydicom.dcmread(io.BytesIO(data))
    for element in found.iterall():
        assert element.value is not NotImplemented
    return found


@pytest.fixture(scope="module")
def images() -> Images:
    return Images(64)


@pytest.fixture(scope="module")
def one_of_each() -> list[Row]:
    return rows(
        "QUALIFY row_number() OVER (PARTITION BY Modality, SOPClassUID, PhotometricInterpretation"
        " ORDER BY SeriesInstanceUID) = 1"
    )


def test_each_kind_of_object_is_read_without_a_warning_and_has_one_size(images: Images, one_of_each: list[Row]) -> None:
    assert len(one_of_each) > 60
    for row in one_of_each:
        data = images.image(row, 1)
        found = read(data)
        assert len(data) == images.image_bytes
        assert found.SOPClassUID == found.file_meta.MediaStorageSOPClassUID == row["SOPClassUID"].split(",")[0]
        assert found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID == sop_instance_uid(row, 1)
        assert (found.SeriesInstanceUID, found.StudyInstanceUID) == (row["SeriesInstanceUID"], row["StudyInstanceUID"])
        assert (found.PatientID, str(found.PatientName)) == (row["PatientID"], row["PatientID"])
        assert found.StudyDate == (row["StudyDate"] or "").replace("-", "")
        assert found.Modality == row["Modality"]
        if "PixelData" in found:
            assert found.pixel_array.size * found.BitsAllocated // 8 == len(found.PixelData)
            assert found.pixel_array.std() > 0


def test_pixels_are_there_for_images_and_not_for_other_objects(images: Images, one_of_each: list[Row]) -> None:
    with_pixels = {row["Modality"] for row in one_of_each if "PixelData" in read(images.image(row, 1))}
    without = {row["Modality"] for row in one_of_each if "PixelData" not in read(images.image(row, 1))}
    assert {"CT", "MR", "PT", "CR", "DX", "MG", "US", "XA", "SM", "NM", "RTDOSE"} <= with_pixels
    assert {"SR", "SEG", "RTSTRUCT", "KO", "PR"} <= without - with_pixels


def test_layouts_fit_the_size_of_a_file(one_of_each: list[Row]) -> None:
    for row in one_of_each:
        layout = layout_of(row, 512)
        assert layout is None or layout.length <= 2 * 512 * 512


def test_what_is_odd_in_the_index_becomes_valid(images: Images) -> None:
    found = read(images.image(ODD, 2))
    assert found.PatientID == ("José Ñandú  x" + "y" * 80)[:63]  # 66 bytes
    assert found.StudyDescription == ("IRM FÉMUR/CUISSE " + "é" * 80)[:64]  # 112 bytes
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.22"
    assert (found.Modality, found.PatientAge, found.PatientSex, found.BodyPartExamined) == (
        "OT", "", "", "CHEST THORAX WO",
    )  # fmt: skip
    assert (found.StudyDate, found.SeriesDate, found.SeriesNumber, found.Manufacturer) == ("", "", None, "")


def test_odd_values_that_the_index_really_has(images: Images) -> None:
    odd = rows(
        "WHERE PatientAge IN ('47', 'N-A', '042y') OR PatientSex IN ('U', '6657') OR SeriesNumber = '1031114355'"
        " OR BodyPartExamined LIKE 'CHEST (%' OR PatientID LIKE '%=%' OR PatientID LIKE 'ZZ %'"
        " OR StudyDescription LIKE 'IRM F%' OR length(SeriesDescription) > 60 LIMIT 400"
    )
    assert len(odd) > 100
    for row in odd:
        assert read(images.image(row, row["instanceCount"])).SeriesInstanceUID == row["SeriesInstanceUID"]


def test_slices_of_a_volume_follow_each_other(images: Images) -> None:
    (row,) = rows("WHERE Modality = 'CT' AND SOPClassUID = '1.2.840.10008.5.1.4.1.1.2' AND instanceCount = 50 LIMIT 1")
    slices = [read(images.image(row, number)) for number in range(1, 51)]
    assert [found.InstanceNumber for found in slices] == list(range(1, 51))
    assert [float(found.ImagePositionPatient[2]) for found in slices] == [2.5 * number for number in range(50)]
    assert [float(found.SliceLocation) for found in slices] == [2.5 * number for number in range(50)]
    assert len({found.SOPInstanceUID for found in slices}) == 50
    assert len({found.PixelData for found in slices}) == 50
    assert {(found.Rows, found.Columns, found.pixel_array.dtype.name) for found in slices} == {(64, 64, "int16")}
    assert slices[25].pixel_array[32, 0] < -900 < 0 < slices[25].pixel_array[44, 32]  # air beside, spine inside


def test_a_second_maker_makes_the_same_bytes() -> None:
    first, second = Images(32), Images(32)
    assert first.image(ODD, 1) == second.image(ODD, 1)
    (row,) = rows("WHERE Modality = 'MR' LIMIT 1")
    assert first.image(row, 1) == second.image(row, 1)
    assert first.md5(row, 1) == second.md5(row, 1)


def test_series_differ() -> None:
    images = Images(64)
    found = [read(images.image(row, 1)).PixelData for row in rows("WHERE Modality = 'CT' LIMIT 5")]
    assert len(set(found)) == 5


def test_uids_are_valid_and_lead_back_to_the_instance() -> None:
    row: dict[str, Any] = ODD | {"instanceCount": 91_980}
    for number in (1, 2, 999, 91_980):
        sop, name = sop_instance_uid(row, number), instance_uuid(row, number)
        assert UID(sop).is_valid
        assert int(sop.removeprefix("2.25.")) < 1 << 128
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name)
        assert (instance_number(row, sop), numbered(row, name)) == (number, number)
    assert instance_number(row, sop_instance_uid(row, 91_981)) is None
    assert instance_number(row, sop_instance_uid(row | {"SeriesInstanceUID": "1.2.4"}, 1)) is None
    assert instance_number(row, "") is None
    assert numbered(row, instance_uuid(row, 91_981)) is None
    assert numbered(row, "../../etc/passwd") is None


def test_some_series_have_two_acquisitions() -> None:
    counts = [{acquisition_number(row, number) for number in range(1, 11)} for row in rows("WHERE instanceCount = 10 LIMIT 200")]  # fmt: skip  # noqa: E501  one line tells it
    assert 5 < sum(found == {1, 2} for found in counts) < 60
    assert {1} in counts


def test_noise_stays_as_large_in_a_zip_as_it_is() -> None:
    (row,) = rows("WHERE Modality = 'CT' AND SOPClassUID = '1.2.840.10008.5.1.4.1.1.2' LIMIT 1")
    noise, picture = Images(256, incompressible=True).image(row, 1), Images(256).image(row, 1)
    assert len(noise) == len(picture) == 4096 + 2 * 256 * 256
    assert len(zlib.compress(noise)) > 2 * 256 * 256
    assert len(zlib.compress(picture)) < 0.6 * len(picture)


def test_pixels_must_be_even() -> None:
    with pytest.raises(ValueError, match="even number"):
        Images(63)


@pytest.fixture(scope="module")
def index(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return Index(tmp_path_factory.mktemp("index"), Served(images.image_bytes, max_instances=7))


def test_the_whole_index_is_written_in_the_sizes_that_are_served(images: Images, index: Index) -> None:
    with duckdb.connect() as database:
        database.execute(f"CREATE VIEW made AS FROM read_parquet('{index.parquet}')")
        database.execute(f"CREATE VIEW source AS FROM read_parquet('{SOURCE}')")
        assert database.execute("DESCRIBE made").fetchall() == database.execute("DESCRIBE source").fetchall()
        fitting = database.execute(
            "SELECT count(*) FROM made JOIN source USING (SeriesInstanceUID, crdc_series_uuid, aws_bucket, PatientID)"
            " WHERE made.instanceCount = least(source.instanceCount, 7)"
            " AND round(made.series_size_MB * 1e6) = made.instanceCount * ?",
            [images.image_bytes],
        ).fetchall()
        assert fitting == database.execute("SELECT count(*) FROM source").fetchall()


def test_an_index_that_fits_is_used_again_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    served = Served(12_288, collections=["cmb_aml"])
    first = Index(tmp_path, served).parquet
    written = first.stat().st_mtime_ns
    assert Index(tmp_path, served).parquet == first
    assert first.stat().st_mtime_ns == written
    assert Index(tmp_path, Served(12_288, 3, collections=["cmb_aml"])).parquet != first


def test_a_series_is_found_quickly(index: Index) -> None:
    asked = index.nbia("SELECT SeriesInstanceUID, crdc_series_uuid FROM nbia USING SAMPLE 20 ROWS")
    started = time.process_time()
    for row in asked:
        found = index.nbia_series(row["SeriesInstanceUID"])
        assert found is not None
        assert found == index.idc_series(row["crdc_series_uuid"])
    assert time.process_time() - started < 2  # a scan of the whole for each would take longer
