"""Where each series goes below the output folder: templates of IDC's fields, and what the NBIA Data Retriever does.

idc-index names the fields (tcia-nbia-and-idc.md §7.3), the Data Retriever the classic folders (§5).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count, islice, takewhile

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Series

DEFAULT_TEMPLATE = "%collection_id/%PatientID/%StudyInstanceUID/%Modality_%SeriesInstanceUID"
RESERVED = ("state", "report")  # what else lies in the output folder

_FIELDS: Mapping[str, Callable[[Series], str]] = {
    "collection_id": lambda series: series.collection_id,
    "PatientID": lambda series: series.patient_id,
    "StudyInstanceUID": lambda series: series.study_instance_uid,
    "Modality": lambda series: series.modality,
    "SeriesInstanceUID": lambda series: series.series_instance_uid,
    "SeriesNumber": lambda series: series.series_number,
    "SeriesDescription": lambda series: series.series_description,
    "StudyDate": lambda series: series.study_date,
}
_FIELD = re.compile("%(" + "|".join(sorted(_FIELDS, key=len, reverse=True)) + ")")
_COLLECTION = "%collection_id"
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')  # by Windows; most of them are trouble in a shell as well
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself
_LENGTH = 150  # bytes of a name: file systems take 255, and a UID may have to follow


@dataclass(frozen=True, slots=True)
class Layout:
    """How series lie on disk.

    Attributes
    ----------
    template
        Folder of a series, with `%fields`; empty puts all series into the output folder itself.
    zipped
        A series is one `img.zip`, not one file for each image.
    classic
        Files are named and listed in `metadata.csv` as the Data Retriever does it.
    collections
        collection_id → how its folder is called, where that is another name.
    """

    template: str = DEFAULT_TEMPLATE
    zipped: bool = False
    classic: bool = False
    collections: Mapping[str, str] | None = None

    @property
    def is_flat(self) -> bool:
        """Whether all series lie in one folder."""
        return not self.template

    def folder(self, series: Series) -> str:
        """Return the folder of a series, relative, every part of it cleaned for file systems."""
        if self.is_flat:
            return ""
        parts = [clean(self._filled(part, series)) for part in self.template.split("/")]
        return "/".join([f"{parts[0]}_" if parts[0].lower() in RESERVED else parts[0], *parts[1:]])

    def licence_folder(self, series: Series) -> str:
        """Return the deepest folder that belongs to the collection alone; empty for the output folder itself."""
        depth = 0
        for part in self.template.split("/")[:-1]:
            if _FIELD.search(part.replace(_COLLECTION, "")):
                break
            depth += 1
        return "/".join(self.folder(series).split("/")[:depth])

    def _filled(self, part: str, series: Series) -> str:
        named = replace(series, collection_id=(self.collections or {}).get(series.collection_id, series.collection_id))
        return _FIELD.sub(lambda found: _FIELDS[found[1]](named).replace("/", "_"), part)


CLASSIC = Layout("%collection_id/%PatientID/%StudyInstanceUID/%SeriesInstanceUID", classic=True)
ZIPS = Layout("%StudyInstanceUID/%SeriesInstanceUID", zipped=True)


def layout_of(template: str | None, name: str | None) -> Layout:
    """Return the layout that options ask for.

    Raises
    ------
    UsageError
        A template is none, or both are given.
    """
    if name and template is not None:
        raise UsageError(f"--layout {name} has its own folders", "leave --dir-template or --layout out")
    if name:
        return {"classic": CLASSIC, "zips": ZIPS}[name]
    return Layout(checked_template(template)) if template is not None else Layout()


def checked_template(template: str) -> str:
    """Return a template that stays inside of the output folder and has known fields only; the empty one is flat.

    Raises
    ------
    UsageError
    """
    hint = f"write it like {DEFAULT_TEMPLATE}; fields are {', '.join(_FIELDS)}"
    parts = template.split("/")
    if (template and not all(part.strip() and part not in {".", ".."} for part in parts)) or "\\" in template:
        raise UsageError(f"--dir-template {template!r} does not name folders below the output folder", hint)
    if unknown := re.search(r"%\w*", _FIELD.sub("", template)):
        raise UsageError(f"--dir-template has a field that is none: {unknown[0]}", hint)
    return template


def clean(name: str) -> str:
    """Return a name that every file system takes: no separators, no `..`, at most 150 bytes."""
    text = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))
    cut = text.encode("utf-8", "replace")[:_LENGTH].decode("utf-8", "ignore").strip().rstrip(".")
    if _DEVICES.fullmatch(cut) or not cut or cut.startswith("."):
        return f"_{cut}"
    return cut


def assign(series: Iterable[Series], layout: Layout, holder: Callable[[str], str]) -> dict[str, str]:
    """Return the folder of each series by its SeriesInstanceUID; no two share one, whatever the case of letters.

    In a flat layout all of them share the output folder: names of files are those of images then.

    The first to ask gets the folder of the template, another one the same with its SeriesInstanceUID behind. What a
    series has already it keeps.

    Parameters
    ----------
    holder
        Tells the SeriesInstanceUID of the series that lies in a folder, from this run or another; empty for none.
    """
    if layout.is_flat:
        return {one.series_instance_uid: "" for one in series}
    wanted = sorted((one.series_instance_uid, layout.folder(one)) for one in series)
    assigned = {uid: place for uid, folder in wanted if (place := _held(folder, uid, holder))}
    taken = {folder.lower() for folder in assigned.values()}
    for uid, folder in wanted:
        if uid not in assigned:
            # its own folder counts as free: another run may have put the series there meanwhile
            free = (place for place in _places(folder, uid) if holder(place) in {"", uid})
            assigned[uid] = next(place for place in free if place.lower() not in taken)
            taken.add(assigned[uid].lower())
    return assigned


def _held(folder: str, series_instance_uid: str, holder: Callable[[str], str]) -> str:
    """Return the place that a series has already; empty when it has none."""
    places = _places(folder, series_instance_uid)
    likely = chain(islice(places, 2), takewhile(holder, places))
    return next((place for place in likely if holder(place) == series_instance_uid), "")


def _places(folder: str, series_instance_uid: str) -> Iterator[str]:
    """Yield where a series may lie, in the order of preference."""
    yield folder
    yield f"{folder}_{series_instance_uid}"
    yield from (f"{folder}_{series_instance_uid}_{number}" for number in count(2))
