"""What XNAT's archive has of a series: by the UID that was published, else by the provenance of its session."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.core.model import Label, Series
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.inventory import is_outdated
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.destinations.xnat.recognize import is_near
from tcia_xnat.planning.completeness import Holding, Wanted
from tcia_xnat.planning.provenance import Provenance, SeriesProvenance
from tcia_xnat.xnat.project import ArchivedSession, XnatProject


@dataclass(frozen=True, slots=True)
class Place:
    """A scan that is a series, and what the provenance of its session says of it.

    Attributes
    ----------
    uid
        SeriesInstanceUID in the archive.
    record
        None when the session has no provenance of this series that can be read.
    whose
        What the provenance of the session says of the study as a whole; None where it says nothing of this study.
    """

    session: ArchivedSession
    uid: str
    record: SeriesProvenance | None = None
    whose: Provenance | None = None

    @property
    def scan_id(self) -> str:
        """Its scan ID."""
        return self.session.scans[self.uid]


@dataclass(frozen=True, slots=True)
class Found:
    """What XNAT tells of a scan; `images` are the SOPInstanceUIDs of its catalogs, None where it does not tell them."""

    place: Place
    count: int | None
    images: tuple[str, ...] | None

    def wanted(self, series: Series, offered: frozenset[str] | None) -> Wanted:
        """Return what the scan should have: the images that are offered, else those that were sent."""
        record = self.place.record
        is_other = record is None or record.image_count != series.image_count or self.is_outdated(series)
        sent = None if record is None or is_other else record.images
        return Wanted(series.image_count, sent if offered is None else offered)

    def is_outdated(self, series: Series) -> bool:
        """Whether the series was revised since it was archived, as the provenance tells."""
        return self.place.record is not None and is_outdated(self.place.record, series)

    def is_changed(self, series: Series) -> bool:
        """Whether XNAT has changed the UIDs of the series, or of all of its images, as the provenance proves."""
        if self.place.uid != series.series_instance_uid:
            return True
        sent = (self.place.record.images if self.place.record else None) or frozenset[str]()
        return bool(sent) and bool(self.images) and sent.isdisjoint(self.images or ())

    def holding(self, series: Series) -> Holding:
        """Return what the scan holds; SOPInstanceUIDs that XNAT has changed say nothing of those that were sent."""
        known = None if self.images is None or self.is_changed(series) else frozenset(self.images)
        return Holding(self.count, known)


def look(project: XnatProject, place: Place) -> Found:
    """Ask XNAT for the files of a scan and for its catalogs; what it does not tell is unknown."""
    experiment_id, scan_id = place.session.experiment_id, place.scan_id
    images = ask(project, lambda: project.sop_instance_uids(experiment_id, scan_id))
    count = ask(project, lambda: project.file_count(experiment_id, scan_id))
    return Found(place, count, images)


def places(
    records: Records,
    series: Iterable[Series],
    sessions: Sequence[ArchivedSession],
    expected: Mapping[str, Label],
) -> dict[str, list[Place]]:
    """Return where the archive has each series, by SeriesInstanceUID as published.

    Parameters
    ----------
    expected
        StudyInstanceUID → the label that the study would have in an empty project: a session whose UIDs are changed
        is found by its label or subject, and proved by its provenance.
    """
    wanted = list(series)
    by_uid = {one.series_instance_uid: one for one in wanted}
    holders: dict[str, list[ArchivedSession]] = defaultdict(list)
    for session in sessions:
        for uid in session.scans.keys() & by_uid.keys():
            holders[uid].append(session)
    lost = [one for one in wanted if one.series_instance_uid not in holders]
    near = {one.series_instance_uid: list(_near(one, sessions, expected)) for one in lost}
    records.read(session.experiment_id for group in (*holders.values(), *near.values()) for session in group)
    found: dict[str, list[Place]] = {}
    for uid, there in holders.items():
        found[uid] = [_place(records, session, by_uid[uid]) for session in there]
    for uid, candidates in near.items():
        near_places = (_place(records, session, by_uid[uid]) for session in candidates)
        found[uid] = [place for place in near_places if place.record and place.uid in place.session.scans]
    return found


def _near(
    series: Series, sessions: Iterable[ArchivedSession], expected: Mapping[str, Label]
) -> Iterator[ArchivedSession]:
    study = series.study_instance_uid
    for session in sessions:
        if session.study_instance_uid == study or (study in expected and is_near(session.label, expected[study])):
            yield session


def _place(records: Records, session: ArchivedSession, series: Series) -> Place:
    """Return a session as the place of a series; provenance of another study or patient says nothing of its images."""
    uid, whose = series.series_instance_uid, records.of(session.experiment_id)
    if whose is None or whose.study_instance_uid != series.study_instance_uid:
        return Place(session, uid)
    record = whose.series.get(uid) if whose.patient_id == series.patient_id else None
    return Place(session, uid if record is None or uid in session.scans else record.archived_uid, record, whose)
