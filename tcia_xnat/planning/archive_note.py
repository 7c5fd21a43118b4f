"""The note that a session has from the moment it is archived: whose it is, and which series came with it.

XNAT sets the note in the same step in which it archives (xnat-http.md §8.1). Provenance is written afterwards. When a
run is killed in between, and a script has changed the UIDs, the note alone tells which study the session is.
Everybody who may write to a session may change its note: what cannot be read as such a note tells nothing.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace

_MAX_TEXT = 4_000  # it travels in an address; Tomcat takes 8 KB of address and headers together
_MARK_BYTES, _IMAGES_BYTES = 9, 6
_NOTE = re.compile(
    r"xnat-tcia-download archived study ([0-9.]{1,64}) of patient (.{0,64}), as published\. Series: ([\w~ -]*)"
)


@dataclass(frozen=True, slots=True)
class SeriesMark:
    """A series as it was sent, in a few letters.

    Attributes
    ----------
    series
        Of its SeriesInstanceUID, number of images and version.
    images
        Of its SOPInstanceUIDs; empty when they are not known.
    """

    series: str
    images: str = ""

    def is_of(self, other: "SeriesMark") -> bool:
        """Whether both are of one series; images are compared where both know them."""
        return self.series == other.series and (not self.images or not other.images or self.images == other.images)


def mark(
    series_instance_uid: str, image_count: int, version: str = "", images: Iterable[str] | None = None
) -> SeriesMark:
    """Return the mark of a series.

    Parameters
    ----------
    version
        crdc_series_uuid of what was sent; empty where its source has none.
    images
        Its SOPInstanceUIDs; None when they are not known.
    """
    of_images = _digest(" ".join(sorted(images)), _IMAGES_BYTES) if images is not None else ""
    return SeriesMark(_digest(f"{series_instance_uid} {image_count} {version}", _MARK_BYTES), of_images)


def _digest(text: str, size: int) -> str:
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:size]).decode()


@dataclass(frozen=True, slots=True)
class ArchiveNote:
    """What a note tells; PatientID and StudyInstanceUID are those that were published."""

    patient_id: str
    study_instance_uid: str
    marks: frozenset[SeriesMark] = frozenset()

    def and_also(self, before: "ArchiveNote | None") -> "ArchiveNote":
        """Return this note with the series of an earlier one of the same study."""
        if before is None or before.study_instance_uid != self.study_instance_uid:
            return self
        return replace(self, patient_id=before.patient_id, marks=self.marks | before.marks)

    def has(self, series: SeriesMark) -> bool:
        """Whether a series came with the session."""
        return any(series.is_of(one) for one in self.marks)

    @property
    def text(self) -> str:
        """The note as XNAT keeps it; empty when it cannot be written as a short line."""
        marks = " ".join(sorted(f"{one.series}~{one.images}" for one in self.marks))
        text = (
            f"xnat-tcia-download archived study {self.study_instance_uid} of patient {self.patient_id}, as published."
            f" Series: {marks}"
        )
        return text if len(text) <= _MAX_TEXT and read_note(text) == self else ""


def read_note(text: str) -> ArchiveNote | None:
    """Return what a note tells; None when it is the note of somebody else, or empty."""
    found = _NOTE.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if found is None:
        return None
    study, patient, marks = found.groups()
    return ArchiveNote(patient, study, frozenset(SeriesMark(*one.split("~", 1)) for one in marks.split()))
