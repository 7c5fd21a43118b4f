"""What one file is: an image, an archive of images, or nothing for XNAT; read up to the identifiers, never written.

Content decides. A suffix only says what something was meant to be.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, replace
from pathlib import Path, PurePosixPath
from tarfile import TarInfo
from typing import BinaryIO, cast

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from tcia_xnat.core.dicom import MARK, decoded_text, is_bare, read_tags, text_of
from tcia_xnat.core.foreign import files_of, parsing
from tcia_xnat.core.model import Person
from tcia_xnat.core.people import person
from tcia_xnat.core.uids import is_uid
from tcia_xnat.sources.local import packed
from tcia_xnat.sources.local.dicomdir import files_not_there, is_dicomdir, referenced
from tcia_xnat.sources.local.junk import JUNK, is_junk
from tcia_xnat.sources.local.model import LOOSE, Image, Passed, Weight, is_zip

_KIND = 0x00020002  # MediaStorageSOPClassUID
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
_PERSON = (0x00100010, 0x00100030, 0x00100040)  # PatientName, PatientBirthDate, PatientSex
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_NAMED_AS_DICOM = {".dcm", ".dicom", ".dic", ".ima"}
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what XNAT can read (xnat-http.md §5.7)
_ZIPPED = b"PK\x03\x04"
_POINTERS = (b"/annex/objects/", b"version https://git-lfs.github.com/")

INDEX = "a DICOMDIR, an index of other files"
EMPTY, OTHER = "is empty", "is no DICOM file"
NOT_IMAGES = (EMPTY, OTHER)
"""Reasons that become a loss where a file stands in the place of an image."""
NO_IMAGES = "a zip without images"
_POINTER = "is a pointer of git-annex or Git LFS: fetch the file itself"
_NESTED = "is an archive in an archive: unpack it first"


def read_file(path: Path, size: int) -> Iterator[Image | Passed]:
    """Yield what a file of `size` bytes holds: one thing, or everything in an archive.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if is_zip(path.name):
        yield from _zip(path)
    else:
        with path.open("rb") as file:
            yield from _loose(file, path.name, size)


def _loose(raw: BinaryIO, name: str, size: int) -> Iterator[Image | Passed]:
    head = raw.read(packed.HEAD)
    raw.seek(0)
    try:
        with parsing(ValueError):
            if packed.is_gzip(head):
                yield from _stream(packed.unpacked(raw, size), PurePosixPath(name).stem, None)
            else:
                yield from _stream(raw, name, size)
    except ValueError as error:
        yield Passed(f"is damaged: {error}", Weight.SUSPECT)


def _stream(file: BinaryIO, name: str, size: int | None) -> Iterator[Image | Passed]:
    """Yield what is in a file, or in what gzip packed, whose size is only known when all of it was read."""
    head = file.read(packed.HEAD)
    file.seek(0)
    if packed.is_tar(head):
        for info in packed.members(file):
            yield _tar_member(file, info)
        return
    thing = _read(file, name, size or 0, LOOSE, "")
    if size is None and isinstance(thing, Image):
        thing = replace(thing, size=packed.size_of(file))
    yield thing


def _tar_member(file: BinaryIO, info: TarInfo) -> Image | Passed:
    name, place = info.name, info.offset_data
    if is_junk(name, info.size):
        return Passed(JUNK, Weight.LEFT_OUT, place, name)
    if not info.isreg() or info.issparse():
        return Passed("is no plain file: unpack the tar first", Weight.LOST, place, name)
    return _guarded(name, place, lambda: _read(packed.member_of(file, place, info.size), name, info.size, place, name))


def _guarded(name: str, place: int, read: Callable[[], Image | Passed]) -> Image | Passed:
    try:
        with parsing(ValueError):
            return read()
    except ValueError as error:
        return Passed(f"is damaged: {error}", Weight.SUSPECT, place, name)


def _zip(path: Path) -> Iterator[Image | Passed]:
    try:
        with parsing(ValueError), zipfile.ZipFile(path) as archive:
            holds_images = False
            infos = files_of(archive)
            for info in infos:
                thing = _member(archive, info)
                holds_images |= isinstance(thing, Image) or thing.weight is not Weight.LEFT_OUT
                yield thing
                if isinstance(thing, Passed) and thing.reason == INDEX:
                    yield from _gaps(archive, info, [_slashed(other.filename) for other in infos])
            if not holds_images:
                yield Passed(NO_IMAGES)
    except ValueError as error:
        yield Passed(f"is no whole zip: {error}", Weight.LOST)


def _gaps(archive: zipfile.ZipFile, index: zipfile.ZipInfo, names: list[str]) -> Iterator[Passed]:
    """Yield what a DICOMDIR in a zip names and is not there."""
    with archive.open(index) as file:
        listed = referenced(cast("BinaryIO", file))
    folder = _slashed(index.filename).rpartition("/")[0]
    for number, name in enumerate(files_not_there(listed, folder, names)):
        yield Passed("is named by the DICOMDIR and is not there", Weight.LOST, LOOSE - 1 - number, name)


