"""From a catalogue, what XNAT holds and what the user said to the labels of every series, or to refusals."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tcia_xnat.core.model import Label, Series
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import elsewhere, people, sessions, subjects
from tcia_xnat.planning.identity.groups import Group, Templates, by_study, groups_of
from tcia_xnat.planning.identity.refusal import Refusal, of_another_patient, of_another_subject, of_another_type
from tcia_xnat.planning.identity.same_patient import SamePatient
from tcia_xnat.planning.identity.sessions import Visit
from tcia_xnat.planning.identity.subjects import Subjects
from tcia_xnat.planning.identity.words import has_digest
from tcia_xnat.planning.modalities import fits

_SHOWN = 3  # examples in a note


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose everything is.

    Attributes
    ----------
    labels
        SeriesInstanceUID → label; of what is refused, the label that XNAT has or that it would get.
    refused
        SeriesInstanceUID → why it does not move.
    notes
        What the user should know of the labels.
    """

    labels: Mapping[str, Label] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def identify(
    catalogue: Catalogue,
    held: Held,
    templates: Templates | None = None,
    same: SamePatient | None = None,
    *,
    split: bool = False,
) -> Identified:
    """Return the label of every series of a catalogue, or why it may not move; the order of series does not matter.

    - A study that XNAT holds keeps its label when the provenance of its session has this PatientID; without provenance,
      when its subject is called after this PatientID; else, when the user says that both are one.
    - Otherwise nothing of that study moves: it is in XNAT as somebody else's. A study of several patients, though, is
      one session for each of them.
    - What is new goes to the subject that is called after its PatientID, wherever other studies of it may be.
    - What XNAT would not add to the held session, because of its modality, is refused, or gets a session of its own.

    Parameters
    ----------
    same
        Who is one, as the user says.
    split
        Whether series that XNAT would not add to their session get one of their own.

    Raises
    ------
    UsageError
        A template has a field that does not exist.
    """
    templates, same = templates or Templates(), same or SamePatient()
    groups = groups_of(catalogue, held, templates)
    made = _Made(held, same)
    for group in groups:
        group.own = [label for label in group.there if _is_own(label, group, held, same)]
    for study in by_study(groups):
        made.refuse_strangers(study)
    made.refuse_in_folders(groups)
    made.refuse(elsewhere.refusals(groups, held, same))
    for group in groups:
        made.place(group, split=split)
    found = made.identified(templates)
    moving = (one for uid, one in catalogue.series.items() if uid not in found.refused)
    return replace(found, notes=(*found.notes, *elsewhere.notes(groups), *people.notes(moving, found.labels)))


def misplaced(
    catalogue: Catalogue,
    held: Held,
    there: Mapping[str, Iterable[Label]],
    templates: Templates,
    same: SamePatient,
) -> dict[tuple[str, Label], Refusal]:
    """Return why sessions that have series of a catalogue are not those of their patients, by series and label.

    Parameters
    ----------
    there
        SeriesInstanceUID → labels of the sessions that have it.
    """
    found: dict[tuple[str, Label], Refusal] = {}
    for group in groups_of(catalogue, held, templates):
        for one in group.members:
            uid = one.series_instance_uid
            strange = (label for label in there.get(uid, ()) if not _is_own(label, group, held, same))
            found |= {(uid, label): _strange(label, group, held) for label in strange}
    return found


def _strange(label: Label, group: Group, held: Held) -> Refusal:
    return of_another_patient(group.study, label, held.patients.get(label), group.patient_id)


def _is_own(label: Label, group: Group, held: Held, same: SamePatient) -> bool:
    if same.says(label.subject, group.patient_id):
        return True
    owner = held.patients.get(label)
    if owner is None:
        return subjects.is_of(label.subject, group.wish)
    return owner == group.patient_id or same.says(owner, group.patient_id)


