"""Series of which XNAT has kept no image: what is recorded of them, so that no machine sends them again and again.

The record is in the provenance of their session. A study of which nothing is in the archive has no session: its record
is a file of the project, where the user may write there.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from tcia_xnat.core.model import Label, Series
from tcia_xnat.destinations.xnat import provenance
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.inventory import is_outdated
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.planning.left_out import is_possible
from tcia_xnat.planning.provenance import MAX_BYTES, RESOURCE, Provenance, SeriesProvenance, decode
from tcia_xnat.xnat.project import XnatProject

Keep = Callable[[str, str, bytes], None]
"""Keeps a file in a resource of the project: resource, name, content."""


def keep(
    project: XnatProject, study: tuple[str, str], label: Label, rejected: Mapping[str, Shipment], keep_file: Keep
) -> None:
    """Record series that were sent and of which XNAT has kept nothing.

    Parameters
    ----------
    study
        PatientID and StudyInstanceUID as they were published.
    keep_file
        Takes the record of a study that has no session.

    Raises
    ------
    XnatError
    """
    made = provenance.made(study, label, {uid: _record(uid, one) for uid, one in rejected.items()})
    experiment_id = project.experiment_id(project.experiment_uri(label))
    if experiment_id:
        there = project.scans(experiment_id)
        series = {uid: one for uid, one in made.series.items() if uid not in there}
        provenance.put(project, experiment_id, provenance.made(study, label, series))
        return
    name = _name(made.study_instance_uid)
    before = decode(project.read_resource(RESOURCE, name, MAX_BYTES) or b"")
    keep_file(RESOURCE, name, provenance.merged(before, made).encoded())


def find(project: XnatProject, records: Records, asked: Catalogue, missing: Collection[str]) -> dict[str, int]:
    """Return of which series XNAT has left out all images after more than one send, and how many those are.

    Parameters
    ----------
    records
        What was read of the provenance of sessions.
    missing
        Studies of which the archive has nothing.
    """
    if not is_possible(project.scripts):
        return {}
    found: dict[str, int] = {}
    for record in (*records.known(), *_of_project(project, missing)):
        for uid, one in record.series.items():
            series = asked.series.get(uid)
            is_of_study = series is not None and series.study_instance_uid == record.study_instance_uid
            if series and is_of_study and _is_of(one, series, asked.wanted(uid)):
                found[uid] = one.left_out
    return found


def _of_project(project: XnatProject, missing: Collection[str]) -> list[Provenance]:
    if not missing:
        return []
    there = ask(project, lambda: project.resource_files(RESOURCE)) or ()
    names = [name for study in missing if (name := _name(study)) in there]
    contents = (ask(project, partial(project.read_resource, RESOURCE, name, MAX_BYTES)) for name in names)
    return [record for content in contents if content and (record := decode(content))]


def _is_of(one: SeriesProvenance, series: Series, wanted: Wanted) -> bool:
    """Whether XNAT has kept nothing of what is wanted now."""
    if one.archived_count or not one.left_out or is_outdated(one, series):
        return False
    if wanted.images is not None and one.images is not None:
        return wanted.images <= one.images
    return wanted.count <= one.image_count


def _record(uid: str, shipment: Shipment) -> SeriesProvenance:
    images = shipment.images.unpacked() if shipment.images else None
    return SeriesProvenance(
        shipment.source, shipment.count, images, "", uid, 0, shipment.sends, version=shipment.version
    )


def _name(study_instance_uid: str) -> str:
    return f"rejected-{study_instance_uid}.json"
