"""What a run has sent into a session, for the steps that follow: building, comparing, archiving, confirming."""

from dataclasses import dataclass

from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.planning.archive_note import SeriesMark, mark
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.planning.pairing import SentSeries


@dataclass(frozen=True, slots=True)
class Shipment:
    """One series that XNAT took.

    Attributes
    ----------
    number
        Its SeriesNumber, which XNAT makes the scan ID of.
    count, images
        Number of images that were sent, and their SOPInstanceUIDs; None when they are not known.
    sends
        How often it was sent.
    accepted
        How many of its images the user takes for enough, because XNAT leaves out the others; None when all are wanted.
    version
        crdc_series_uuid of what was sent; empty where its source has none.
    """

    number: str
    source: str
    count: int
    images: UidSet | None = None
    sends: int = 1
    accepted: int | None = None
    version: str = ""

    @property
    def wanted(self) -> Wanted:
        """What XNAT is to have of it."""
        if self.accepted is not None:
            return Wanted(self.accepted)
        return Wanted(self.count, self.images.unpacked() if self.images else None)

    def mark(self, series_instance_uid: str) -> SeriesMark:
        """Return what the note of its session says of it."""
        images = self.images.unpacked() if self.images else None
        return mark(series_instance_uid, self.count, self.version, images)

    @property
    def as_sent(self) -> SentSeries:
        """What it is recognized by when XNAT has changed its UID."""
        return SentSeries(self.number, self.count if self.accepted is None else self.accepted)
