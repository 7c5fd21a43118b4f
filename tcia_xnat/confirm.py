"""Reading back from the archive that series are there with all of their images (xnat-http.md §16.16)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.model import Label
from tcia_xnat.planning.completeness import Holding, Judgement, State, Wanted, judge, shortages
from tcia_xnat.xnat.project import XnatProject


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of the session steps.

    Attributes
    ----------
    uri
        Where the archive has the session; empty when it is not archived.
    short
        SeriesInstanceUID → how much of it XNAT holds, for series that are not there as they were sent.
    """

    uri: str = ""
    short: Mapping[str, Judgement] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the archive has everything."""
        return bool(self.uri) and not self.short


def confirm(project: XnatProject, label: Label, wanted: Mapping[str, Wanted]) -> Finished:
    """Compare what the archive holds under a label with what was sent."""
    uri = project.experiment_uri(label)
    experiment_id = project.experiment_id(uri)
    if not experiment_id:
        return Finished(short=shortages(wanted, {}))
    scans = project.scans(experiment_id)
    here = {uid: scans[uid] for uid in wanted if uid in scans}
    counts = count_images(project, experiment_id, set(here.values()))
    held = {uid: _held(project, experiment_id, scan, counts[scan], wanted[uid]) for uid, scan in here.items()}
    return Finished(uri, shortages(wanted, held))


def _held(project: XnatProject, experiment_id: str, scan_id: str, count: int | None, wanted: Wanted) -> Holding:
    """Return what a scan holds; its catalog is only read where sets can decide and the count does not say no."""
    counted = Holding(count)
    if wanted.images is None or judge(wanted, counted).state is not State.COMPLETE:
        return counted
    images = ask(project, lambda: project.sop_instance_uids(experiment_id, scan_id))
    return Holding(count, None if images is None else frozenset(images))
