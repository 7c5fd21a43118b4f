"""What the files of a tree turn out to be: images, or things that are passed over, each for a reason."""

from dataclasses import dataclass
from enum import StrEnum

from tcia_xnat.core.model import Label, Person

LOOSE = -1  # the place of an image that is a file of its own; in a zip it is where its header starts


class Weight(StrEnum):
    """What it means that something is passed over."""

    LEFT_OUT = "left out"  # as asked, or it is no image
    LOST = "lost"  # an image that XNAT should have had
    SUSPECT = "suspect"  # it cannot be read, and may be an image of the series beside it


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that is not sent, and why; `member` is its name in a zip."""

    reason: str
    weight: Weight = Weight.LEFT_OUT
    place: int = LOOSE
    member: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """What one DICOM file says of itself; `study_date` is ISO where it is a date.

    `person` has the values of a `Person`, `|` between them.
    `size` is that of the DICOM file in bytes, `place` and `member` say where in a zip it lies.
    """

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    modality: str
    series_number: str
    series_description: str
    study_date: str
    study_description: str
    person: str
    size: int
    place: int = LOOSE
    member: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was when it was looked at; all but its path says whether it is still the same."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image of `size` bytes lies: a file, and in a zip its member."""

    file: File
    place: int
    member: str
    sop_instance_uid: str
    size: int
    patient_id: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The images of one series: where the first lies and what it says, how many there are, in what they differ.

    `copies` counts further places of the same instances, `studies` and `folders` the StudyInstanceUIDs and the session
    folders; `patients` has all PatientIDs, and `people` whom else the images name.
    """

    path: str
    folder: Label | None
    image_count: int
    byte_count: int
    copies: int
    studies: int
    folders: int
    patients: frozenset[str]
    people: frozenset[Person]
    first: Image


@dataclass(frozen=True, slots=True)
class Spot:
    """Images of one series in one folder."""

    folder: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Things in one folder or zip that are not sent for the same reason: how many, and the first of them."""

    holder: str
    reason: str
    weight: Weight
    count: int
    first: str


def is_zip(path: str) -> bool:
    """Whether a file is named as a zip; others that are zips inside, such as documents, hold no images."""
    return path.lower().endswith(".zip")


def shown(path: str) -> str:
    """Return a path for people: one line of printable characters, whatever bytes its name is made of."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
