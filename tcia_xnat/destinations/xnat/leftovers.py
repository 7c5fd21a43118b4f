"""Whether all that lies in a session of the prearchive is in the archive, so that the copy there may go.

The prearchive shows names of files, no SOPInstanceUIDs. Where XNAT, or our zip, makes names of SOPInstanceUIDs, names
are compared as sets. Where it does not, only numbers are left: equal numbers then count as the same images.
"""

from collections.abc import Mapping

from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat import provenance
from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.planning import left_out
from tcia_xnat.planning.completeness import Holding, Judgement, Wanted, judge
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.scripts import Scripts, may_rename


def is_archived(project: XnatProject, url: str, label: Label) -> bool:
    """Whether the archive has, under a label, every image of a built session of the prearchive that XNAT keeps."""
    scans = project.prearchive.scans(url)
    experiment_id = project.experiment_id(project.experiment_uri(label))
    if not scans or not experiment_id:
        return False
    there = project.scans(experiment_id)
    lacking = {
        uid: scan for uid, scan in scans.items() if not _has(project, (url, scan), (experiment_id, there.get(uid)))
    }
    return not lacking or _were_sent(project, url, lacking, experiment_id, there)


def holds_no_more(project: XnatProject, url: str, than: str) -> bool:
    """Whether a built session of the prearchive holds no other images than another one there."""
    prearchive = project.prearchive
    scans, others = prearchive.scans(url), prearchive.scans(than)
    return bool(scans) and all(
        uid in others and _is_copied(project, (url, scan), (than, others[uid])) for uid, scan in scans.items()
    )


def _is_copied(project: XnatProject, copy: tuple[str, str], other: tuple[str, str]) -> bool:
    names, there = project.prearchive.file_names(*copy), project.prearchive.file_names(*other)
    if names is not None and there is not None and _names_tell_images(project.scripts):
        return names <= there
    count, most = project.prearchive.image_count(*copy), project.prearchive.image_count(*other)
    return count is not None and most is not None and count <= most


def _has(project: XnatProject, copy: tuple[str, str], archived: tuple[str, str | None]) -> bool:
    experiment_id, scan_id = archived
    if scan_id is None:
        return False
    compared = _by_name if _names_tell_images(project.scripts) else _by_number
    return compared(project, copy, (experiment_id, scan_id)).is_complete


def _were_sent(
    project: XnatProject, url: str, scans: Mapping[str, str], experiment_id: str, there: Mapping[str, str]
) -> bool:
    """Whether the archive has of these series what XNAT keeps of them: its scripts change UIDs, or leave out images.

    The provenance of the session tells what was sent of each and what came of it, as a number.
    """
    if not left_out.is_possible(project.scripts) and project.scripts.changes_uids is False:
        return False
    record = provenance.read(project, experiment_id)
    sent = {uid: record.series[uid] for uid in scans if uid in record.series} if record else {}
    if len(sent) < len(scans) or not all(one.is_settled for one in sent.values()):
        return False
    if any(uid in there and not one.left_out for uid, one in sent.items()):
        return False  # the archive has all that was sent: what it lacks is another image
    counted = count_images(project, experiment_id, {one.scan_id for one in sent.values() if one.scan_id})
    return all(
        (project.prearchive.image_count(url, scan) or one.image_count + 1) <= one.image_count
        and (counted[one.scan_id] if one.scan_id else 0) == one.archived_count
        for one, scan in ((sent[uid], scan) for uid, scan in scans.items())
    )


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
