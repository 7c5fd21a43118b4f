"""What XNAT, or a disk, holds of the studies that were asked for: what a plan starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tcia_xnat.core.model import Label
from tcia_xnat.planning.completeness import Holding


@dataclass(frozen=True, slots=True)
class Imported:
    """One proved series that XNAT took.

    Attributes
    ----------
    prearchive
        The URL of its session, from /prearchive on.
    images
        SOPInstanceUIDs of the images that were sent, packed; empty when they are not known.
    kept
        How many of its images XNAT keeps, when it left out the same number twice; None when it keeps all.
    """

    series_instance_uid: str
    study_instance_uid: str
    prearchive: str
    source: str
    image_count: int
    byte_count: int
    images: bytes = b""
    kept: int | None = None


class Existing(StrEnum):
    """What to do with a series that the archive holds already."""

    SKIP = "skip"  # leave it; a series with too few images is sent again
    APPEND = "append"  # send it again, over what is there
    ERROR = "error"  # refuse to run


@dataclass(frozen=True, slots=True)
class Held:
    """What XNAT holds of the studies asked for.

    Attributes
    ----------
    labels
        StudyInstanceUID → the labels under which XNAT has it, those of the archive first.
    archived_as
        SeriesInstanceUID → the label of the session in the archive that has most of its images.
    holdings
        SeriesInstanceUID → what the archive has of it.
    changed
        SeriesInstanceUID → what is worth reporting, for series that the archive has under another UID.
    changed_studies
        StudyInstanceUIDs that the archive has under another UID.
    left_out
        SeriesInstanceUID → how many of its images XNAT has left out, twice in the same way; also of series of which it
        holds nothing.
    unclear
        StudyInstanceUID → label of a session that may be this study under another UID, and nobody knows.
    imported
        By SeriesInstanceUID what the ledger remembers of series that an earlier run proved and sent, and that still
        wait in the prearchive.
    prearchive
        StudyInstanceUID → URLs of its sessions in the prearchive that runs of this tool have left there.
    left
        URLs of sessions in the prearchive that runs which are over have left, as the ledger tells.
    shared
        StudyInstanceUID → project to which its session belongs, and label, for sessions that are shared into this one.
    sessions, subjects
        All labels that are taken in the project.
    patients
        Label → PatientID of which the provenance of that session says that it is there; those without are left out.
    types
        Label → xsiType of sessions of the archive.
    subject_patients, unclear_subjects
        Subject label → PatientIDs in the provenance of its sessions, and subjects with sessions that have none: of
        those that may get something new.
    foreign
        StudyInstanceUID → URL of a session of it in the prearchive that this tool has not made.
    """

    labels: Mapping[str, Sequence[Label]] = field(default_factory=dict)
    archived_as: Mapping[str, Label] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    changed_studies: frozenset[str] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)
    unclear: Mapping[str, Label] = field(default_factory=dict)
    imported: Mapping[str, Imported] = field(default_factory=dict)
    prearchive: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    shared: Mapping[str, tuple[str, Label]] = field(default_factory=dict)
    sessions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    patients: Mapping[Label, str] = field(default_factory=dict)
    types: Mapping[Label, str] = field(default_factory=dict)
    subject_patients: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unclear_subjects: frozenset[str] = frozenset()
    foreign: Mapping[str, str] = field(default_factory=dict)
