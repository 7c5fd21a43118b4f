"""The session labels of what is new to XNAT: numbered by patient, date and UID, each label given out once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tcia_xnat.planning.identity.words import clean, numbered


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """A session that is needed, in the order in which numbers are given out; `study_date` is ISO or empty.

    Attributes
    ----------
    part
        Tells sessions of one study apart.
    text
        The template of session labels, filled in, or the name that a folder asks for.
    """

    name: str
    study_date: str
    study_instance_uid: str
    part: str = ""
    text: str = ""


def number(visits: Iterable[Visit], taken: Collection[str]) -> dict[Visit, str]:
    """Return the label of each visit: the first free of `base`, `base_01`, `base_02`, …; their order does not matter.

    A bare name is given to its own first visit before any numbered label is given out: `A_01` may be a PatientID, too.

    Parameters
    ----------
    taken
        Labels of the project; they are compared without regard to case, as XNAT does.
    """
    used = {label.lower() for label in taken}
    bases = {visit: clean(visit.text) for visit in sorted(set(visits))}
    owners = _owners(bases, used)
    used.update(owners)
    found: dict[Visit, str] = {}
    for visit, base in bases.items():
        is_bare = owners.get(base.lower()) == visit
        found[visit] = base if is_bare else next(one for one in numbered(base) if one.lower() not in used)
        used.add(found[visit].lower())
    return found


def _owners(bases: Mapping[Visit, str], used: Collection[str]) -> dict[str, Visit]:
    """Return which visit gets each bare label: the first of those that are called so, else of those that become so."""
    owners: dict[str, Visit] = {}
    for visit, base in sorted(bases.items(), key=lambda item: (item[0].text != item[1], item[0])):
        if base.lower() not in used:
            owners.setdefault(base.lower(), visit)
    return owners
