"""Reading back from the archive that series are there with all of their images (xnat-http.md §16.16)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tcia_xnat.model import Label
from tcia_xnat.xnat.project import XnatProject

_COUNT_TRIES, _COUNT_SECONDS = 5, 1.0  # counts may be empty until XNAT has cleaned up behind itself (§10.4)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of the session steps.

    Attributes
    ----------
    uri
        Where the archive has the session; empty when it is not archived.
    short
        SeriesInstanceUID → what is wrong with it, for series that XNAT does not hold as they were sent.
    """

    uri: str = ""
    short: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the archive has everything."""
        return bool(self.uri) and not self.short


def confirm(project: XnatProject, label: Label, sent: Mapping[str, int | None]) -> Finished:
    """Compare what the archive holds under a label with what was sent.

    Parameters
    ----------
    sent
        SeriesInstanceUID → number of images; None when it is not known, so that the archive proves nothing.
    """
    uri = project.experiment_uri(label)
    experiment_id = project.experiment_id(uri)
    if not experiment_id:
        return Finished(short=dict.fromkeys(sent, "the archive does not have its session"))
    scans = project.scans(experiment_id)
    counts = _counts(project, experiment_id, {scans[uid] for uid in sent if uid in scans})
    return Finished(uri, missing(sent, {uid: counts.get(scan, 0) for uid, scan in scans.items()}))


def missing(sent: Mapping[str, int | None], counts: Mapping[str, int | None]) -> dict[str, str]:
    """Return what is missing of each series; a count that XNAT does not tell proves nothing and is let pass."""
    short: dict[str, str] = {}
    for uid, expected in sent.items():
        count = counts.get(uid, 0)
        if expected is None:
            short[uid] = "nobody knows how many images it has"
        elif count is not None and count < expected:
            short[uid] = f"XNAT holds {count} of the {expected} images that it took"
    return short


def _counts(project: XnatProject, experiment_id: str, scan_ids: set[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _ in range(_COUNT_TRIES):
        counts = project.image_counts(experiment_id)
        if scan_ids <= counts.keys():
            break
        project.refresh_counts(experiment_id)
        project.patience.wait(_COUNT_SECONDS)
    for scan_id in scan_ids - counts.keys():
        counts[scan_id] = project.file_count(experiment_id, scan_id)
    return counts