class _Made:
    """Labels and refusals as they are found."""

    def __init__(self, held: Held, same: SamePatient) -> None:
        self._held, self._same = held, same
        self._subjects = Subjects(held.subjects, held.subject_patients, held.unclear_subjects)
        self._labels: dict[str, Label] = {}
        self._refused: dict[str, Refusal] = {}
        self._new: list[tuple[Group, list[Series], str]] = []

    def refuse_strangers(self, study: Sequence[Group]) -> None:
        """Refuse a study that XNAT has as that of somebody of whom the index does not know that he is in it."""
        for group in study:
            known = {label for one in study for label in one.own}
            strange = [label for label in group.there if label not in known and not self._is_expected(label, group)]
            if strange and not group.own:
                why = _strange(strange[0], group, self._held)
                for one in study:
                    self._refuse(one, why, (one.own or strange)[0])
                return

    def _is_expected(self, label: Label, group: Group) -> bool:
        others = group.facts.patients - {group.patient_id}
        return self._held.patients.get(label, label.subject) in others

    def refuse_in_folders(self, groups: Iterable[Group]) -> None:
        """Refuse what a folder would put under a subject of another PatientID than the subject's own."""
        by_name: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            if group.folder:
                by_name[group.wish.name].append(group)
        for members in by_name.values():
            owners = self._owners(members)
            for group in members:
                said = any(self._same.says(owner, group.patient_id) for owner in {*owners, group.wish.name})
                if not group.own and group.patient_id not in owners and not said:
                    subject = members[0].wish.name
                    label = Label(subject, group.folder.session if group.folder else "")
                    self._refuse(group, of_another_subject(subject, owners, group.patient_id), label)

    def _owners(self, members: Sequence[Group]) -> frozenset[str]:
        """Return whose a folder's subject is: as XNAT has it, else by its name, else by most of its images."""
        there = self._subjects.spelled(subjects.plain(members[0].wish))
        if recorded := self._subjects.patients.get(there):
            return recorded
        if mine := frozenset(group.patient_id for group in members if group.own):
            return mine
        counts = Counter[str]()
        for group in members:
            counts[group.patient_id] += sum(one.image_count for one in group.members)
        name = members[0].wish.name
        return frozenset({min(counts, key=lambda one: (one != name, -counts[one], one))})

    def refuse(self, refused: Iterable[tuple[Group, Refusal, Label]]) -> None:
        """Refuse groups that are not refused yet."""
        for group, why, label in refused:
            self._refuse(group, why, label)

    def _refuse(self, group: Group, why: Refusal, label: Label) -> None:
        for one in group.members:
            self._refused.setdefault(one.series_instance_uid, why)
            self._labels.setdefault(one.series_instance_uid, label)

    def place(self, group: Group, *, split: bool) -> None:
        """Find the sessions that XNAT has for series of a group; the others get one."""
        coming = []
        for one in group.members:
            uid = one.series_instance_uid
            if uid in self._refused:
                continue
            label = self._held.archived_as.get(uid)
            if label is None:
                coming.append(one)
            elif label in group.own:
                self._labels[uid] = label
            else:  # it is there already, as somebody else's: another copy would not settle that
                self._refused[uid], self._labels[uid] = _strange(label, group, self._held), label
        if coming and group.own:
            self._join(group, coming, split=split)
        elif coming:
            self._new.append((group, coming, ""))

    def _join(self, group: Group, coming: list[Series], *, split: bool) -> None:
        modalities = frozenset(one.modality for one in coming) - {""}
        types = self._held.types
        fitting = next((label for label in group.own if fits(modalities, types.get(label, ""))), None)
        if fitting is None and split:
            self._new.append((group, coming, "split"))
            return
        label = fitting or group.own[0]
        self._labels.update({one.series_instance_uid: label for one in coming})
        if fitting is None:
            why = of_another_type(label, types[label], modalities)
            self._refused.update({one.series_instance_uid: why for one in coming})

    def identified(self, templates: Templates) -> Identified:
        """Return everything, with labels for what is new."""
        named = subjects.assign((group.wish for group, *_ in self._new), self._subjects, self._same)
        visits = [_visit(group, part, templates) for group, _, part in self._new]
        numbers = sessions.number(visits, self._held.sessions)
        for (group, members, _), visit in zip(self._new, visits, strict=True):
            label = Label(named[group.wish], numbers[visit])
            self._labels.update({one.series_instance_uid: label for one in members})
        return Identified(self._labels, self._refused, tuple(self._notes(named)))

    def _notes(self, named: Mapping[subjects.Wish, str]) -> Iterable[str]:
        odd = sorted({f"{wish.name} → {label}" for wish, label in named.items() if has_digest(label, wish.name)})
        if odd:
            more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
            yield (
                "subjects that are not called after their patient, because the name is not a label of XNAT's or is "
                f"another patient's: {', '.join(odd[:_SHOWN])}{more}"
            )
        for group, members, part in self._new:
            if part:
                session = self._labels[members[0].series_instance_uid].session
                modalities = "/".join(sorted({one.modality for one in members} - {""}))
                yield f"{modalities} of study {group.study} becomes session {session}, beside {group.own[0].session}"


def _visit(group: Group, part: str, templates: Templates) -> Visit:
    which = f"{group.patient_id} {group.folder.session if group.folder else ''} {part}"
    return Visit(group.wish.name, group.facts.study_date, group.study, which, group.session_text(templates))
