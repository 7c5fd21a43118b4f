"""Headers of DICOM objects: read, named, anonymised. Pixel data pass through as they are."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from sandbox.xnat.dicom_stream import NotDicom, read_head
from sandbox.xnat.dicomedit import Script
from sandbox.xnat.dicomedit.elements import text_of

_LAST_TAG = 0x00324000  # StudyComments, the last that routing looks at (xnat-http.md §6.1)
_STUDY_DESCRIPTION, _PATIENT_NAME, _PATIENT_ID = 0x00081030, 0x00100010, 0x00100020
_COMMENTS = (0x00104000, 0x00324000, 0x001021B0)
_NUMBER_IN_PATH = re.compile(r"[\w.-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f]")
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Header:
    """What the server wants to know of an object; texts are empty when the object does not tell."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    series_number: str
    instance_number: str
    modality: str
    series_description: str
    study_description: str
    study_date: str
    study_time: str
    accession_number: str
    patient_id: str
    patient_name: str
    number_of_frames: str
    comments: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str]:
        """SOP class and instance: two objects that agree in them are the same."""
        return self.sop_class_uid, self.sop_instance_uid

    @property
    def series_folder(self) -> str:
        """Folder of the series under SCANS (xnat-http.md §5.9)."""
        if _NUMBER_IN_PATH.fullmatch(self.series_number):
            return self.series_number
        return re.sub(r"[^\w-]", "_", self.series_instance_uid)

    def name_from(self, template: str) -> str:
        """Return the file name that a site's template gives: `${Tag}`, `${HashTagWithTag}` and plain text (§5.9)."""
        name = re.sub(r"\$\{(\w+)\}", lambda found: self._named(found[1]), template)
        return re.sub(r"[^\w.-]", "_", name) + ("" if template.endswith(".dcm") else ".dcm")

    def _named(self, keyword: str) -> str:
        if keyword.startswith("Hash"):
            parts = keyword.removeprefix("Hash").split("With")
            return _java_hash("".join(getattr(self, _FIELDS.get(part, ""), "") for part in parts))
        return getattr(self, _FIELDS.get(keyword, ""), "") or f"no-value-for-{keyword}"


_FIELDS = {
    "SOPClassUID": "sop_class_uid",
    "SOPInstanceUID": "sop_instance_uid",
    "StudyInstanceUID": "study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
    "SeriesNumber": "series_number",
    "InstanceNumber": "instance_number",
    "Modality": "modality",
    "StudyDate": "study_date",
    "AccessionNumber": "accession_number",
}
"""Fields of a header by the keyword of their tag."""


class DicomHead:
    """The beginning of an object: everything up to the tags that the server reads.

    Parameters
    ----------
    file
        Seekable at least as far as its header goes.
    last_tag
        Where it may end; it goes at least as far as routing looks.

    Attributes
    ----------
    header
        What was read, or what a script has made of it.
    length
        Bytes of the file that `encoded` stands for; what follows is copied.

    Raises
    ------
    NotDicom
    """

    def __init__(self, file: BinaryIO, last_tag: int = _LAST_TAG) -> None:
        last = max(last_tag, _LAST_TAG)
        try:
            self._dataset = read_head(file, lambda tag, _representation, _length: int(tag) > last)
        except (InvalidDicomError, EOFError, ValueError, NotImplementedError, KeyError, struct.error) as error:
            # pydicom names a broken header with whatever its parser met first
            raise NotDicom(str(error)) from error
        self.length = file.tell()
        self.header = _header(self._dataset)

    @property
    def is_deflated(self) -> bool:
        """Whether the data set is compressed as a whole, so that no header can be cut off it."""
        return bool(self._dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)

    def accepted_by(self, script: Script, variables: Mapping[str, str]) -> bool:
        """Change the head as a script says; whether the object is kept.

        Raises
        ------
        ScriptError
        """
        is_kept = script.accepts(self._dataset, variables)
        self.header = _header(self._dataset)
        return is_kept

    def encoded(self) -> bytes:
        """Return the head as it is now, with meta information that tells how it is encoded."""
        implicit, little = self._dataset.original_encoding
        self._complete_meta(is_implicit=bool(implicit))
        file = DicomBytesIO()
        file.write(self._dataset.preamble or bytes(128))
        file.write(b"DICM")
        write_file_meta_info(file, self._dataset.file_meta, enforce_standard=False)
        file.is_implicit_VR, file.is_little_endian = bool(implicit), bool(little)
        write_dataset(file, self._dataset)
        return file.getvalue()

    def _complete_meta(self, *, is_implicit: bool) -> None:
        meta = self._dataset.file_meta
        if self.header.sop_instance_uid:
            meta.MediaStorageSOPInstanceUID = UID(self.header.sop_instance_uid)
        if "MediaStorageSOPClassUID" not in meta and self.header.sop_class_uid:
            meta.MediaStorageSOPClassUID = UID(self.header.sop_class_uid)
        syntax = meta.get("TransferSyntaxUID")
        if syntax is None or (is_implicit and not syntax.is_implicit_VR):
            meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian


def read_header(path: Path) -> Header:
    """Read the header of a file.

    Raises
    ------
    NotDicom
    """
    with path.open("rb") as file:
        return DicomHead(file).header


def _header(dataset: FileDataset) -> Header:
    def text(tag: int) -> str:
        value = dataset.get_item(tag)
        raw = getattr(value, "value", None) or b""
        return _CONTROL.sub(" ", text_of(raw)).strip()

    return Header(
        sop_class_uid=text(0x00080016),
        sop_instance_uid=text(0x00080018),
        study_instance_uid=text(0x0020000D),
        series_instance_uid=text(0x0020000E),
        series_number=text(0x00200011),
        instance_number=text(0x00200013),
        modality=text(0x00080060),
        series_description=text(0x0008103E),
        study_description=text(_STUDY_DESCRIPTION),
        study_date=text(0x00080020),
        study_time=text(0x00080030),
        accession_number=text(0x00080050),
        patient_id=text(_PATIENT_ID),
        patient_name=text(_PATIENT_NAME),
        number_of_frames=text(0x00280008),
        comments=tuple(text(tag) for tag in _COMMENTS),
    )


def _java_hash(text: str) -> str:
    """Return String.hashCode of Java, unsigned, in base 36."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _BASE_36[digit] + digits
    return digits or "0"
