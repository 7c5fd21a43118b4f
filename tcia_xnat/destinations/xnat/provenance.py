"""Keeping and reading the provenance of archived sessions, in a resource of the session: Members may write there."""

from collections.abc import Mapping
from datetime import UTC, datetime

import tcia_xnat
from tcia_xnat.confirm import Finished
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.errors import LoginRefused, Stopped, XnatError
from tcia_xnat.model import Label
from tcia_xnat.planning.provenance import FILE, MAX_BYTES, RESOURCE, Provenance, SeriesProvenance, decode
from tcia_xnat.xnat.project import XnatProject


def read(project: XnatProject, experiment_id: str) -> Provenance | None:
    """Return the provenance of a session; None when it has none that can be read."""
    content = ask(project, lambda: project.read_session_file(experiment_id, RESOURCE, FILE, MAX_BYTES))
    return decode(content) if content else None


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
    made = Provenance(
        *study,
        label,
        f"xnat-tcia-download {tcia_xnat.__version__}",
        datetime.now(UTC).isoformat(timespec="seconds"),
        {uid: _series(sent[uid], finished, uid) for uid in sent if uid in finished.scans},
    )
    try:
        before = read(project, finished.experiment_id)
        if before and (before.patient_id, before.study_instance_uid) != study:
            return f"session {label.session} has the provenance of another study: {before.study_instance_uid}"
        content = (before.updated(made) if before else made).encoded()
        project.put_session_file(finished.experiment_id, RESOURCE, FILE, content)
    except (LoginRefused, Stopped):
        raise
    except XnatError as error:
        return f"its provenance could not be kept in XNAT: {error}"
    return ""


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
    )
