"""What a list of series is, once it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tcia_xnat.core.model import ListRead, Rejected


class Level(StrEnum):
    """What the entries of a list name."""

    SERIES = "series"
    STUDY = "studies"
    FOLDER = "folders of IDC"
    PATIENT = "patients"
    UID = "UIDs"  # of series or of studies: the index tells


@dataclass(frozen=True, slots=True)
class Original:
    """A manifest as it was given."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """How one file, or one sheet of a workbook, was read.

    Attributes
    ----------
    file
        The file, with the name of the zip that it is in.
    level
        What its entries are.
    entries
        UIDs, folders or names, each once.
    lines
        Lines or rows that have an entry.
    column
        Heading of the column that was taken; empty for lists without headings.
    rows
        Lines of a list without headings that have several fields: the UIDs among them, and empty texts for others.
    sheet
        Title of the sheet, of a workbook.
    """

    file: str
    level: Level
    entries: tuple[str, ...]
    lines: int
    column: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    sheet: str = ""

    @property
    def name(self) -> str:
        """Name of the file, with the sheet of a workbook."""
        return f"{self.file}, sheet {self.sheet}" if self.sheet else self.file


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
    originals
        The file as given; of several manifests, each.
    crdc_series_uuids
        Folders of an s5cmd list, whose series the index knows.
    study_instance_uids
        Studies of a list that names no series; the index knows those, too.
    patient_ids
        Patients of a table whose column of patients was chosen.
    images
        Folder → how many of its images an s5cmd list names; folders that are named as a whole are not in it.
    addresses
        Where the manifests are that an XML wrapper points at.
    readings
        How each file and sheet was read.
    read
        What each turned out to ask for; empty until the index was asked.
    """

    name: str
    series_instance_uids: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    originals: tuple[Original, ...] = ()
    crdc_series_uuids: tuple[str, ...] = ()
    study_instance_uids: tuple[str, ...] = ()
    patient_ids: tuple[str, ...] = ()
    images: Mapping[str, int] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    read: tuple[ListRead, ...] = ()
