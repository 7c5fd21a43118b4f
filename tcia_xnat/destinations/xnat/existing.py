"""What XNAT holds of the studies asked for, and what the ledger remembers of them: the truth a plan starts from."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypedDict

from tcia_xnat.core.model import Label, Series, SourceName
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat import provenance, rejected
from tcia_xnat.destinations.xnat.inventory import Found, find, images_recorded
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.destinations.xnat.recognize import Look, left_out, recognize, recognize_series
from tcia_xnat.destinations.xnat.waiting import Waiting, find_waiting
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Wanted, judge
from tcia_xnat.planning.held import Held, Imported
from tcia_xnat.planning.identity.words import clean, unique
from tcia_xnat.planning.left_out import is_possible
from tcia_xnat.xnat.prearchive import PrearchiveSession
from tcia_xnat.xnat.project import ArchivedSession, XnatProject


class _OfSubjects(TypedDict):
    subject_patients: Mapping[str, frozenset[str]]
    unclear_subjects: frozenset[str]


def look(  # noqa: PLR0913  what decides, each once
    project: XnatProject,
    catalogue: Catalogue,
    asked: Catalogue,
    remembered: Iterable[Imported],
    *,
    may_refresh: bool = True,
    is_alive: Callable[[str], bool] = lambda _mark: False,
    is_over: Callable[[str], bool] = lambda _mark: False,
    expected: Mapping[str, Label] = MappingProxyType({}),
    archived_before: Mapping[str, Sequence[Label]] = MappingProxyType({}),
) -> Held:
    """Ask XNAT what it holds: labels for the whole catalogue, images for the part that is asked for.

    A series counts as imported only when the ledger remembers that XNAT took it whole and its prearchive session
    is still the one it went to: what else lies in the prearchive may be the rest of a broken upload.

    Parameters
    ----------
    may_refresh
        Whether XNAT may be told to count what it has not counted; a dry run changes nothing.
    is_alive
        Whether a run, named by its mark, is at work beside this one: what it has sent is not ours to archive.
    is_over
        Whether a run, named by its mark, was one of this output folder and has ended: what it left is taken over at
        once, also what it had not noted yet when it was killed.
    expected
        StudyInstanceUID → label that it would have in an empty project, by which it is found when its UID is changed.
    archived_before
        StudyInstanceUID → labels under which the ledger knows that it is archived with changed UIDs.
    """
    archived = project.archived_sessions()
    studies = {series.study_instance_uid for series in catalogue.series.values()}
    found = [session for session in archived if session.study_instance_uid in studies]
    ours = [session for session in found if not session.is_shared]
    others = [session for session in archived if session.study_instance_uid not in studies]
    beside = _beside(archived, catalogue, expected)
    remembered = list(remembered)
    waiting = find_waiting(project.prearchive, studies, remembered, is_alive, is_over)
    missing = _missing(catalogue, {one.study_instance_uid for one in ours}, expected)
    notes = {one.experiment_id: noted for one in archived if (noted := provenance.noted(one))}
    records = Records(partial(provenance.read, project), notes)
    records.read(one.experiment_id for one in [*ours, *beside])
    counted = find(project, ours, asked, records, may_refresh=may_refresh)
    looking = Look(project, records, asked.images_of, may_refresh)
    changed = recognize(looking, missing, others, expected, archived_before)
    recognize_series(looking, _hidden(project, asked, ours), ours, changed)
    taken = [*(one.label for one in archived), *waiting.labels]
    return Held(
        labels=_labels([*reversed(ours), *reversed(waiting.ours)]) | changed.labels,
        archived_as=_scans(ours, catalogue) | {uid: one.label for uid, one in counted.items()} | changed.archived_as,
        holdings={uid: one.holding for uid, one in counted.items()} | images_recorded(changed.holdings, asked),
        changed=changed.notes,
        changed_studies=frozenset(changed.labels),
        left_out=changed.left_out
        | left_out(project, records, ours, _short(asked, counted))
        | rejected.find(project, records, asked, missing.keys()),
        unclear={study: label for study, label in changed.unclear.items() if study not in waiting.studies},
        imported=_imported(remembered, waiting, catalogue, may_be_rejected=is_possible(project.scripts)),
        prearchive=waiting.left_by_study(),
        left=waiting.left,
        shared={one.study_instance_uid: (one.shared_from, one.label) for one in found if one.is_shared},
        sessions=frozenset(label.session for label in taken),
        subjects=frozenset([*project.subject_labels(), *(label.subject for label in taken)]),
        patients=_patients(ours, records) | changed.patients,
        types={} if not ours or project.merges_modalities() else {one.label: one.session_type for one in ours},
        **_subjects(beside, records),
        foreign=waiting.foreign,
    )


def _beside(
    archived: Iterable[ArchivedSession], catalogue: Catalogue, expected: Mapping[str, Label]
) -> list[ArchivedSession]:
    """Return the sessions of the subjects that series may go to, also series of a study that XNAT has elsewhere."""
    names = {one.patient for one in catalogue.series.values()} | {label.subject for label in expected.values()}
    subjects = {clean(form).lower() for name in names for form in (name, unique(name))}
    return [one for one in archived if one.label.subject.lower() in subjects]


def _subjects(beside: Iterable[ArchivedSession], records: Records) -> _OfSubjects:
    """Return whose the subjects are that series may go to."""
    patients: dict[str, frozenset[str]] = {}
    unclear: set[str] = set()
    for one in beside:
        subject = one.label.subject
        if record := records.of(one.experiment_id):
            patients[subject] = patients.get(subject, frozenset()) | {record.patient_id}
        else:
            unclear.add(subject)
    return {"subject_patients": patients, "unclear_subjects": frozenset(unclear)}


def _patients(sessions: Iterable[ArchivedSession], records: Records) -> dict[Label, str]:
    """Return the PatientID of each session of which its provenance tells it; one of another study tells nothing."""
    found: dict[Label, str] = {}
    for one in sessions:
        record = records.of(one.experiment_id)
        if record and record.study_instance_uid == one.study_instance_uid:
            found[one.label] = record.patient_id
    return found


def _scans(sessions: Iterable[ArchivedSession], catalogue: Catalogue) -> dict[str, Label]:
    return {uid: one.label for one in sessions for uid in one.scans if uid in catalogue.series}


def _missing(catalogue: Catalogue, known: Collection[str], expected: Mapping[str, Label]) -> dict[str, list[Series]]:
    """Return the series by study of those studies that XNAT has not under the UID that was published."""
    missing: dict[str, list[Series]] = {}
    for series in catalogue.series.values():
        study = series.study_instance_uid
        if study not in known and study in expected:
            missing.setdefault(study, []).append(series)
    return missing


def _hidden(project: XnatProject, asked: Catalogue, sessions: Sequence[ArchivedSession]) -> dict[str, list[Series]]:
    """Return the series by study that the sessions of their studies do not have, where scripts may change UIDs."""
    if project.scripts.changes_uids is False:
        return {}
    studies = {one.study_instance_uid for one in sessions}
    there = {uid for one in sessions for uid in one.scans}
    hidden: dict[str, list[Series]] = {}
    for uid, series in asked.series.items():
        if uid not in there and series.study_instance_uid in studies:
            hidden.setdefault(series.study_instance_uid, []).append(series)
    return hidden


def _short(asked: Catalogue, counted: Mapping[str, Found]) -> dict[str, int | None]:
    """Return the number of images of each series that is in the archive and not complete there."""
    return {
        uid: one.count
        for uid, one in counted.items()
        if not judge(Wanted(asked.series[uid].image_count), one.holding).is_complete
    }


def _imported(
    remembered: Iterable[Imported], waiting: Waiting, catalogue: Catalogue, *, may_be_rejected: bool
) -> dict[str, Imported]:
    """Return what still waits as the ledger remembers it, by SeriesInstanceUID, and what XNAT rejected whole."""
    return {
        entry.series_instance_uid: entry
        for entry in remembered
        if (entry.prearchive in waiting.free or entry.kept == 0)  # of that nothing waits
        and _is_same(entry, catalogue)
        and (entry.kept is None or may_be_rejected)
    }


def _is_same(entry: Imported, catalogue: Catalogue) -> bool:
    """Whether a series that was imported is still what it was: files on disk may have come or changed since."""
    series = catalogue.series.get(entry.series_instance_uid)
    if entry.source != SourceName.LOCAL:
        return True
    if series is None or (entry.image_count, entry.byte_count) != (series.image_count, series.byte_count):
        return False
    images = catalogue.images_of(entry.series_instance_uid)
    return images is None or (bool(entry.images) and UidSet(entry.images).unpacked() == images)


def _labels(sessions: Iterable[ArchivedSession | PrearchiveSession]) -> dict[str, list[Label]]:
    labels: dict[str, list[Label]] = {}
    for session in sessions:
        labels.setdefault(session.study_instance_uid, []).append(session.label)
    return labels
