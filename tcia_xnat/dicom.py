"""What a DICOM file says it is: its four identifiers, read and never written."""

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tcia_xnat.errors import SeriesDamaged

UNPARSABLE = (InvalidDicomError, EOFError, ValueError, NotImplementedError, KeyError, struct.error, zlib.error)
"""What pydicom's parser meets in a broken file."""

_SERIES_INSTANCE_UID = 0x0020000E  # the last of the four in the order of tags (DICOM PS3.6)
_UNDEFINED = 0xFFFFFFFF  # length of a value that has an end mark (PS3.5 §7.1.1)
_SKIPPED = 1 << 12  # bytes above which a value is not read, when only its place is asked for


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs of one DICOM file, without padding; empty when the file does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


def read_identity(file: BinaryIO, name: str) -> Identity:
    """Read the identifiers from the head of a DICOM file; pixel data are not touched.

    Parameters
    ----------
    file
        Open at the beginning of the preamble.
    name
        For the message, when it is no DICOM file.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, or is cut off before the identifiers.
    """
    try:
        return _identity(read_partial(file, stop_when=_after_identifiers))
    except UNPARSABLE as error:
        raise SeriesDamaged(f"{name} is not readable as DICOM: {error}") from error


def read_whole(file: BinaryIO, size: int, name: str) -> Identity:
    """Read the identifiers of a DICOM file, and prove that its last value ends within its `size` bytes.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, or is cut off.
    """
    try:
        dataset = read_partial(file, defer_size=_SKIPPED)
        identity = _identity(dataset)
    except UNPARSABLE as error:
        raise SeriesDamaged(f"{name} is not readable as DICOM: {error}") from error
    if not identity.sop_instance_uid or _end(dataset) > size:
        raise SeriesDamaged(f"{name} is cut off")
    return identity


def _identity(dataset: Dataset) -> Identity:
    return Identity(
        sop_class_uid=str(dataset.get("SOPClassUID", "")),
        sop_instance_uid=str(dataset.get("SOPInstanceUID", "")),
        study_instance_uid=str(dataset.get("StudyInstanceUID", "")),
        series_instance_uid=str(dataset.get("SeriesInstanceUID", "")),
    )


def _end(dataset: Dataset) -> int:
    """Return where the last value ends, 0 when that is proved: without its end mark a value is not read."""
    last: object = dataset.get_item(list(dataset.keys())[-1], keep_deferred=True)
    if not isinstance(last, RawDataElement) or last.length == _UNDEFINED:
        return 0
    if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return 0  # places are those in the inflated data, which zlib has proved
    return last.value_tell + last.length


def _after_identifiers(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) > _SERIES_INSTANCE_UID
