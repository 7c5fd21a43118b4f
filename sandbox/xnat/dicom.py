"""Headers of DICOM objects: read, named, anonymised. Pixel data pass through as they are."""

import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_partial
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from sandbox.xnat.anonymize import Script
from sandbox.xnat.elements import text_of

_LAST_TAG = 0x00324000  # StudyComments, the last that routing looks at (xnat-http.md §6.1)
_STUDY_DESCRIPTION, _PATIENT_NAME, _PATIENT_ID = 0x00081030, 0x00100010, 0x00100020
_COMMENTS = (0x00104000, 0x00324000, 0x001021B0)
_NUMBER_IN_PATH = re.compile(r"[\w.-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f]")
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class NotDicom(Exception):
    """The bytes do not begin with a DICOM header that can be read."""


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

    @property
    def template_name(self) -> str:
        """File name from the site's template `${StudyInstanceUID}-…-${Hash…}` (§5.9)."""
        parts = (
            self.study_instance_uid or "no-value-for-StudyInstanceUID",
            self.series_number or "no-value-for-SeriesNumber",
            self.instance_number or "no-value-for-InstanceNumber",
            _java_hash(self.sop_class_uid + self.sop_instance_uid),
        )
        return re.sub(r"[^\w.-]", "_", "-".join(parts)) + ".dcm"


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
            self._dataset = read_partial(file, stop_when=lambda tag, _representation, _length: int(tag) > last)
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
        self._dataset.file_meta.MediaStorageSOPInstanceUID = UID(self.header.sop_instance_uid)
        return is_kept

    def encoded(self) -> bytes:
        """Return the head as it is now."""
        implicit, little = self._dataset.original_encoding
        file = DicomBytesIO()
        file.write(self._dataset.preamble or bytes(128))
        file.write(b"DICM")
        write_file_meta_info(file, self._dataset.file_meta, enforce_standard=False)
        file.is_implicit_VR, file.is_little_endian = bool(implicit), bool(little)
        write_dataset(file, self._dataset)
        return file.getvalue()


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


class GrowingHead(io.RawIOBase):
    """A stream that can be rewound: what was read from it is kept, so that a header can be parsed and then copied.

    Parameters
    ----------
    source
        What is read, in pieces of `piece` bytes.
    """

    def __init__(self, source: BinaryIO, piece: int = 1 << 16) -> None:
        self._source, self._piece = source, piece
        self._kept = bytearray()
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes from the position on."""
        end = self._position + size if size >= 0 else None
        while end is None or len(self._kept) < end:
            piece = self._source.read(self._piece)
            if not piece:
                break
            self._kept += piece
        found = bytes(self._kept[self._position : end])
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position among the bytes kept, or further on."""
        if whence == io.SEEK_END:
            self.read()
        base = (0, self._position, len(self._kept))[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def kept_from(self, position: int) -> bytes:
        """Return what was read and lies at `position` or after it."""
        return bytes(self._kept[position:])
