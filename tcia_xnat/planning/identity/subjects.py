"""The subject of what is new to XNAT: called after its patient, and never one that is somebody else's."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from tcia_xnat.planning.identity.same_patient import SamePatient
from tcia_xnat.planning.identity.words import clean, numbered, unique, with_digest


@dataclass(frozen=True, slots=True)
class Subjects:
    """The subjects of a project.

    Attributes
    ----------
    labels
        All of them.
    patients
        Subject label → PatientIDs of which the provenance of its sessions says that they are there.
    unclear
        Subjects that have sessions without provenance.
    """

    labels: frozenset[str] = frozenset()
    patients: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unclear: frozenset[str] = frozenset()

    def spelled(self, label: str) -> str:
        """Return how XNAT spells a label, compared without regard to case (xnat-http.md §6.4); empty when free."""
        return min((one for one in self.labels if one.lower() == label.lower()), default="")


@dataclass(frozen=True, slots=True)
class Wish:
    """A subject that is needed.

    Attributes
    ----------
    name
        What the subject is to be called after: PatientID, or the name of a folder.
    text
        The template of subject labels, filled in.
    is_certain
        The text belongs to this name alone: it has the name in it.
    """

    name: str
    patient_id: str
    text: str
    is_certain: bool = True


def assign(wishes: Iterable[Wish], subjects: Subjects, same: SamePatient) -> dict[Wish, str]:
    """Return the subject label of each wish; their order does not matter.

    A name that loses nothing keeps its letters. Where that label is somebody else's, a digest of the name follows it:
    labels that differ in case only are one for XNAT.
    """
    by_lower: dict[str, str] = {}
    for label in sorted(subjects.labels, reverse=True):
        by_lower[label.lower()] = label
    claims: dict[str, str] = {}
    found: dict[Wish, str] = {}
    for wish in sorted(set(wishes), key=lambda one: (one.name, one.text, one.patient_id)):
        label = _chosen(wish, by_lower, claims, subjects, same)
        claims[label.lower()] = wish.name
        found[wish] = label
    return found


def is_of(label: str, wish: Wish) -> bool:
    """Whether a subject that XNAT has is called as this patient's would be, by this version or an earlier one."""
    base = clean(wish.text)
    return label in {base, with_digest(base, wish.name), unique(wish.name), clean(wish.name)}


def plain(wish: Wish) -> str:
    """Return the label that a subject gets when nobody else has it."""
    base = clean(wish.text)
    return base if len(base) == len(wish.text.strip()) else with_digest(base, wish.name)


def _chosen(
    wish: Wish, by_lower: Mapping[str, str], claims: Mapping[str, str], subjects: Subjects, same: SamePatient
) -> str:
    for held in same.held_by(wish.patient_id):
        if held in subjects.labels or held in subjects.patients:
            return held
        if named := next((label for label, ids in sorted(subjects.patients.items()) if held in ids), ""):
            return named
    for label in _candidates(wish):
        there = by_lower.get(label.lower(), "")
        if claims.get(label.lower(), wish.name) == wish.name and (not there or _is_ours(there, label, wish, subjects)):
            return there or label
    raise AssertionError("numbers do not end")


def _candidates(wish: Wish) -> Iterator[str]:
    base = plain(wish)
    more = with_digest(base, wish.name)
    return chain((base,), numbered(more))


def _is_ours(there: str, label: str, wish: Wish, subjects: Subjects) -> bool:
    """Whether a subject of the project is this patient: by what is recorded of it, else by its very name."""
    if recorded := subjects.patients.get(there):
        return wish.patient_id in recorded
    return there == label and (wish.is_certain or there not in subjects.unclear)
