"""IDCClient beside SQL straight on the parquet files, and beside what the buckets hold."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pydicom
import pytest

from sandbox.faults import Fault, answer
from sandbox.sandbox import Sandbox
from tcia_xnat.core.errors import SeriesUnavailable, UsageError
from tcia_xnat.sources.idc.client import IDCClient, index_path
from tests.images import md5

TWENTY = (
    "4d_lung", "acrin_6698", "adrenal_acc_ki67_seg", "breast_cancer_screening_dbt", "breast_mri_nact_pilot",
    "cmb_aml", "cmb_crc", "cptac_ccrcc", "cptac_lscc", "cptac_ucec",
    "ct_lymph_nodes", "ea1141", "lidc_idri", "lung_pet_ct_dx", "nlst",
    "prostate_mri_us_biopsy", "rider_lung_ct", "tcga_luad", "upenn_gbm", "varepop_apollo",
)  # fmt: skip
"""From all three buckets, of both kinds of licence, with one and with several DOIs."""


@pytest.fixture(scope="module")
def idc() -> Iterator[IDCClient]:
    with closing(IDCClient()) as client:
        yield client


@pytest.fixture
def served(archives: Sandbox) -> Iterator[IDCClient]:
    variables = archives.environment
    with closing(IDCClient(variables["TCIA_XNAT_IDC_URL"], variables["TCIA_XNAT_IDC_INDEX"])) as client:
        yield client


def straight(query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the parquet itself."""
    with duckdb.connect() as database:
        return database.execute(query.replace("INDEX", f"read_parquet('{index_path()}')"), list(values)).fetchall()


@pytest.mark.parametrize("collection", TWENTY)
def test_counts_sizes_and_dois_are_those_of_the_parquet(idc: IDCClient, collection: str) -> None:
    ((patients, studies, series, images, size, dois, licences),) = straight(
        """SELECT count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*), sum(instanceCount),
            sum(round(series_size_MB * 1e6)), list_sort(list(DISTINCT source_DOI)),
            list_sort(list(DISTINCT license_short_name))
        FROM INDEX WHERE collection_id = ?""",
        collection,
    )
    (row,) = [row for row in idc.get_collection_ids(outputFormat="json") if row["collection_id"] == collection]
    assert (row["patients"], row["studies"], row["series"], row["images"]) == (patients, studies, series, images)
    assert row["bytes"] == size
    assert (row["DOIs"].split(), row["licences"].split(", ")) == (dois, licences)
    assert len(idc.get_patients(collection)) == patients


def test_every_collection_is_there(idc: IDCClient) -> None:
    assert idc.get_collection_ids() == [
        row[0] for row in straight("SELECT DISTINCT collection_id FROM INDEX ORDER BY 1")
    ]


def test_one_level_leads_to_the_next(idc: IDCClient) -> None:
    patients = idc.get_patients("CMB-AML", outputFormat="list")
    assert len(patients) == len(set(patients)) > 0
    studies = idc.get_patient_study("cmb_aml", patients[0], outputFormat="list")
    series = idc.get_series(studyInstanceUid=studies, modality="CT", outputFormat="list")
    wanted = straight(
        "SELECT SeriesInstanceUID FROM INDEX WHERE collection_id = 'cmb_aml' AND PatientID = ? AND Modality = 'CT'",
        patients[0],
    )
    assert {(uid,) for uid in series} == set(wanted)
    ((size, count),) = straight(
        "SELECT round(series_size_MB * 1e6)::BIGINT, instanceCount FROM INDEX WHERE SeriesInstanceUID = ?", series[0]
    )
    assert idc.get_series_size(series[0]) == [{"TotalSizeInBytes": size, "ObjectCount": count}]
    assert idc.get_series_size("1.2.3") == []


def test_a_study_s_rows_are_dated_and_in_order(idc: IDCClient) -> None:
    rows = idc.get_patient_study("cmb_aml")
    assert rows == sorted(rows, key=lambda row: (row["PatientID"], row["StudyDate"], row["StudyInstanceUID"]))


