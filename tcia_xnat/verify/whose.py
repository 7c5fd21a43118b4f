"""Whether what the archive has of a series lies under the subject of its own patient, as a run would judge it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import SamePatient, Templates, misplaced
from tcia_xnat.verify.archived import Place
from tcia_xnat.xnat.project import ArchivedSession


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a project, and their provenance."""

    all: Sequence[ArchivedSession]
    records: Records

    def patients(self, subject: str) -> set[str]:
        """Return the PatientIDs of which the provenance of a subject's sessions says that they are there."""
        ids = [one.experiment_id for one in self.all if one.label.subject == subject]
        self.records.read(ids)
        return {record.patient_id for one in ids if (record := self.records.of(one))}


def strangers(
    catalogue: Catalogue,
    there: Mapping[str, Sequence[Place]],
    sessions: Sessions,
    templates: Templates,
    same: SamePatient,
) -> dict[str, list[str]]:
    """Return by SeriesInstanceUID why it lies under the subject of another patient.

    Parameters
    ----------
    there
        Where the archive has each series.
    """
    every = [place for found in there.values() for place in found]
    held = Held(patients={place.session.label: place.whose.patient_id for place in every if place.whose})
    labels = {uid: [place.session.label for place in found] for uid, found in there.items()}
    reasons: dict[str, list[str]] = defaultdict(list)
    for (uid, _), refusal in misplaced(catalogue, held, labels, templates, same).items():
        reasons[uid].append(refusal.reason)
    for uid, found in there.items():
        if uid not in reasons and (moved := [said for place in found if (said := _moved(place, sessions, same))]):
            reasons[uid] += moved
    return reasons


def _moved(place: Place, sessions: Sessions, same: SamePatient) -> str:
    """Say that somebody has moved a session to a subject of another patient; a renamed subject is the same one."""
    subject, whose = place.session.label.subject, place.whose
    if whose is None or whose.label.subject.lower() == subject.lower():
        return ""
    patients = sessions.patients(subject) - {whose.patient_id}
    others = sorted(one for one in patients if not same.says(one, whose.patient_id))
    if not others:
        return ""
    return (
        f"its session was archived under subject {whose.label.subject} and lies under subject {subject} now, which has "
        f"images of PatientID {others[0]}"
    )
