"""Whether images under one PatientID may be of several people: a note, since XNAT makes one subject of them. Pure.

What is not known differs from nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from tcia_xnat.core.model import Label, Series

_SHOWN = 3  # PatientIDs in a note
_VALUES = (("names", "name"), ("birth dates", "birth_date"), ("sexes", "sex"))


def notes(series: Iterable[Series], labels: Mapping[str, Label]) -> Iterator[str]:
    """Yield what should be looked at: PatientIDs of one subject whose images differ in who they are of.

    Parameters
    ----------
    labels
        Label of each series, by SeriesInstanceUID.
    """
    groups: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for one in series:
        groups[labels[one.series_instance_uid].subject, one.patient_id].append(one)
    in_order = sorted(groups.items())
    several = [said for (_, patient), members in in_order if (said := _differing(patient, members))]
    if several:
        yield f"one PatientID, and perhaps several people, who become one subject: {_shown(several)}"
    shared = [said for (_, patient), members in in_order if (said := _collections(patient, members))]
    if shared:
        yield (
            f"one PatientID in several collections becomes one subject: {_shown(shared)}; "
            "--subject-label '{collection_id}-{PatientID}' keeps them apart"
        )


def _differing(patient_id: str, members: Sequence[Series]) -> str:
    """Say in what the images of a PatientID differ, with two studies to look at; empty when they do not."""
    said, studies = [], set[str]()
    for words, field in _VALUES:
        first = _first_with(members, field)
        if len(first) > 1:
            said.append(words)
            studies |= set(sorted(first.values())[:2])
    return f"{patient_id} (other {' and '.join(said)}, see {' and '.join(sorted(studies)[:2])})" if said else ""


def _first_with(members: Iterable[Series], field: str) -> dict[str, str]:
    """Return for each value that is known the first study that has it."""
    found: dict[str, str] = {}
    for one in members:
        for value in {str(getattr(who, field)) for who in one.people} - {""}:
            found[value] = min(found.get(value, one.study_instance_uid), one.study_instance_uid)
    return found


def _collections(patient_id: str, members: Iterable[Series]) -> str:
    found = sorted({one.collection_id for one in members} - {""})
    return f"{patient_id} ({', '.join(found)})" if len(found) > 1 else ""


def _shown(said: Collection[str]) -> str:
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return "; ".join(list(said)[:_SHOWN]) + more
