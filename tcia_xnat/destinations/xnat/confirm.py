"""Reading back from the archive that series are there with all of their images (xnat-http.md §16.16)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.planning.completeness import Holding, Judgement, State, Wanted, judge, shortages
from tcia_xnat.planning.pairing import Scan, SentSeries, pair
from tcia_xnat.xnat.project import XnatProject

CHANGED = "XNAT's anonymisation changed the UIDs; its scan is {}"


@dataclass(frozen=True, slots=True)
class ArchivedScan:
    """What the archive has of a series."""

    scan_id: str
    series_instance_uid: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of the session steps.

    Attributes
    ----------
    uri, experiment_id
        Where the archive has the session, and its ID there; empty when it is not archived.
    short
        SeriesInstanceUID → how much of it XNAT holds, for series that are not there as they were sent.
    scans
        SeriesInstanceUID as it was sent → what the archive has of it.
    notes
        Worth reporting of every series of the session.
    """

    uri: str = ""
    short: Mapping[str, Judgement] = field(default_factory=dict)
    experiment_id: str = ""
    scans: Mapping[str, ArchivedScan] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the archive has everything."""
        return bool(self.uri) and not self.short

    @property
    def is_changed(self) -> bool:
        """Whether series are in the archive under other UIDs than were sent."""
        return any(uid != scan.series_instance_uid for uid, scan in self.scans.items())

    def notes_of(self, series_instance_uid: str) -> tuple[str, ...]:
        """Return what is worth reporting of one series."""
        scan = self.scans.get(series_instance_uid)
        is_changed = scan is not None and scan.series_instance_uid != series_instance_uid
        return (CHANGED.format(scan.scan_id), *self.notes) if scan and is_changed else self.notes


def confirm(
    project: XnatProject,
    label: Label,
    wanted: Mapping[str, Wanted],
    numbers: Mapping[str, SentSeries] | None = None,
    before: Collection[str] = (),
) -> Finished:
    """Compare what the archive holds under a label with what was sent.

    Parameters
    ----------
    numbers
        What series are recognized by when XNAT has changed their UIDs on the way; None when only UIDs count.
    before
        UIDs of scans that the session had before: none of them is a series that was sent under another UID.
    """
    uri = project.experiment_uri(label)
    experiment_id = project.experiment_id(uri)
    if not experiment_id:
        return Finished(short=shortages(wanted, {}))
    scans = project.scans(experiment_id)
    candidates = {uid: scan for uid, scan in scans.items() if uid in wanted}
    if not candidates and numbers:
        candidates = {uid: scan for uid, scan in scans.items() if uid not in before}
    counts = count_images(project, experiment_id, set(candidates.values()))
    known = {uid: Scan(scan, counts[scan]) for uid, scan in candidates.items()}
    pairs = pair(numbers, known) if numbers else {uid: uid for uid in known}
    found = {sent: ArchivedScan(known[uid].scan_id, uid, known[uid].count) for sent, uid in pairs.items()}
    held = {
        uid: _held(project, experiment_id, uid, scan, wanted[uid], may_change=bool(numbers))
        for uid, scan in found.items()
    }
    return Finished(uri, shortages(wanted, held), experiment_id, found)


def _held(  # noqa: PLR0913  one scan, and what is known of it
    project: XnatProject, experiment_id: str, uid: str, scan: ArchivedScan, wanted: Wanted, *, may_change: bool
) -> Holding:
    """Return what a scan holds; its catalog is only read where sets can decide and the count does not say no.

    Where scripts may change UIDs, a catalog without any of the SOPInstanceUIDs that were sent has changed ones.
    """
    counted = Holding(scan.count)
    if wanted.images is None or scan.series_instance_uid != uid or judge(wanted, counted).state is not State.COMPLETE:
        return counted
    images = ask(project, lambda: project.sop_instance_uids(experiment_id, scan.scan_id))
    if images is None or (may_change and wanted.images.isdisjoint(images)):
        return counted
    return Holding(scan.count, frozenset(images))
