"""Studies that folders put under one subject, and that XNAT has under another one: a study has one subject."""

from collections.abc import Iterable, Iterator

from tcia_xnat.core.model import Label
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import subjects
from tcia_xnat.planning.identity.groups import Group
from tcia_xnat.planning.identity.refusal import Refusal, of_study_elsewhere
from tcia_xnat.planning.identity.same_patient import SamePatient
from tcia_xnat.planning.identity.words import has_digest

_SHOWN = 3  # examples in a note


def refusals(groups: Iterable[Group], held: Held, same: SamePatient) -> Iterator[tuple[Group, Refusal, Label]]:
    """Yield the groups that would give their study a second subject, why they do not move, and its session in XNAT.

    A group of which XNAT has a part joins that part; what the user calls one patient goes to the subject that is there.
    """
    for group in groups:
        if group.folder is None or group.own:
            continue
        there = (label for label in held.labels.get(group.study, ()) if not _is_named(label, group))
        if label := next((one for one in there if not same.says(one.subject, group.patient_id)), None):
            yield group, of_study_elsewhere(group.study, label, group.folder.subject, group.patient_id), label


def notes(groups: Iterable[Group]) -> Iterator[str]:
    """Yield which studies stay under a subject that their folders do not name."""
    found = (f"{group.wish.name} → {group.own[0].subject}, {group.own[0].session}" for group in groups if _stays(group))
    if stay := sorted(set(found)):
        more = f" and {len(stay) - _SHOWN} more" if len(stay) > _SHOWN else ""
        yield (
            "XNAT has studies under other subjects than their folders or the mapping name, and they stay there: "
            f"{'; '.join(stay[:_SHOWN])}{more}"
        )


def _stays(group: Group) -> bool:
    return group.folder is not None and bool(group.own) and not _is_named(group.own[0], group)


def _is_named(label: Label, group: Group) -> bool:
    """Whether a session belongs to the subject that a folder names, however XNAT spells it."""
    name, subject = group.wish.name, label.subject
    is_alike = subject.lower() == subjects.plain(group.wish).lower()
    return is_alike or subjects.is_of(subject, group.wish) or has_digest(subject, name)
