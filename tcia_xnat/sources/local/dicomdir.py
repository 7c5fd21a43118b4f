"""What a DICOMDIR, the index of a medium (DICOM PS3.10 §8), says must be there."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset
from pydicom.multival import MultiValue

from tcia_xnat.core.dicom import read_tags
from tcia_xnat.core.foreign import parsing

_KIND = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage (PS3.4)
_RECORDS = 0x00041220  # DirectoryRecordSequence


def is_dicomdir(sop_class_uid: str) -> bool:
    """Whether a MediaStorageSOPClassUID is that of an index."""
    return sop_class_uid == _KIND


def referenced(file: BinaryIO) -> list[str]:
    """Return the files that an index names, relative to its folder.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    with parsing(ValueError):
        records = read_tags(file, [_RECORDS], None).get("DirectoryRecordSequence") or []
        return list(dict.fromkeys(name for record in records if (name := _name(record))))


def files_not_there(listed: Iterable[str], folder: str, names: Iterable[str]) -> Iterator[str]:
    """Yield those of the listed files that are not among the `names` of a zip, all relative to its root."""
    known = {_plain(name) for name in names}
    for name in listed:
        path = f"{folder}/{name}" if folder else name
        if _plain(path) not in known:
            yield path


def files_not_on_disk(listed: Iterable[str], folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the path of each listed file, and whether it is missing; media differ in case, and in versions as `;1`."""
    folders: dict[Path, Mapping[str, Path]] = {}
    for name in listed:
        found: Path | None = folder
        for part in name.split("/"):
            found = found and _entries(found, folders).get(_plain(part))
        yield found or folder / name, found is None


def _entries(folder: Path, folders: dict[Path, Mapping[str, Path]]) -> Mapping[str, Path]:
    if folder not in folders:
        listing: Callable[[], Iterable[Path]] = folder.iterdir if folder.is_dir() else lambda: ()
        folders[folder] = {_plain(one.name): one for one in listing()}
    return folders[folder]


def _name(record: Dataset) -> str:
    value: object = getattr(record, "ReferencedFileID", None)
    parts = value if isinstance(value, MultiValue) else [value or ""]
    return "/".join(text for part in parts if (text := str(part)) not in {"", ".", ".."})


def _plain(name: str) -> str:
    return name.lower().removesuffix(";1").removesuffix(".")
