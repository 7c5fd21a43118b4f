"""Sessions of the archive whose UIDs XNAT has changed: found again by label and provenance, else by what is remembered.

A script of the project or site may hash StudyInstanceUIDs. The study that was sent is then in the archive under a UID
that nobody asks for, and sending it again would make a copy. Its label leads to the session, and the provenance of the
session says which study it is, on every machine. Where a run was killed before it kept the provenance, the note of the
session says so. Where neither does, and the scripts change UIDs, nothing is sent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tcia_xnat.core.model import Label, Series
from tcia_xnat.destinations.xnat.confirm import CHANGED
from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.destinations.xnat.provenance import Records, made, put
from tcia_xnat.planning.archive_note import SeriesMark, mark, read_note
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.identity.words import is_numbered
from tcia_xnat.planning.left_out import is_possible
from tcia_xnat.planning.pairing import Scan, SentSeries, pair
from tcia_xnat.planning.provenance import Provenance, SeriesProvenance
from tcia_xnat.xnat.project import ArchivedSession, XnatProject


@dataclass(frozen=True, slots=True)
class Look:
    """How sessions are looked at.

    Attributes
    ----------
    images_of
        SeriesInstanceUID → its SOPInstanceUIDs, None where they are not known before it is fetched.
    may_write
        Whether XNAT may be told to count what it has not counted, and may be given the provenance of what only a note
        tells; a dry run changes nothing.
    """

    project: XnatProject
    records: Records
    images_of: Callable[[str], frozenset[str] | None] = lambda _uid: None
    may_write: bool = True

    def count(self, experiment_id: str, scan_ids: Collection[str]) -> Mapping[str, int | None]:
        """Return the number of images of scans."""
        return count_images(self.project, experiment_id, scan_ids, may_refresh=self.may_write)

    def marks(self, series: Series) -> Iterable[SeriesMark]:
        """Return the marks that a series may have: IDC's copies of it have a version, those of others have none."""
        uid, images = series.series_instance_uid, self.images_of(series.series_instance_uid)
        return [mark(uid, series.image_count, version, images) for version in {series.crdc_series_uuid, ""}]


@dataclass(slots=True)
class Recognized:
    """What is found of studies whose UIDs the archive does not have.

    Attributes
    ----------
    labels
        StudyInstanceUID as published → labels of its sessions.
    archived_as
        SeriesInstanceUID as published → label of its session.
    patients
        Label → PatientID of the study in that session.
    holdings, notes
        SeriesInstanceUID as published → what its scan holds, and what is worth reporting of it.
    left_out
        SeriesInstanceUID → number of images of which the provenance says that XNAT left them out.
    unclear
        StudyInstanceUID → label of a session that may be this study, and nobody knows.
    """

    labels: dict[str, list[Label]] = field(default_factory=dict)
    archived_as: dict[str, Label] = field(default_factory=dict)
    patients: dict[Label, str] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    unclear: dict[str, Label] = field(default_factory=dict)


def recognize(
    look: Look,
    missing: Mapping[str, Sequence[Series]],
    others: Iterable[ArchivedSession],
    expected: Mapping[str, Label],
    remembered: Mapping[str, Sequence[Label]],
) -> Recognized:
    """Look for studies among sessions of other UIDs.

    Parameters
    ----------
    missing
        StudyInstanceUID → its series, for studies that the archive has under no UID that was published.
    others
        Sessions of the archive whose StudyInstanceUID nobody asked for.
    expected
        StudyInstanceUID → the label that the study would have in an empty project.
    remembered
        StudyInstanceUID → labels under which the ledger knows that it was archived with other UIDs.
    """
    found = Recognized()
    sessions = list(others)
    for study, members in missing.items():
        near = [one for one in sessions if is_near(one.label, expected[study], remembered.get(study, ()))]
        _take(look, study, members, near, remembered.get(study, ()), found)
    return found


def recognize_series(
    look: Look, hidden: Mapping[str, Sequence[Series]], sessions: Iterable[ArchivedSession], found: Recognized
) -> None:
    """Look for series in sessions of their own studies, where a script changes SeriesInstanceUIDs alone.

    Parameters
    ----------
    hidden
        StudyInstanceUID → series that the archive has under no UID that was published.
    sessions
        Sessions of the archive under the StudyInstanceUIDs that were published.
    found
        Takes what is found.
    """
    for session in sessions:
        study = session.study_instance_uid
        record = look.records.of(session.experiment_id) if study in hidden else None
        if record and record.study_instance_uid == study:
            members = hidden[study]
            _by_provenance(look, members, session, _with_note(look, members, session, record), found)
        elif study in hidden and session.scans and look.project.scripts.changes_series_uids:
            found.unclear[study] = session.label


