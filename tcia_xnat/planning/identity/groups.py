"""The series of a catalogue by study and patient: each group becomes one session, or is part of one that is there."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tcia_xnat.core.model import Label, Series, StudyFacts
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity.subjects import Wish
from tcia_xnat.planning.identity.words import filled, is_numbered, unique
from tcia_xnat.planning.modalities import lead

_PATIENT_ID = "{PatientID}"


@dataclass(frozen=True, slots=True)
class Templates:
    """What labels are made of: texts with fields as `{PatientID}` in them, see `fields_of`."""

    subject: str = _PATIENT_ID
    session: str = _PATIENT_ID


@dataclass(slots=True)
class Group:
    """The series of one patient in one study, or in one session folder of it.

    Attributes
    ----------
    wish
        The subject that it needs.
    there
        Labels under which XNAT has the study, those of the archive first; where folders name sessions, of this one.
    own
        Those of them that are this patient's.
    """

    study: str
    patient_id: str
    members: list[Series]
    facts: StudyFacts
    wish: Wish
    there: list[Label] = field(default_factory=list)
    own: list[Label] = field(default_factory=list)

    @property
    def first(self) -> Series:
        """The series that speaks for all in what they have in common."""
        return min(self.members, key=lambda one: one.series_instance_uid)

    @property
    def folder(self) -> Label | None:
        """The names that its folders ask for."""
        return self.first.folder

    def session_text(self, templates: Templates) -> str:
        """Return what its session is to be called."""
        if self.folder:
            return self.folder.session
        return filled(templates.session, fields_of(self.first, self.facts))


def groups_of(catalogue: Catalogue, held: Held, templates: Templates) -> list[Group]:
    """Return the groups of a catalogue, by study and patient.

    Raises
    ------
    UsageError
        A template has a field that does not exist.
    """
    grouped: dict[tuple[str, str, str, str], list[Series]] = defaultdict(list)
    for one in catalogue.series.values():
        folder = one.folder or Label("", "")
        grouped[one.study_instance_uid, one.patient_id, folder.subject, folder.session].append(one)
    facts = catalogue.facts()
    taken = _Taken(held)
    made = [
        Group(study, patient_id, members, facts[study], _wish(members, facts[study], templates))
        for (study, patient_id, *_), members in sorted(grouped.items(), key=lambda item: item[0])
    ]
    for group in made:
        group.there = _there(group, held, taken)
    return made


def by_study(groups: Iterable[Group]) -> list[list[Group]]:
    """Return the groups of each study."""
    found: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        found[group.study].append(group)
    return list(found.values())


class _Taken:
    """Session labels of a project in lower case, counted once for all groups."""

    def __init__(self, held: Held) -> None:
        self._labels = held.labels
        self._sessions = frozenset(label.lower() for label in held.sessions)

    def by_others(self, name: str, study: str) -> bool:
        """Whether another study has a label."""
        mine = {label.session.lower() for label in self._labels.get(study, ())}
        return name.lower() in self._sessions and name.lower() not in mine


def _wish(members: Collection[Series], facts: StudyFacts, templates: Templates) -> Wish:
    first = min(members, key=lambda one: one.series_instance_uid)
    text = filled(templates.subject, fields_of(first, facts))
    return Wish(first.patient, first.patient_id, text, is_certain=_PATIENT_ID in templates.subject)


def fields_of(first: Series, facts: StudyFacts) -> Mapping[str, str]:
    """Return what templates may name."""
    return {
        "PatientID": unique(first.patient),
        "StudyDate": facts.study_date.replace("-", ""),
        "StudyInstanceUID": first.study_instance_uid,
        "collection_id": first.collection_id,
        "StudyDescription": first.study_description,
        "Modality": lead(facts.modalities),
    }


def _there(group: Group, held: Held, taken: _Taken) -> list[Label]:
    labels = list(held.labels.get(group.study, ()))
    if group.folder is None:
        return labels
    name = group.folder.session
    uids = (one.series_instance_uid for one in group.members)
    has = [held.archived_as[uid] for uid in uids if uid in held.archived_as]
    named = [
        label
        for label in labels
        if is_numbered(label.session, name)
        and (len(label.session) <= len(name) or taken.by_others(name, group.study))  # else it is a folder's own name
    ]
    return list(dict.fromkeys([*has, *named]))
