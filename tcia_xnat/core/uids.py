"""UIDs of DICOM: text from outside becomes one here, or is refused; file and member names are made of nothing else."""

import re
from typing import NewType, TypeGuard

from tcia_xnat.core.errors import SeriesDamaged

DicomUid = NewType("DicomUid", str)
"""Text that `is_uid` has seen: digits and single dots, at most 64 characters, so harmless in a path, URL or message."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)  # archives hold components with leading zeros
_UID_LENGTH = 64  # DICOM PS3.5 §9.1
_SHOWN = 80  # characters of what is no UID


def is_uid(text: object) -> TypeGuard[DicomUid]:
    """Whether something is a UID: numbers with dots, at most 64 characters (DICOM PS3.5 §9.1)."""
    return isinstance(text, str) and len(text) <= _UID_LENGTH and _UID.fullmatch(text) is not None


def checked_uid(text: object, what: str, where: str) -> DicomUid:
    """Return a UID from outside.

    Parameters
    ----------
    what
        Its DICOM keyword, for the message.
    where
        The file that has it, for the message.

    Raises
    ------
    SeriesDamaged
        It is missing, or no UID.
    """
    if is_uid(text):
        return text
    if text is None or text == "":
        raise SeriesDamaged(f"{where} has no {what}")
    raise SeriesDamaged(f"{where} has {repr(text)[:_SHOWN]} as {what}, which is not a DICOM UID")


def image_name(sop_instance_uid: str) -> str:
    """Return the name of an image as a file or zip member.

    Raises
    ------
    SeriesDamaged
        The UID is none: a path made of it could lead anywhere.
    """
    return f"{checked_uid(sop_instance_uid, 'SOPInstanceUID', 'an image')}.dcm"
