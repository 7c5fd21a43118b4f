"""Number of images in each scan of an archived session, asked for until it is known.

XNAT's counts may be empty until it has cleaned up after archiving (xnat-http.md §10.4). Then the session is refreshed,
which not every user may do, then the files of a scan are listed, then its catalog is read. A count that none of them
gives is None: unknown.
"""

from collections.abc import Callable, Collection
from typing import TypeVar

from tcia_xnat.core.errors import LoginRefused, Stopped, XnatError, XnatUnreachable
from tcia_xnat.xnat.project import XnatProject

Result = TypeVar("Result")

_TRIES, _SECONDS = 5, 1.0


def count_images(
    project: XnatProject, experiment_id: str, scan_ids: Collection[str], *, may_refresh: bool = True
) -> dict[str, int | None]:
    """Return the number of images by scan ID; None where XNAT does not tell it in any way.

    Parameters
    ----------
    scan_ids
        Scans that must be counted; others are in the answer when XNAT has counted them.
    may_refresh
        Whether XNAT may be told to count: a plan changes nothing.
    """
    counts: dict[str, int | None] = dict(project.image_counts(experiment_id))
    wanted = set(scan_ids)
    for _ in range(_TRIES if may_refresh else 0):
        if wanted <= counts.keys() or not _is_refreshed(project, experiment_id):
            break
        project.patience.wait(_SECONDS)
        counts.update(project.image_counts(experiment_id))
    for scan_id in sorted(wanted - counts.keys()):
        counts[scan_id] = _listed(project, experiment_id, scan_id)
    return counts


def ask(project: XnatProject, action: Callable[[], Result]) -> Result | None:
    """Return what an action returns; None when XNAT refuses it.

    Raises
    ------
    XnatUnreachable
        XNAT answers nothing at all.
    LoginRefused, Stopped
    """
    try:
        return action()
    except (LoginRefused, Stopped):
        raise
    except XnatError as error:
        if isinstance(error, XnatUnreachable) and project.is_away():
            raise
        return None


def _is_refreshed(project: XnatProject, experiment_id: str) -> bool:
    """Have XNAT count; users without the right to edit the session are refused."""

    def refresh() -> bool:
        project.refresh_counts(experiment_id)
        return True

    return bool(ask(project, refresh))


def _listed(project: XnatProject, experiment_id: str, scan_id: str) -> int | None:
    """Count the files that XNAT lists for a scan, else the entries of its catalog."""
    count = ask(project, lambda: project.file_count(experiment_id, scan_id))
    if count is None:
        images = ask(project, lambda: project.sop_instance_uids(experiment_id, scan_id))
        count = None if images is None else len(images)
    return count
