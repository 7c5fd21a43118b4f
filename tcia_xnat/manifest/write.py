"""From series to lists: .tcia as the NBIA Data Retriever reads it, CSV, s5cmd, and the list with session labels."""

from collections.abc import Iterable, Mapping

from tcia_xnat.core.model import Series
from tcia_xnat.core.tables import table
from tcia_xnat.manifest.model import Manifest

_HEADER = (
    "downloadServerUrl=https://nbia.cancerimagingarchive.net/nbia-download/servlet/DownloadServlet",
    "includeAnnotation=true",
    "noOfrRetry=4",  # spelt so in every manifest there is (tcia-nbia-and-idc.md §1.1)
    "databasketId={}",
    "manifestVersion=3.0",
    "ListOfSeriesToDownload=",
)
_S5CMD = "# s5cmd --no-sign-request --endpoint-url https://s3.amazonaws.com run THIS_FILE"
_COLUMNS = (  # as IDC's index names them
    ("collection_id", "collection_id"),
    ("PatientID", "patient_id"),
    ("StudyInstanceUID", "study_instance_uid"),
    ("StudyDate", "study_date"),
    ("StudyDescription", "study_description"),
    ("SeriesInstanceUID", "series_instance_uid"),
    ("Modality", "modality"),
    ("SeriesNumber", "series_number"),
    ("SeriesDescription", "series_description"),
    ("instanceCount", "image_count"),
    ("series_size_bytes", "byte_count"),
    ("license_short_name", "licence"),
    ("source_DOI", "source_doi"),
)


def write_tcia(series_instance_uids: Iterable[str], databasket_id: str) -> str:
    """Return the text of a manifest of version 3.0 (§1.1)."""
    return _joined([*_header(databasket_id), *series_instance_uids])


def write_csv(series: Iterable[Series]) -> str:
    """Return a table with a row for each series, under the headings of IDC's index."""
    rows = ([getattr(one, attribute) for _, attribute in _COLUMNS] for one in series)
    return table([heading for heading, _ in _COLUMNS], rows)


def write_s5cmd(series: Iterable[Series]) -> str:
    """Return the commands that copy series from IDC's buckets into the folder where s5cmd runs (§1.5).

    Series that IDC does not have are named in comments.
    """
    return _joined([_S5CMD, *map(_copy, series)])


def write_modified(manifest: Manifest, labels: Mapping[str, str]) -> str:
    """Return the manifest with the session label behind each series that has one.

    Parameters
    ----------
    labels
        SeriesInstanceUID → session label.
    """
    uids = dict.fromkeys([*manifest.series_instance_uids, *labels])
    lines = [f"{uid},{labels[uid]}" for uid in uids if uid in labels]
    return _joined([*(manifest.header or _header(manifest.name)), *lines])


def _copy(series: Series) -> str:
    if not series.is_in_idc:
        return f"# not in IDC: {series.series_instance_uid}"
    return f"cp s3://{series.aws_bucket}/{series.crdc_series_uuid}/* ."


def _header(databasket_id: str) -> list[str]:
    return [line.format(" ".join(databasket_id.split())) for line in _HEADER]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
