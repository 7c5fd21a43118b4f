"""Whose images lie in a folder that names a subject: one PatientID's, or they are not sent. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tcia_xnat.sources.local.model import Gathered, shown


def wrong_folders(gathered: Sequence[Gathered], same: Mapping[str, str]) -> Mapping[str, str]:
    """Return by SeriesInstanceUID why series are not this subject's, where folders or a mapping name subjects.

    A study belongs to one subject, and a subject has one PatientID: its own is the one that it is called after, or the
    only one that no other subject has. Where that is not plain, nothing of the subject is sent.

    Parameters
    ----------
    same
        By PatientID another name of the same person, as the user says.
    """
    named = [_renamed(one, same) for one in gathered if one.folder is not None]
    patients = _grouped((_subject(one), patient) for one in named for patient in one.patients)
    subjects_of = _grouped((patient, subject) for subject, those in patients.items() for patient in those)
    owners = {subject: _owner(subject, those, subjects_of) for subject, those in patients.items()}
    refused = {one.first.series_instance_uid: why for one in named if (why := _stranger(one, patients, owners))}
    studies = _grouped((one.first.study_instance_uid, _subject(one)) for one in named if _uid(one) not in refused)
    for one in named:
        if _uid(one) not in refused and len(subjects := studies[one.first.study_instance_uid]) > 1:
            refused[_uid(one)] = f"its study lies under the subjects {_listed(subjects)}"
    return refused


def _renamed(one: Gathered, same: Mapping[str, str]) -> Gathered:
    return replace(one, patients=frozenset(same.get(patient, patient) for patient in one.patients)) if same else one


def _stranger(one: Gathered, patients: Mapping[str, set[str]], owners: Mapping[str, str | None]) -> str:
    """Say why a series is not its subject's; empty when it is."""
    subject = _subject(one)
    if len(patients[subject]) == 1 or one.patients == {owners[subject]}:
        return ""
    if owners[subject] is None:
        return f"subject {shown(subject)} has images of several PatientIDs: {_listed(patients[subject])}"
    return f"its images are PatientID {_listed(one.patients)}'s and lie under subject {shown(subject)}"


def _owner(subject: str, patients: set[str], subjects_of: Mapping[str, set[str]]) -> str | None:
    if subject in patients:
        return subject
    own = [patient for patient in patients if len(subjects_of[patient]) == 1]
    return own[0] if len(own) == 1 else None


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, set()).add(value)
    return groups


def _subject(one: Gathered) -> str:
    return one.folder.subject if one.folder else ""


def _uid(one: Gathered) -> str:
    return one.first.series_instance_uid


def _listed(names: Iterable[str]) -> str:
    return shown(", ".join(sorted(name or "(none)" for name in names)))
