"""metadata.csv as the NBIA Data Retriever writes it (tcia-nbia-and-idc.md §5): CRLF, unquoted, sizes for people."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

from pydicom.uid import UID

from tcia_xnat.core.markup import doi_url
from tcia_xnat.core.model import Series
from tcia_xnat.core.tables import cell
from tcia_xnat.destinations.disk.disk import disk_errors, locked, replace_text
from tcia_xnat.destinations.disk.kept import Kept, KeptSeries
from tcia_xnat.destinations.disk.layout import Layout

NAME = "metadata.csv"
_PLAIN = re.compile(r"[^A-Za-z0-9 ._-]+")  # the Retriever has descriptions without anything else: it quotes nothing
_UNITS = ("B", "KB", "MB", "GB", "TB")

_COLUMNS: Mapping[str, Callable[[Series, KeptSeries, str, bool], str]] = {
    "Series UID": lambda series, _entry, _name, _derived: series.series_instance_uid,
    "Collection": lambda _series, _entry, name, _derived: name,
    "3rd Party Analysis": lambda _series, _entry, _name, derived: "YES" if derived else "NO",
    "Data Description URI": lambda series, _entry, _name, _derived: doi_url(series.source_doi),
    "Subject ID": lambda series, _entry, _name, _derived: series.patient_id,
    "Study UID": lambda series, _entry, _name, _derived: series.study_instance_uid,
    "Study Description": lambda series, _entry, _name, _derived: series.study_description,
    "Study Date": lambda series, _entry, _name, _derived: _american(series.study_date),
    "Series Description": lambda series, _entry, _name, _derived: series.series_description,
    "Manufacturer": lambda _series, entry, _name, _derived: entry.manufacturer,
    "Modality": lambda series, _entry, _name, _derived: series.modality,
    "SOP Class Name": lambda _series, entry, _name, _derived: UID(entry.sop_class_uid).name,
    "SOP Class UID": lambda _series, entry, _name, _derived: entry.sop_class_uid,
    "Number of Images": lambda _series, entry, _name, _derived: str(entry.image_count),
    "File Size": lambda _series, entry, _name, _derived: _size(entry.byte_count),
    "File Location": lambda _series, entry, _name, _derived: f"./{entry.folder}",
    "Download Timestamp": lambda _series, entry, _name, _derived: entry.stored.removesuffix("+00:00"),
}
_FREE_TEXT = {"Study Description", "Series Description", "Manufacturer"}


def write_metadata(root: Path, layout: Layout, series: Iterable[Series], kept: Kept, derived: Collection[str]) -> None:
    """Bring metadata.csv up to date: a row for each of these series that is on disk; rows of others stay.

    Parameters
    ----------
    layout
        Knows the names of collections at TCIA.
    derived
        SeriesInstanceUIDs of what others than its authors have made of a collection.

    Raises
    ------
    SpaceError, FolderError
    """
    with locked(root):
        rows = _read(root / NAME)
        for one in series:
            entry = kept.series(one.series_instance_uid)
            if entry and entry.folder.startswith(layout.folder(one)):
                name = (layout.collections or {}).get(one.collection_id, one.collection_id)
                is_derived = one.series_instance_uid in derived
                cells = (_cell(key, made(one, entry, name, is_derived)) for key, made in _COLUMNS.items())
                rows[one.series_instance_uid] = ",".join(cells)
        replace_text(root / NAME, "".join(f"{line}\r\n" for line in (",".join(_COLUMNS), *rows.values())))


def _read(path: Path) -> dict[str, str]:
    """Return the rows that are there by SeriesInstanceUID."""
    with disk_errors(), suppress(FileNotFoundError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
        return {line.partition(",")[0]: line for line in lines if line}
    return {}


def _cell(column: str, value: str) -> str:
    if column in _FREE_TEXT:
        value = " ".join(_PLAIN.sub(" ", value).split())
    return str(cell(re.sub(r"[,\r\n]", " ", value)))


def _american(iso: str) -> str:
    """Return a date as NBIA has it, MM-DD-YYYY."""
    try:
        return date.fromisoformat(iso).strftime("%m-%d-%Y")
    except ValueError:
        return iso


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004  the step of decimal units
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1000
    raise AssertionError  # the last unit takes all
