"""What one file is: an image, a zip of images, or nothing for XNAT; read up to the identifiers, never written."""

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from tcia_xnat.core.foreign import files_of, parsing
from tcia_xnat.core.uids import is_uid
from tcia_xnat.dicom import decoded_text, read_tags, text_of
from tcia_xnat.local.model import LOOSE, Image, Passed, Weight, is_zip

_KIND = 0x00020002  # MediaStorageSOPClassUID
_MARK = slice(128, 132)  # after the preamble (DICOM PS3.10 §7.1)
_DICOMDIR = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage (PS3.4)
_SERIES_NUMBER = 0x00200011  # the last of those that are read, in the order of tags
_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "Modality",
    "StudyDescription",
    "SeriesDescription",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
)
_TAGS = [tag_for_keyword(keyword) or 0 for keyword in _KEYWORDS]
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_NAMED_AS_DICOM = {".dcm", ".dicom", ".dic", ".ima"}
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what XNAT can read (xnat-http.md §5.7)

_INDEX = "a DICOMDIR, an index of other files"
_EMPTY, _OTHER = "is empty", "is no DICOM file"
NO_IMAGES = "a zip without images"


def read_file(path: Path, size: int) -> Iterator[Image | Passed]:
    """Yield what a file of `size` bytes holds: one thing, or everything in a zip.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if is_zip(path.name):
        yield from _zip(path)
        return
    with path.open("rb") as file:
        yield _read(file, path.name, size, LOOSE, "")


def _zip(path: Path) -> Iterator[Image | Passed]:
    try:
        with parsing(ValueError), zipfile.ZipFile(path) as archive:
            holds_images = False
            for info in files_of(archive):
                thing = _member(archive, info)
                holds_images |= isinstance(thing, Image) or thing.weight is not Weight.LEFT_OUT
                yield thing
            if not holds_images:
                yield Passed(NO_IMAGES)
    except ValueError as error:
        yield Passed(f"is no whole zip: {error}", Weight.LOST)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Image | Passed:
    name, place = info.filename, info.header_offset
    if any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts):
        return Passed("hidden", Weight.LEFT_OUT, place, name)
    if is_zip(name):
        return Passed("is a zip in a zip: unpack it first", Weight.LOST, place, name)
    if info.flag_bits & 1:
        return Passed("is encrypted", Weight.LOST, place, name)
    if info.compress_type not in _METHODS:
        return Passed("is compressed in a way that XNAT cannot read", Weight.LOST, place, name)
    try:
        with parsing(ValueError), archive.open(info) as file:
            return _read(cast("BinaryIO", file), name, info.file_size, place, name)
    except ValueError as error:
        return Passed(f"is damaged: {error}", Weight.SUSPECT, place, name)


def _read(file: BinaryIO, name: str, size: int, place: int, member: str) -> Image | Passed:
    head = file.read(_MARK.stop)
    if head[_MARK] != b"DICM":
        is_lost = PurePosixPath(name).suffix.lower() in _NAMED_AS_DICOM
        return Passed(_OTHER if head else _EMPTY, Weight.LOST if is_lost else Weight.LEFT_OUT, place, member)
    file.seek(0)
    is_cut = True

    def is_behind(tag: BaseTag, _representation: str | None, _length: int) -> bool:
        nonlocal is_cut
        is_cut = int(tag) <= _SERIES_NUMBER
        return not is_cut

    try:
        with parsing(ValueError):
            dataset = read_tags(file, _TAGS, is_behind)
            said = {keyword: decoded_text(dataset, tag) for keyword, tag in zip(_KEYWORDS, _TAGS, strict=True)}
            kind = text_of(dataset.file_meta, _KIND)
    except ValueError as error:
        return Passed(f"is damaged: {error}", Weight.SUSPECT, place, member)
    if kind == _DICOMDIR or PurePosixPath(name).name.upper() == "DICOMDIR":
        return Passed(_INDEX, Weight.LEFT_OUT, place, member)
    if lacking := next((keyword for keyword in _UIDS if not is_uid(said[keyword])), ""):
        what = f"has {said[lacking]!r} as {lacking}" if said[lacking] else f"has no {lacking}"
        weight = Weight.SUSPECT if is_cut else Weight.LOST
        return Passed("is cut off before its identifiers" if is_cut else what, weight, place, member)
    return _image(said, size, place, member)


def _image(said: dict[str, str], size: int, place: int, member: str) -> Image:
    return Image(
        sop_instance_uid=said["SOPInstanceUID"],
        series_instance_uid=said["SeriesInstanceUID"],
        study_instance_uid=said["StudyInstanceUID"],
        patient_id=said["PatientID"],
        modality=said["Modality"],
        series_number=said["SeriesNumber"],
        series_description=said["SeriesDescription"],
        study_date=_iso_date(said["StudyDate"]),
        study_description=said["StudyDescription"],
        size=size,
        place=place,
        member=member,
    )


def _iso_date(date: str) -> str:
    is_date = len(date) == 8 and date.isdigit()  # noqa: PLR2004  YYYYMMDD (PS3.5 §6.2)
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if is_date else date
