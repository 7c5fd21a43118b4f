"""Whether all that lies in a session of the prearchive is in the archive, so that the copy there may go.

The prearchive shows names of files, no SOPInstanceUIDs. Where XNAT, or our zip, makes names of SOPInstanceUIDs, names
are compared as sets. Where it does not, only numbers are left: equal numbers then count as the same images.
"""

from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.model import Label
from tcia_xnat.planning.completeness import Holding, Judgement, Wanted, judge
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.scripts import Scripts, may_rename


def is_archived(project: XnatProject, url: str, label: Label) -> bool:
    """Whether the archive has, under a label, every image of a built session of the prearchive."""
    scans = project.prearchive.scans(url)
    experiment_id = project.experiment_id(project.experiment_uri(label))
    there = project.scans(experiment_id) if experiment_id else {}
    if not scans or not scans.keys() <= there.keys():
        return False
    compared = _by_name if _names_tell_images(project.scripts) else _by_number
    pairs = ((scan, (experiment_id, there[uid])) for uid, scan in scans.items())
    return all(compared(project, (url, scan), place).is_complete for scan, place in pairs)


def _names_tell_images(scripts: Scripts) -> bool:
    return scripts.template.is_unique is True or not may_rename(scripts)


def _by_name(project: XnatProject, copy: tuple[str, str], archived: tuple[str, str]) -> Judgement:
    names = project.prearchive.file_names(*copy)
    if names is None:
        return _by_number(project, copy, archived)
    held = ask(project, lambda: project.file_names(*archived))
    return judge(Wanted(len(names), names), Holding(None if held is None else len(held), held))


def _by_number(project: XnatProject, copy: tuple[str, str], archived: tuple[str, str]) -> Judgement:
    """Compare numbers, where nothing tells the images apart; what is not counted is not known to be there."""
    experiment_id, scan_id = archived
    count = project.prearchive.image_count(*copy)
    return judge(Wanted(count or 0), Holding(count_images(project, experiment_id, {scan_id})[scan_id]))