def test_output_formats(idc: IDCClient) -> None:
    frame = idc.get_patients("cmb_aml", outputFormat="DataFrame")
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("records") == idc.get_patients("cmb_aml", outputFormat="json")
    assert list(frame["PatientID"]) == idc.get_patients("cmb_aml", outputFormat="list")
    with pytest.raises(UsageError, match="no output format"):
        idc.get_patients("cmb_aml", outputFormat="xml")  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize("nothing", [[], "", ()])
def test_an_empty_filter_is_nothing_not_everything(idc: IDCClient, nothing: list[str] | str) -> None:
    assert idc.get_series("cmb_aml", seriesInstanceUid=nothing) == []
    assert idc.get_patients(nothing) == []
    with pytest.raises(UsageError, match="no such series"):
        idc.download_from_selection(collection="cmb_aml", series=nothing)


def test_a_name_that_idc_uses_for_its_table_is_known(idc: IDCClient) -> None:
    ((count,),) = straight("SELECT count(*) FROM INDEX")
    assert idc.sql_query("SELECT count(*) AS n FROM idc_index", outputFormat="list") == [count]


def test_a_wrong_collection_is_named_with_the_nearest(idc: IDCClient) -> None:
    with pytest.raises(UsageError, match="no collection CMB_AMI") as raised:
        idc.get_series("CMB_AMI")
    assert "cmb_aml" in raised.value.hint


def test_the_version_is_that_of_the_package(idc: IDCClient) -> None:
    ((number,),) = straight("SELECT max(series_revised_idc_version) FROM INDEX")
    assert idc.get_idc_version() == f"v{number}"


def test_sql_on_every_table(idc: IDCClient) -> None:
    tables = ("index", "prior_versions_index", "collections_index", "analysis_results_index", "version_metadata_index")
    for table in tables:
        frame = idc.sql_query(f"SELECT count(*) AS rows FROM {table}")  # noqa: S608  names of ours
        assert frame["rows"][0] > 0
    answer = idc.sql_query("SELECT Modality, count(*) AS n FROM index GROUP BY 1 ORDER BY 2 DESC;", outputFormat="json")
    assert [(row["Modality"], row["n"]) for row in answer] == straight(
        "SELECT Modality, count(*) FROM INDEX GROUP BY 1 ORDER BY 2 DESC"
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "COPY (SELECT 1) TO '{index}'",
        "SELECT 1) TO '{index}' (FORMAT csv) --",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{index}'",
        "ATTACH '{folder}/new.db'",
        "SET enable_external_access = true",
        "SELECT 1; DROP VIEW index",
        "DROP VIEW index",
        "INSTALL httpfs",
        "SELECT * FROM secret_of_the_caller",
        "",
    ],
)
def test_sql_reaches_nothing_but_the_tables(query: str, archives: Sandbox, tmp_path: Path) -> None:
    secret_of_the_caller = pd.DataFrame({"secret": ["hidden"]})
    secret = tmp_path / "secret.csv"
    secret_of_the_caller.to_csv(secret)
    index = Path(archives.environment["TCIA_XNAT_IDC_INDEX"])
    before = md5(index.read_bytes())
    with closing(IDCClient(index=index)) as client:
        with pytest.raises(UsageError):
            client.sql_query(query.format(secret=secret, folder=tmp_path, index=index))
        assert client.get_collection_ids() == ["cmb_aml"]
    assert md5(index.read_bytes()) == before
    assert list(tmp_path.iterdir()) == [secret]


def test_a_mistake_in_sql_is_one_line_and_a_hint(idc: IDCClient) -> None:
    with pytest.raises(UsageError) as raised:
        idc.sql_query("SELECT SeriesUID\nFROM index")
    assert "\n" not in str(raised.value)
    assert '"SeriesUID" not found' in str(raised.value)
    assert "SeriesInstanceUID" in raised.value.hint


def test_an_index_with_other_columns_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT 1 AS x) TO '{other}' (FORMAT parquet)")
    for wrong in (other, Path(__file__)):
        with closing(IDCClient(index=wrong)) as client, pytest.raises(UsageError, match=f"{wrong.name} cannot be read"):
            client.find_series(["1.2.3"])


