"""What NBIA says of a series, in the catalogue's words."""

import pytest

from tcia_xnat.catalogue import from_nbia, offered_by
from tcia_xnat.model import Series, SourceName

ROW = {
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
    "PatientID": "MSB-1",
    "Collection": "CMB-AML",
    "Modality": "CT",
    "SeriesNumber": 3,
    "SeriesDescription": "Scout",
    "StudyDate": "12-31-1959",
    "StudyDesc": "Thorax",
    "ImageCount": 7,
    "FileSize": 4200,
    "LicenseName": "Creative Commons Attribution 4.0 International License",
    "DataDescriptionURI": "https://doi.org/10.7937/PCTE-6M66",
}


def test_a_row_of_metadata() -> None:
    assert from_nbia(ROW) == Series(
        series_instance_uid="1.2.3",
        study_instance_uid="1.2",
        patient_id="MSB-1",
        collection_id="cmb_aml",
        modality="CT",
        series_number="3",
        series_description="Scout",
        study_date="1959-12-31",
        study_description="Thorax",
        image_count=7,
        byte_count=4200,
        licence="CC BY 4.0",
        source_doi="10.7937/pcte-6m66",
    )


def test_columns_that_nbia_leaves_out_are_empty() -> None:
    assert from_nbia({"SeriesInstanceUID": "1", "StudyInstanceUID": "2", "PatientID": "3"}) == Series("1", "2", "3")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Creative Commons Attribution 3.0 Unported License", "CC BY 3.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International License", "CC BY-NC 4.0"),
        ("Creative Commons Attribution-Non Commercial 3.0 Unported License", "CC BY-NC 3.0"),
        ("TCIA Restricted", "TCIA Restricted"),
    ],
)
def test_licences_are_written_as_idc_writes_them(name: str, short: str) -> None:
    assert from_nbia(ROW | {"LicenseName": name}).licence == short


def test_only_idc_s_series_are_asked_of_idc() -> None:
    order = (SourceName.IDC, SourceName.NBIA)
    assert offered_by(Series("1", "2", "3"), order) == [SourceName.NBIA]
    assert offered_by(Series("1", "2", "3", crdc_series_uuid="u"), order) == list(order)
    assert offered_by(Series("1", "2", "3"), order[:1]) == []
