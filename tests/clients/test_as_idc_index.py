"""Code as it is written for idc-index: what its guide shows, with the import changed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tcia_xnat.core.errors import SourceError, UsageError
from tcia_xnat.sources.idc import client as idc
from tcia_xnat.sources.idc.as_idc_index import IDCClient
from tests.images import md5


@pytest.fixture
def client(archives: Sandbox) -> Iterator[IDCClient]:
    variables = archives.environment
    with closing(idc.IDCClient(variables["TCIA_XNAT_IDC_URL"], variables["TCIA_XNAT_IDC_INDEX"])) as asked:
        yield IDCClient(asked)


@pytest.fixture
def rows(archives: Sandbox) -> list[dict[str, Any]]:
    """Return two small series."""
    text = (
        "SELECT SeriesInstanceUID, StudyInstanceUID, PatientID, aws_bucket, crdc_series_uuid, instanceCount FROM nbia"
    )
    return archives.index.nbia(f"{text} WHERE instanceCount < 5 ORDER BY instanceCount, SeriesInstanceUID LIMIT 2")


def test_one_level_leads_to_the_next(client: IDCClient) -> None:
    assert "cmb_aml" in client.get_collections()
    patients = client.get_patients("cmb_aml", outputFormat="list")
    assert {row["PatientID"] for row in client.get_patients(collection_id="cmb_aml")} == set(patients)
    (study, *_) = client.get_dicom_studies(patients[0], outputFormat="list")
    series = client.get_dicom_series(studyInstanceUID=study, outputFormat="df")
    assert set(series["StudyInstanceUID"]) == {study}
    assert client.get_series_size(series["SeriesInstanceUID"][0]) > 0
    assert study in client.get_viewer_URL(studyInstanceUID=study)
    with pytest.raises(UsageError, match="no output format"):
        client.get_patients("cmb_aml", outputFormat="xml")
    with pytest.raises(UsageError, match="does not list"):
        client.get_series_size("1.2.3")


def test_tables(client: IDCClient) -> None:
    assert client.sql_query("SELECT count(*) AS n FROM index")["n"][0] == len(client.index)
    assert client.indices_overview["prior_versions_index"]["installed"]
    client.fetch_index("prior_versions_index")
    with pytest.raises(UsageError, match="no table sm_index"):
        client.fetch_index("sm_index")
    assert client.get_idc_version().startswith("v")


def test_images_arrive_in_one_folder_and_never_in_the_place_of_others(
    archives: Sandbox, client: IDCClient, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    one, other = rows
    chosen: dict[str, Any] = {
        "studyInstanceUID": [row["StudyInstanceUID"] for row in rows],
        "dirTemplate": None,
        "quiet": True,
    }
    client.download_from_selection(tmp_path, dry_run=True, seriesInstanceUID=one["SeriesInstanceUID"], **chosen)
    assert not list(tmp_path.iterdir())
    client.download_dicom_series(one["SeriesInstanceUID"], tmp_path, **chosen)
    images = {md5(archives.images.image(one, number)) for number in range(1, one["instanceCount"] + 1)}
    assert {md5(path.read_bytes()) for path in tmp_path.iterdir()} == images
    assert len(client.get_series_file_URLs(one["SeriesInstanceUID"])) == len(images)
    (theirs, *_), taken = sorted(tmp_path.iterdir()), tmp_path / "taken"
    client.download_dicom_series(other["SeriesInstanceUID"], taken, dirTemplate="")
    (name, *_) = sorted(path.name for path in taken.iterdir())
    content = theirs.rename(tmp_path / name).read_bytes()
    with pytest.raises(SourceError, match=f"is an image of series {one['SeriesInstanceUID']}"):
        client.download_dicom_series(other["SeriesInstanceUID"], tmp_path, dirTemplate="")
    assert (tmp_path / name).read_bytes() == content


def test_what_is_not_listed_and_what_has_no_meaning_is_refused(client: IDCClient, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [{"seriesInstanceUID": "1.2.3"}, {"collection_id": []}, {}]
    for given in (*wrong, {"collection_id": "cmb_aml", "foo": 1}):
        with pytest.raises(UsageError):
            client.download_from_selection(tmp_path, **given)
    assert not list(tmp_path.iterdir())
