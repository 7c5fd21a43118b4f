"""From series to text: .tcia as the NBIA Data Retriever reads it, and the list with its session labels."""

from collections.abc import Iterable, Mapping

from tcia_xnat.manifest.model import Manifest

_HEADER = (
    "downloadServerUrl=https://nbia.cancerimagingarchive.net/nbia-download/servlet/DownloadServlet",
    "includeAnnotation=true",
    "noOfrRetry=4",  # spelt so in every manifest there is (§1.1)
    "databasketId={}",
    "manifestVersion=3.0",
    "ListOfSeriesToDownload=",
)


def write_tcia(series_instance_uids: Iterable[str], databasket_id: str) -> str:
    """Return the text of a manifest of version 3.0 (§1.1)."""
    return _joined([*_header(databasket_id), *series_instance_uids])


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


def _header(databasket_id: str) -> list[str]:
    return [line.format(databasket_id) for line in _HEADER]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
