"""What a DICOM file says it is: its four identifiers, read and never written."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from tcia_xnat.errors import SeriesDamaged

_SERIES_INSTANCE_UID = 0x0020000E  # the last of the four in the order of tags (DICOM PS3.6)


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
        dataset = read_partial(file, stop_when=_after_identifiers)
        return Identity(
            sop_class_uid=str(dataset.get("SOPClassUID", "")),
            sop_instance_uid=str(dataset.get("SOPInstanceUID", "")),
            study_instance_uid=str(dataset.get("StudyInstanceUID", "")),
            series_instance_uid=str(dataset.get("SeriesInstanceUID", "")),
        )
    except (InvalidDicomError, EOFError, ValueError, NotImplementedError, KeyError, struct.error) as error:
        # pydicom names a broken header with whatever its parser met first
        raise SeriesDamaged(f"{name} is not readable as DICOM: {error}") from error


def _after_identifiers(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) > _SERIES_INSTANCE_UID
