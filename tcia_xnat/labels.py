"""Subject and session label of every study, assigned before the first byte moves (design §4.6). Pure.

Labels are compared without regard to case, as XNAT compares subjects (xnat-http.md §6.4).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count

from tcia_xnat.errors import UsageError
from tcia_xnat.model import Label

_LENGTH = 64  # xnat-http.md §6.2
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_NUMBER = re.compile(r"_\d{2,}$")
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class StudyKey:
    """What labels are made of; `study_date` is ISO or empty.

    `session_key` is the StudyInstanceUID, or names a part of that study (`Series.session_key`). `session` is the name
    that a folder asks for, in the place of the template.
    """

    session_key: str
    patient_id: str
    study_date: str
    collection_id: str = ""
    study_description: str = ""
    modality: str = ""
    session: str = ""


def clean(text: str) -> str:
    """Return a text as XNAT takes it for a label: `[A-Za-z0-9_-]`, 1 to 64 characters."""
    return _FORBIDDEN.sub("_", text.strip())[:_LENGTH] or "_"


def is_numbered(session: str, name: str) -> bool:
    """Whether a session label is what `assign` makes of a name: the name itself, or with a number behind it."""
    found = _NUMBER.search(session)
    suffix = found[0] if found else ""
    base = clean(name)
    return session.lower() in {base.lower(), (base[: _LENGTH - len(suffix)] + suffix).lower()}


def assign(  # noqa: PLR0913  what labels depend on
    studies: Iterable[StudyKey],
    held: Mapping[str, Label],
    taken_sessions: Iterable[str],
    taken_subjects: Iterable[str] = (),
    *,
    subject_template: str = "{PatientID}",
    session_template: str = "{PatientID}",
) -> dict[str, Label]:
    """Return the label of each study by its `session_key`; the order of `studies` does not matter.

    A study that XNAT holds keeps its label. The others are numbered by patient, StudyDate and `session_key`: the
    first free of `base`, `base_01`, `base_02`, … A patient's bare name is given to its own first study before any
    numbered label is given out: `A_01` may be a PatientID, too.

    Parameters
    ----------
    held
        `session_key` → the label under which XNAT has it.
    taken_sessions, taken_subjects
        All labels of the project. A subject that bears a PatientID's name is that patient.
    subject_template, session_template
        Text with `{PatientID}`, `{StudyDate}`, `{StudyInstanceUID}`, `{collection_id}`, `{StudyDescription}`,
        `{Modality}`.

    Raises
    ------
    UsageError
        A template has another field.
    """
    ordered = sorted(studies, key=lambda study: (study.patient_id, study.study_date, study.session_key))
    subjects = _subjects(ordered, held, taken_subjects, subject_template)
    new = [study for study in ordered if study.session_key not in held]
    taken = {label.lower() for label in chain(taken_sessions, (label.session for label in held.values()))}
    bases = {study: clean(study.session or _filled(session_template, study)) for study in new}
    owners = _owners(bases, taken)
    taken.update(owners)
    assigned = {study.session_key: held[study.session_key] for study in ordered if study not in bases}
    for study, base in bases.items():
        session = base if owners.get(base.lower()) == study else _first_free(base, taken)
        taken.add(session.lower())
        assigned[study.session_key] = Label(subjects[study.patient_id], session)
    return assigned


def _owners(bases: Mapping[StudyKey, str], taken: set[str]) -> dict[str, StudyKey]:
    """Return which study gets each bare label: the first of those that want it and may have it."""
    owners: dict[str, StudyKey] = {}
    for study, base in bases.items():
        if base.lower() not in taken:
            owners.setdefault(base.lower(), study)
    return owners


def _subjects(
    ordered: Iterable[StudyKey], held: Mapping[str, Label], taken: Iterable[str], template: str
) -> dict[str, str]:
    """Return the subject label of each patient; two patients whose names clean to the same one stay apart."""
    subjects: dict[str, str] = {}
    firsts: dict[str, StudyKey] = {}
    for study in ordered:
        firsts.setdefault(study.patient_id, study)
        if study.session_key in held:
            subjects.setdefault(study.patient_id, held[study.session_key].subject)
    used = {subject.lower() for subject in subjects.values()}
    existing = {subject.lower(): subject for subject in taken}
    for patient_id, study in firsts.items():
        if patient_id not in subjects:
            base = clean(_filled(template, study))
            subject = _first_free(base, used)
            subjects[patient_id] = existing.get(subject.lower(), subject)
            used.add(subject.lower())
    return subjects


def _filled(template: str, study: StudyKey) -> str:
    fields = {
        "PatientID": study.patient_id,
        "StudyDate": study.study_date.replace("-", ""),
        "StudyInstanceUID": study.session_key,
        "collection_id": study.collection_id,
        "StudyDescription": study.study_description,
        "Modality": study.modality,
    }
    unknown = [name for name in _FIELD.findall(template) if name not in fields]
    if unknown:
        raise UsageError(f"a label cannot be made of {{{unknown[0]}}}", f"fields are {', '.join(fields)}")
    return _FIELD.sub(lambda found: fields[found[1]], template)


def _first_free(base: str, taken: set[str]) -> str:
    return next(label for label in _numbered(base) if label.lower() not in taken)


def _numbered(base: str) -> Iterator[str]:
    yield base
    for number in count(1):
        suffix = f"_{number:02}"
        yield base[: _LENGTH - len(suffix)] + suffix