def test_viewers(idc: IDCClient) -> None:
    site = "https://viewer.imaging.datacommons.cancer.gov"
    for modality, study_path, series_path in (
        ("CT", "/v3/viewer/?StudyInstanceUIDs={}", "&SeriesInstanceUIDs={}"),
        ("SM", "/slim/studies/{}", "/series/{}"),
    ):
        ((study, series),) = straight(
            "SELECT StudyInstanceUID, SeriesInstanceUID FROM INDEX WHERE Modality = ? ORDER BY 1, 2 LIMIT 1", modality
        )
        assert idc.get_viewer_url(studyInstanceUid=study) == site + study_path.format(study)
        assert idc.get_viewer_url(series) == site + study_path.format(study) + series_path.format(series)
    with pytest.raises(UsageError, match="does not list"):
        idc.get_viewer_url("1.2.3")


def _smallest(archives: Sandbox, count: int) -> list[dict[str, Any]]:
    rows = archives.index.nbia("SELECT * FROM nbia WHERE Modality = 'CT' ORDER BY instanceCount, SeriesInstanceUID")
    return rows[:count]


def test_images_arrive_as_files_of_their_series(archives: Sandbox, served: IDCClient, tmp_path: Path) -> None:
    (row,) = _smallest(archives, 1)
    uid = row["SeriesInstanceUID"]
    folder = served.get_images(uid, tmp_path)
    assert folder == tmp_path / uid
    read = {path.name: pydicom.dcmread(path) for path in folder.iterdir()}
    assert len(read) == row["instanceCount"]
    for name, dataset in read.items():
        assert (dataset.SeriesInstanceUID, f"{dataset.SOPInstanceUID}.dcm") == (uid, name)
    assert [path.name for path in tmp_path.iterdir()] == [uid]


def test_images_of_a_series_under_other_names_make_way_for_it(
    archives: Sandbox, served: IDCClient, tmp_path: Path
) -> None:
    (row,) = _smallest(archives, 1)
    folder = served.get_images(row["SeriesInstanceUID"], tmp_path)
    before = sorted(path.name for path in folder.iterdir())
    (folder / "1-1.dcm").write_bytes((folder / before[0]).read_bytes()[:-10])
    (folder / before[-1]).rename(folder / "crdc-instance-uuid.dcm")
    (folder / "notes.txt").write_text("mine")
    served.get_images(row["SeriesInstanceUID"], tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [*before, "notes.txt"]


def test_a_series_that_is_not_whole_leaves_no_file(archives: Sandbox, served: IDCClient, tmp_path: Path) -> None:
    (first, second) = _smallest(archives, 2)
    last = served.list_objects(first["aws_bucket"], first["crdc_series_uuid"])[-1]
    archives.idc_faults.add(Fault(last.key, answer(404), times=None))
    try:
        done = served.download_from_selection(
            series=[first["SeriesInstanceUID"], second["SeriesInstanceUID"]], downloadDir=tmp_path
        )
    finally:
        archives.idc_faults.lift()
    assert list(done.folders) == [second["SeriesInstanceUID"]]
    assert isinstance(done.failed[first["SeriesInstanceUID"]], SeriesUnavailable)
    path = Path("cmb_aml", second["PatientID"], second["StudyInstanceUID"], f"CT_{second['SeriesInstanceUID']}")
    assert done.folders[second["SeriesInstanceUID"]] == tmp_path / path
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == second["instanceCount"]
    assert {file.parent for file in files} == {tmp_path / path}


def test_everything_is_not_downloaded_by_mistake(served: IDCClient, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is selected"):
        served.download_from_selection(downloadDir=tmp_path)
    with pytest.raises(UsageError, match=r"there is no series 1\.2\.3"):
        served.get_images("1.2.3", tmp_path)
    with pytest.raises(UsageError, match="nothing that a series has"):
        served.download_from_selection("cmb_aml", downloadDir=tmp_path, dirTemplate="%Weekday")
