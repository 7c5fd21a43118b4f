"""What a list of series is, once it is read."""

import re
from dataclasses import dataclass

_UID = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_UID_LENGTH = 64  # DICOM PS3.5 §9.1


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was passed over, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A list of series.

    Attributes
    ----------
    name
        File name.
    series_instance_uids
        In the order of the list, each once.
    header
        Lines of a .tcia up to and with `ListOfSeriesToDownload=`; empty for other forms.
    rejected
        Harmless lines that were passed over.
    duplicates
        How many lines named a series that an earlier line had.
    original
        The file as given.
    crdc_series_uuids
        Folders of an s5cmd list, whose series the catalogue looks up.
    """

    name: str
    series_instance_uids: tuple[str, ...]
    header: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    original: bytes = b""
    crdc_series_uuids: tuple[str, ...] = ()


def is_uid(text: str) -> bool:
    """Whether a text is a UID: numbers with dots, at most 64 characters (DICOM PS3.5 §9.1)."""
    return len(text) <= _UID_LENGTH and _UID.fullmatch(text) is not None
