"""Sessions of the archive whose UIDs XNAT has changed: found again by label and provenance, else by what is remembered.

A script of the project or site may hash StudyInstanceUIDs. The study that was sent is then in the archive under a UID
that nobody asks for, and sending it again would make a copy. Its label leads to the session, and the provenance of the
session says which study it is, on every machine. Without provenance the ledger of this output folder may know. Where
neither does, and the scripts change UIDs, nothing is sent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tcia_xnat.confirm import CHANGED
from tcia_xnat.destinations.xnat.counts import count_images
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.model import Label, Series
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.identity.words import is_numbered
from tcia_xnat.planning.left_out import is_possible
from tcia_xnat.planning.pairing import Scan, SentSeries, pair
from tcia_xnat.planning.provenance import Provenance
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_Count = Callable[[str, Collection[str]], Mapping[str, int | None]]
"""An experiment's ID and its scan IDs → number of images of each."""


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


def recognize(  # noqa: PLR0913, PLR0917  all that is known
    project: XnatProject,
    records: Records,
    missing: Mapping[str, Sequence[Series]],
    others: Iterable[ArchivedSession],
    expected: Mapping[str, Label],
    remembered: Mapping[str, Sequence[Label]],
    *,
    may_refresh: bool = True,
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
    may_refresh
        Whether XNAT may be told to count what it has not counted; a dry run changes nothing.
    """
    found = Recognized()
    count = partial(count_images, project, may_refresh=may_refresh)
    sessions = list(others)
    for study, members in missing.items():
        near = [one for one in sessions if is_near(one.label, expected[study], remembered.get(study, ()))]
        kept = {session.experiment_id: records.of(session.experiment_id) for session in near}
        _take(project, count, study, members, near, kept, remembered.get(study, ()), found)
    return found


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
    project: XnatProject,
    count: _Count,
    study: str,
    members: Sequence[Series],
    near: Sequence[ArchivedSession],
    kept: Mapping[str, Provenance | None],
    remembered: Sequence[Label],
    found: Recognized,
) -> None:
    for session in near:
        record = kept[session.experiment_id]
        if record and record.study_instance_uid == study:
            _by_provenance(count, members, session, record, found)
            found.labels.setdefault(study, []).append(session.label)
            found.patients[session.label] = record.patient_id
    if study in found.labels:
        return
    for session in near:
        if session.label in remembered and kept[session.experiment_id] is None:
            _by_number(count, members, session, found)
            found.labels[study] = [session.label]
            found.patients[session.label] = members[0].patient_id
            return
    unknown = [session for session in near if kept[session.experiment_id] is None]
    if unknown and project.scripts.changes_uids:
        found.unclear[study] = unknown[0].label


def _by_provenance(
    count: _Count, members: Sequence[Series], session: ArchivedSession, record: Provenance, found: Recognized
) -> None:
    """Count the scans that a provenance names; what the archive does not have of it proves nothing."""
    scans = {}
    for series in members:
        one = record.series.get(series.series_instance_uid)
        if one and one.archived_uid in session.scans:
            scans[series.series_instance_uid] = one, session.scans[one.archived_uid]
    counts = count(session.experiment_id, {scan for _, scan in scans.values()})
    for uid, (one, scan) in scans.items():
        here = counts[scan]
        is_all_there = here is not None and here >= one.image_count
        found.holdings[uid] = Holding(here, one.images if is_all_there else None)
        found.archived_as[uid] = session.label
        found.notes[uid] = CHANGED.format(scan)
        if one.left_out and here == one.archived_count:
            found.left_out[uid] = one.left_out


def _by_number(count: _Count, members: Sequence[Series], session: ArchivedSession, found: Recognized) -> None:
    """Recognize scans by number and count: the ledger knows that the session is this study."""
    counts = count(session.experiment_id, set(session.scans.values()))
    scans = {uid: Scan(scan, counts[scan]) for uid, scan in session.scans.items()}
    sent = {one.series_instance_uid: SentSeries(one.series_number, one.image_count) for one in members}
    for uid, scan_uid in pair(sent, scans).items():
        found.holdings[uid] = Holding(scans[scan_uid].count)
        found.archived_as[uid] = session.label
        found.notes[uid] = CHANGED.format(scans[scan_uid].scan_id)
