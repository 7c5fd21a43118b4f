"""Keeping and reading the provenance of archived sessions, in a resource of the session: Members may write there."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import tcia_xnat
from tcia_xnat.core.errors import LoginRefused, Stopped, XnatError
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.confirm import Finished
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.planning.archive_note import read_note
from tcia_xnat.planning.provenance import FILE, MAX_BYTES, RESOURCE, Provenance, SeriesProvenance, decode
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_QUESTIONS_AT_ONCE = 8


def read(project: XnatProject, experiment_id: str) -> Provenance | None:
    """Return the provenance of a session; None when it has none that can be read."""
    content = ask(project, lambda: project.read_session_file(experiment_id, RESOURCE, FILE, MAX_BYTES))
    return decode(content) if content else None


class Records:
    """The provenance of sessions, each read once.

    Parameters
    ----------
    read_one
        Reads that of an experiment; None when it has none.
    noted
        What the notes of experiments tell, for those that have no provenance.
    """

    def __init__(
        self,
        read_one: Callable[[str], Provenance | None],
        noted: Mapping[str, Provenance] = MappingProxyType({}),
    ) -> None:
        self._read_one, self._noted = read_one, noted
        self._known: dict[str, Provenance | None] = {}

    def read(self, experiment_ids: Iterable[str]) -> None:
        """Read that of several sessions side by side."""
        new = [one for one in dict.fromkeys(experiment_ids) if one not in self._known]
        with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "provenance") as pool:
            self._known.update(zip(new, pool.map(self._find, new), strict=True))

    def known(self) -> list[Provenance]:
        """Return all that was read."""
        return [one for one in self._known.values() if one]

    def of(self, experiment_id: str) -> Provenance | None:
        """Return that of one session."""
        if experiment_id not in self._known:
            self._known[experiment_id] = self._find(experiment_id)
        return self._known[experiment_id]

    def learn(self, experiment_id: str, record: Provenance) -> None:
        """Take what was found out of a session for its provenance."""
        self._known[experiment_id] = record

    def _find(self, experiment_id: str) -> Provenance | None:
        return self._read_one(experiment_id) or self._noted.get(experiment_id)


def keep(
    project: XnatProject,
    study: tuple[str, str],
    label: Label,
    sent: Mapping[str, Shipment],
    finished: Finished,
) -> str:
    """Add what is archived to the provenance of its session; return why it could not be kept, empty when it was.

    The provenance of another study is left as it is.

    Parameters
    ----------
    study
        PatientID and StudyInstanceUID as they were published.
    """
    series = {uid: _series(sent[uid], finished, uid) for uid in sent if uid in finished.scans}
    try:
        return put(project, finished.experiment_id, made(study, label, series))
    except (LoginRefused, Stopped):
        raise
    except XnatError as error:
        return f"its provenance could not be kept in XNAT: {error}"


def put(project: XnatProject, experiment_id: str, new: Provenance) -> str:
    """Add to the provenance of a session; return why not, empty when it was added.

    Raises
    ------
    XnatError
    """
    before = read(project, experiment_id)
    if before and before.study_instance_uid != new.study_instance_uid:
        return f"session {new.label.session} has the provenance of another study: {before.study_instance_uid}"
    project.put_session_file(experiment_id, RESOURCE, FILE, merged(before, new).encoded())
    return ""


def noted(session: ArchivedSession) -> Provenance | None:
    """Return what the note of a session tells of it, without its series; None when it tells nothing."""
    note = read_note(session.note)
    return Provenance(note.patient_id, note.study_instance_uid, session.label, "", "") if note else None


def made(study: tuple[str, str], label: Label, series: Mapping[str, SeriesProvenance]) -> Provenance:
    """Return provenance as this tool writes it now; `study` is PatientID and StudyInstanceUID as published."""
    tool = f"xnat-tcia-download {tcia_xnat.__version__}"
    return Provenance(*study, label, tool, datetime.now(UTC).isoformat(timespec="seconds"), series)


def merged(before: Provenance | None, new: Provenance) -> Provenance:
    """Return provenance with what is new; where the user says that another PatientID is the same, the first stays."""
    return before.updated(replace(new, patient_id=before.patient_id)) if before else new


def _series(shipment: Shipment, finished: Finished, uid: str) -> SeriesProvenance:
    scan = finished.scans[uid]
    return SeriesProvenance(
        shipment.source,
        shipment.count,
        shipment.images.unpacked() if shipment.images else None,
        scan.scan_id,
        scan.series_instance_uid,
        scan.count or 0,
        shipment.sends,
        shipment.version,
    )
