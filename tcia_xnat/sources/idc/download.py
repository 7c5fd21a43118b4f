"""Series of IDC as files in a folder, proved before they are there."""

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tcia_xnat.core.dicom import Identity, read_identity
from tcia_xnat.core.errors import SeriesDamaged, SourceError, SpaceError, UsageError
from tcia_xnat.core.model import Member, Series
from tcia_xnat.core.storage import FULL
from tcia_xnat.core.uids import image_name
from tcia_xnat.sources.idc.source import IdcSource
from tcia_xnat.staging.spool import Spool

DIR_TEMPLATE = "%collection_id/%PatientID/%StudyInstanceUID/%Modality_%SeriesInstanceUID"
"""Where idc-index puts a series, and so everybody who uses IDC looks for it (tcia-nbia-and-idc.md §7.3)."""

_ATTRIBUTES = {
    "%collection_id": "collection_id",
    "%PatientID": "patient_id",
    "%StudyInstanceUID": "study_instance_uid",
    "%SeriesInstanceUID": "series_instance_uid",
    "%Modality": "modality",
}
_ATTRIBUTE = re.compile("%(?:collection_id|PatientID|StudyInstanceUID|SeriesInstanceUID|Modality|[A-Za-z]*)")
_NOT_IN_NAMES = re.compile(r"[^\w.+ -]")


def folder_of(series: Series, template: str) -> Path:
    """Return the folder of a series, relative; an empty template is no folder at all.

    Raises
    ------
    UsageError
        The template names what no series has.
    """
    return Path(*(_ATTRIBUTE.sub(lambda found: _value(series, found[0]), part) for part in Path(template).parts))


class Leftovers:
    """Images that lay in folders before anything came: SOPInstanceUIDs and names by SeriesInstanceUID.

    Each folder is looked at once, when its first series comes.
    """

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, list[tuple[str, Path]]]] = {}

    def of(self, folder: Path, series_instance_uid: str) -> list[tuple[str, Path]]:
        """Return SOPInstanceUID and path of each file of a series in a folder."""
        if folder not in self._known:
            found: dict[str, list[tuple[str, Path]]] = defaultdict(list)
            for path in sorted(folder.iterdir()):
                with suppress(SeriesDamaged):
                    identity = _identity(path)
                    found[identity.series_instance_uid].append((identity.sop_instance_uid, path))
            self._known[folder] = found
        return self._known[folder].get(series_instance_uid, [])


def download(source: IdcSource, series: Series, folder: Path, leftovers: Leftovers) -> list[Path]:
    """Write a series into a folder, as `<SOPInstanceUID>.dcm`; a file appears when all of the series are proved.

    Images of the series that lie there under other names make way for it.

    Raises
    ------
    SourceError
        The series did not arrive whole, or another one has a name of it there; the folder is as it was.
    SpaceError, UsageError
        The folder cannot take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = leftovers.of(folder, series.series_instance_uid)
        with Spool(folder) as spool, tempfile.TemporaryDirectory(prefix=".arriving-", dir=folder) as arriving:
            for package in source.fetch(series, spool, lambda _count: None):
                for member in package.members:
                    _write(spool, member, Path(arriving))
            names = {path.name for path in Path(arriving).iterdir()}
            _refuse_others(folder, names, series.series_instance_uid)
            for sop_instance_uid, path in there:
                if path.name not in names and f"{sop_instance_uid}.dcm" in names:
                    path.unlink(missing_ok=True)
            return sorted(path.replace(folder / path.name) for path in Path(arriving).iterdir())
    except OSError as error:
        if error.errno in FULL:
            raise SpaceError(f"the disk of {folder} is full", "free some space, or choose another folder") from error
        raise UsageError(f"{folder} cannot be written: {error.strerror}", "choose another folder") from error


def _refuse_others(folder: Path, names: Iterable[str], series_instance_uid: str) -> None:
    """Refuse names that images of other series have in a folder."""
    others = dict[str, Path]()
    for name in names:
        with suppress(SeriesDamaged):
            others[_identity(folder / name).series_instance_uid] = folder / name
    others.pop(series_instance_uid, None)
    for other, path in others.items():
        raise SourceError(f"{path} is an image of series {other}", "choose folders with %SeriesInstanceUID in them")


def _identity(path: Path) -> Identity:
    if not path.is_file():
        raise SeriesDamaged(f"{path} is no file")
    with path.open("rb") as file:
        return read_identity(file, path.name)


def _write(spool: Spool, member: Member, folder: Path) -> None:
    with (folder / image_name(member.sop_instance_uid)).open("xb") as file:
        file.writelines(spool.read(member.offset, member.size))


def _value(series: Series, attribute: str) -> str:
    if attribute not in _ATTRIBUTES:
        raise UsageError(f"{attribute} is nothing that a series has", f"use {', '.join(_ATTRIBUTES)}")
    value = _NOT_IN_NAMES.sub("_", getattr(series, _ATTRIBUTES[attribute]))
    return value if value.strip(". ") else "_"  # a PatientID may be `..`