def _slashed(name: str) -> str:
    """Return the name of a member as a path; some tools write the backslashes of Windows."""
    return name.replace("\\", "/")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Image | Passed:
    name, place = _slashed(info.filename), info.header_offset
    if is_junk(name, info.file_size):
        return Passed(JUNK, Weight.LEFT_OUT, place, name)
    if is_zip(name):
        return Passed(_NESTED, Weight.LOST, place, name)
    if info.flag_bits & 1:
        return Passed("is encrypted", Weight.LOST, place, name)
    if info.compress_type not in _METHODS:
        return Passed("is compressed in a way that XNAT cannot read", Weight.LOST, place, name)

    def read() -> Image | Passed:
        with archive.open(info) as file:
            return _read(cast("BinaryIO", file), name, info.file_size, place, name)

    return _guarded(name, place, read)


def _read(file: BinaryIO, name: str, size: int, place: int, member: str) -> Image | Passed:
    head = file.read(packed.HEAD)
    file.seek(0)
    if head[MARK] == b"DICM":
        return _dicom(file, size, place, member)
    if is_bare(head) and isinstance(thing := _dicom(file, size, place, member), Image):
        return thing  # what is no DICOM may begin with the same bytes
    return _no_dicom(file, head, name, place, member)


def _no_dicom(file: BinaryIO, head: bytes, name: str, place: int, member: str) -> Passed:
    if kind := packed.other_archive(head, name):
        return Passed(
            f"is packed as {kind}, which this tool does not open: unpack it first", Weight.LOST, place, member
        )
    if head.startswith(_POINTERS):
        return Passed(_POINTER, Weight.LOST, place, member)
    if member and (packed.is_gzip(head) or packed.is_tar(head)):
        return Passed(_NESTED, Weight.LOST, place, member)
    if head.startswith(_ZIPPED) and (said := _hidden_zip(file)):
        return Passed(said, Weight.LOST, place, member)
    is_lost = PurePosixPath(name).suffix.lower() in _NAMED_AS_DICOM
    return Passed(OTHER if head else EMPTY, Weight.LOST if is_lost else Weight.LEFT_OUT, place, member)


def _hidden_zip(file: BinaryIO) -> str:
    """Say that a file that is not named as a zip is one of DICOM, or half of one; documents are zips, too."""
    try:
        with parsing(ValueError), zipfile.ZipFile(file) as archive:
            if any(_is_dicom(archive, info) for info in files_of(archive)):
                return "is a zip of DICOM files that is not named so: rename it to .zip"
    except ValueError:
        return "is a part of a zip"
    return ""


def _is_dicom(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    if info.flag_bits & 1 or info.compress_type not in _METHODS:
        return False
    with archive.open(info) as file:
        return file.read(MARK.stop)[MARK] == b"DICM"


def _dicom(file: BinaryIO, size: int, place: int, member: str) -> Image | Passed:
    is_cut = True

    def is_behind(tag: BaseTag, _representation: str | None, _length: int) -> bool:
        nonlocal is_cut
        is_cut = int(tag) <= _SERIES_NUMBER
        return not is_cut

    try:
        with parsing(ValueError):
            dataset = read_tags(file, [*_TAGS, *_PERSON], is_behind)
            said = {keyword: decoded_text(dataset, tag) for keyword, tag in zip(_KEYWORDS, _TAGS, strict=True)}
            who = person(*(_readable(dataset, tag) for tag in _PERSON))
            kind = text_of(dataset.file_meta, _KIND)
    except ValueError as error:
        return Passed(f"is damaged: {error}", Weight.SUSPECT, place, member)
    if is_dicomdir(kind):
        return Passed(INDEX, Weight.LEFT_OUT, place, member)
    if lacking := next((keyword for keyword in _UIDS if not is_uid(said[keyword])), ""):
        what = f"has {said[lacking]!r} as {lacking}" if said[lacking] else f"has no {lacking}"
        weight = Weight.SUSPECT if is_cut else Weight.LOST
        return Passed("is cut off before its identifiers" if is_cut else what, weight, place, member)
    return _image(said, who, size, place, member)


def _readable(dataset: Dataset, tag: int) -> str:
    """Return a value that is only compared: one that cannot be read is not known."""
    try:
        return decoded_text(dataset, tag)
    except ValueError:
        return ""


def _image(said: Mapping[str, str], who: Person, size: int, place: int, member: str) -> Image:
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
        person="|".join(astuple(who)),
        size=size,
        place=place,
        member=member,
    )


def _iso_date(date: str) -> str:
    is_date = len(date) == 8 and date.isdigit()  # noqa: PLR2004  YYYYMMDD (PS3.5 §6.2)
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if is_date else date