def left_out(
    project: XnatProject, records: Records, sessions: Iterable[ArchivedSession], short: Mapping[str, int | None]
) -> dict[str, int]:
    """Return of which series the archive lacks images because XNAT left them out, as provenance says, and how many.

    Parameters
    ----------
    sessions
        Sessions under the UIDs that were published.
    short
        SeriesInstanceUID → number of images in the archive, for series that are not complete there.
    """
    found: dict[str, int] = {}
    for session in sessions if is_possible(project.scripts) else ():
        here = short.keys() & session.scans.keys()
        record = records.of(session.experiment_id) if here else None
        for uid in here if record else ():
            one = record.series.get(uid) if record else None
            if one and one.left_out and one.archived_count == short[uid]:
                found[uid] = one.left_out
    return found


def is_near(label: Label, expected: Label, remembered: Sequence[Label] = ()) -> bool:
    """Whether a session may be a study: by its label, or by that of its subject."""
    return (
        label in remembered
        or is_numbered(label.session, expected.session)
        or label.subject.lower() == expected.subject.lower()
    )


def _take(  # noqa: PLR0913, PLR0917  one study and all that is known of it
    look: Look,
    study: str,
    members: Sequence[Series],
    near: Sequence[ArchivedSession],
    remembered: Sequence[Label],
    found: Recognized,
) -> None:
    unknown = []
    for session in near:
        record = look.records.of(session.experiment_id)
        if record is None:
            unknown.append(session)
        elif record.study_instance_uid == study:
            _by_provenance(look, members, session, _with_note(look, members, session, record), found)
            found.labels.setdefault(study, []).append(session.label)
            found.patients[session.label] = record.patient_id
    is_known = study in found.labels
    if unknown and not is_known and (look.project.scripts.changes_uids or unknown[0].label in remembered):
        found.unclear[study] = unknown[0].label


def _with_note(look: Look, members: Sequence[Series], session: ArchivedSession, record: Provenance) -> Provenance:
    """Return a provenance with the series that only the note of the session tells, and keep it in XNAT.

    They were archived in one step with the note, whole; their scans are recognized by number and count.
    """
    note = read_note(session.note)
    if note is None or note.study_instance_uid != record.study_instance_uid:
        return record
    told = {
        one.series_instance_uid: one
        for one in members
        if one.series_instance_uid not in record.series and any(map(note.has, look.marks(one)))
    }
    known = {one.archived_uid for one in record.series.values()}
    free = {uid: scan for uid, scan in session.scans.items() if uid not in known} if told else {}
    counts = look.count(session.experiment_id, set(free.values())) if free else {}
    scans = {uid: Scan(scan, counts[scan]) for uid, scan in free.items()}
    pairs = pair({uid: SentSeries(one.series_number, one.image_count) for uid, one in told.items()}, scans)
    if not pairs:
        return record
    series = {
        uid: _of_note(told[uid], look.images_of(uid), scan_uid, scans[scan_uid]) for uid, scan_uid in pairs.items()
    }
    added = made((record.patient_id, record.study_instance_uid), session.label, series)
    look.records.learn(session.experiment_id, record.updated(added))
    if look.may_write:
        ask(look.project, lambda: put(look.project, session.experiment_id, added))
    return record.updated(added)


def _of_note(series: Series, images: frozenset[str] | None, scan_uid: str, scan: Scan) -> SeriesProvenance:
    return SeriesProvenance("", series.image_count, images, scan.scan_id, scan_uid, scan.count or 0)


def _by_provenance(
    look: Look, members: Sequence[Series], session: ArchivedSession, record: Provenance, found: Recognized
) -> None:
    """Count the scans that a provenance names; what the archive does not have of it proves nothing."""
    scans = {}
    for series in members:
        one = record.series.get(series.series_instance_uid)
        if one and one.archived_uid in session.scans:
            scans[series.series_instance_uid] = one, session.scans[one.archived_uid]
    counts = look.count(session.experiment_id, {scan for _, scan in scans.values()})
    for uid, (one, scan) in scans.items():
        here = counts[scan]
        is_all_there = here is not None and here >= one.image_count
        found.holdings[uid] = Holding(here, one.images if is_all_there else None)
        found.archived_as[uid] = session.label
        found.notes[uid] = CHANGED.format(scan)
        if one.left_out and here == one.archived_count:
            found.left_out[uid] = one.left_out
