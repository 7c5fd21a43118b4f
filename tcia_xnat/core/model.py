"""The values that travel from step to step: frozen, and without behaviour of their own."""

from dataclasses import dataclass
from enum import StrEnum


class SourceName(StrEnum):
    """Where the images of a series come from."""

    IDC = "idc"
    NBIA = "nbia"
    LOCAL = "local"

    @property
    def told(self) -> str:
        """What people call it."""
        return "disk" if self is SourceName.LOCAL else self.value.upper()


class State(StrEnum):
    """How one series of the manifest ended."""

    ARCHIVED = "archived"  # in the archive, put there by this run
    STORED = "stored"  # on disk, put there by this run
    PRESENT = "present"  # was there already
    HELD = "held"  # proved and in the prearchive, waiting for the rest of its study
    FAILED = "failed"  # may work next time
    UNAVAILABLE = "unavailable"  # neither source offers it
    NOT_STARTED = "not_started"  # the run ended before this series was done; nothing is wrong with it
    FILTERED = "filtered"  # left out on request, because of its licence

    @property
    def told(self) -> str:
        """What people call it, everywhere."""
        return _TOLD[self]

    @property
    def is_in(self) -> bool:
        """Whether the series is where it was to go: in XNAT's archive, or on disk."""
        return self.is_new or self is State.PRESENT

    @property
    def is_new(self) -> bool:
        """Whether this run put it there."""
        return self in {State.ARCHIVED, State.STORED}

    @property
    def is_missing(self) -> bool:
        """Whether the series should be there and is not."""
        return self in {State.HELD, State.FAILED, State.UNAVAILABLE, State.NOT_STARTED}


_TOLD = {
    State.ARCHIVED: "archived",
    State.STORED: "stored",
    State.PRESENT: "there already",
    State.HELD: "waiting in the prearchive",
    State.FAILED: "failed",
    State.UNAVAILABLE: "not offered",
    State.NOT_STARTED: "not started",
    State.FILTERED: "left out by licence",
}


@dataclass(frozen=True, slots=True)
class Label:
    """Under which names a study goes to XNAT."""

    subject: str
    session: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom images are of, beside PatientID, in a form that can be compared; what is not known is empty.

    `name` is a digest, `birth_date` has digits only, and `sex` is M or F.
    """

    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """What the catalogue knows of one series before it moves.

    `study_date` is ISO (YYYY-MM-DD) or empty; `byte_count` counts the DICOM files, not a zip of them.
    `aws_bucket` and `crdc_series_uuid` are empty for a series that only NBIA offers. `folder` has the names that the
    folders of a series on disk ask for, where folders name subject and session. `people` are all of whom its images
    are, as far as that is known.
    """

    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    collection_id: str = ""
    modality: str = ""
    series_number: str = ""
    series_description: str = ""
    study_date: str = ""
    study_description: str = ""
    image_count: int = 0
    byte_count: int = 0
    licence: str = ""
    source_doi: str = ""
    aws_bucket: str = ""
    crdc_series_uuid: str = ""
    people: frozenset[Person] = frozenset()
    folder: Label | None = None

    @property
    def patient(self) -> str:
        """What makes a subject: the folder's name for it, else PatientID."""
        return self.folder.subject if self.folder else self.patient_id

    @property
    def is_in_idc(self) -> bool:
        """Whether the catalogue knows where IDC keeps the series."""
        return bool(self.crdc_series_uuid)


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the index says of a whole study, whichever of its series are asked for.

    `study_date` is the earliest of its series, ISO or empty; `patients` has all PatientIDs.
    """

    study_date: str = ""
    modalities: frozenset[str] = frozenset()
    patients: frozenset[str] = frozenset()

    def and_also(self, other: "StudyFacts") -> "StudyFacts":
        """Return these facts and those of other series of the study."""
        dates = {self.study_date, other.study_date} - {""}
        return StudyFacts(min(dates, default=""), self.modalities | other.modalities, self.patients | other.patients)


@dataclass(frozen=True, slots=True)
class Member:
    """One DICOM file of a series, as a range of bytes of the lane's spool file.

    `method` is the zip method of the bytes in the spool: 0 stored, 8 deflated. `crc32` and `size` are of the
    DICOM file itself.
    """

    sop_instance_uid: str
    offset: int
    compressed_size: int
    size: int
    crc32: int
    method: int


@dataclass(frozen=True, slots=True)
class SeriesPackage:
    """A fetched and proved series, or one part of a very large one.

    `notes` are things worth reporting that do not make the series wrong, such as a size that differs from the
    index although all hashes are right. `licence_text` is the LICENSE that came with it, if one did.
    """

    series: Series
    source: SourceName
    members: tuple[Member, ...]
    notes: tuple[str, ...] = ()
    licence_text: str = ""

    @property
    def byte_count(self) -> int:
        """Sum of the DICOM files in bytes."""
        return sum(member.size for member in self.members)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one series of the manifest ended, and why.

    `kind` is the class name of the error, empty when there was none; `seconds` is the time the lane spent on it.
    """

    series_instance_uid: str
    state: State
    label: Label | None = None
    source: SourceName | None = None
    image_count: int = 0
    byte_count: int = 0
    seconds: float = 0.0
    reason: str = ""
    hint: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was passed over, and why; `file` is the manifest it stands in, with the sheet of a workbook."""

    line: int
    text: str
    reason: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class ListRead:
    """What one file, sheet or name turned out to ask for.

    Attributes
    ----------
    text
        All of it in words.
    file, sheet, column
        As in `Reading`; of a name on the command line, `file` is that name.
    kind
        What its entries are: series, studies, a collection, ….
    lines
        Lines or rows that have an entry.
    entries
        Different entries.
    series
        Series that these stand for.
    """

    text: str
    file: str
    kind: str
    series: int
    lines: int = 0
    entries: int = 1
    sheet: str = ""
    column: str = ""
