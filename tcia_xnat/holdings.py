"""What XNAT holds of the studies asked for, and what the ledger remembers of them: the truth a plan starts from."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tcia_xnat.catalogue import Catalogue
from tcia_xnat.destinations.xnat.counts import count_images
from tcia_xnat.ledger import Imported
from tcia_xnat.model import Label, SourceName
from tcia_xnat.plan import Held
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.xnat.prearchive import PrearchiveSession
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_QUESTIONS_AT_ONCE = 8  # sessions whose files are counted side by side


def look(  # noqa: PLR0913  what decides, each once
    project: XnatProject,
    catalogue: Catalogue,
    asked: Catalogue,
    remembered: Iterable[Imported],
    *,
    may_refresh: bool = True,
    is_alive: Callable[[str], bool] = lambda _mark: False,
) -> Held:
    """Ask XNAT what it holds: labels for the whole catalogue, images for the part that is asked for.

    A series counts as imported only when the ledger remembers that XNAT took it whole and its prearchive session
    is still the one it went to: what else lies in the prearchive may be the rest of a broken upload.

    Parameters
    ----------
    may_refresh
        Whether XNAT may be told to count what it has not counted; a dry run changes nothing.
    is_alive
        Whether a run, named by its mark, is at work beside this one: what it has sent is not ours to archive.
    """
    wanted = {series.study_instance_uid for series in catalogue.series.values()}
    archived = project.archived_sessions()
    waiting = project.prearchive.sessions()
    found = [session for session in archived if session.study_instance_uid in wanted]
    ours = [session for session in found if not session.is_shared]
    theirs = [session for session in waiting if session.study_instance_uid in wanted]
    urls = {session.url for session in waiting if not is_alive(session.mark)}
    remembered = list(remembered)
    known = {entry.prearchive for entry in remembered}
    taken = [session.label for session in archived] + [session.label for session in waiting]
    counted = _counted(project, ours, asked, may_refresh=may_refresh)
    return Held(
        labels=_labels([*reversed(ours), *reversed(theirs)]),
        archived_as={uid: label for uid, (_, label) in counted.items()},
        holdings={uid: Holding(count) for uid, (count, _) in counted.items()},
        imported={
            entry.series_instance_uid: entry
            for entry in remembered
            if entry.prearchive in urls and _is_same(entry, catalogue)
        },
        prearchive=_left(theirs, urls, known),
        left=frozenset(urls & known),
        shared={one.study_instance_uid: (one.shared_from, one.label) for one in found if one.is_shared},
        sessions=frozenset(label.session for label in taken),
        subjects=frozenset([*project.subject_labels(), *(label.subject for label in taken)]),
    )


def _is_same(entry: Imported, catalogue: Catalogue) -> bool:
    """Whether a series that was imported is still what it was: files on disk may have come or changed since."""
    series = catalogue.series.get(entry.series_instance_uid)
    return entry.source != SourceName.LOCAL or (
        series is not None and (entry.image_count, entry.byte_count) == (series.image_count, series.byte_count)
    )


def _labels(sessions: Iterable[ArchivedSession | PrearchiveSession]) -> dict[str, list[Label]]:
    labels: dict[str, list[Label]] = {}
    for session in sessions:
        labels.setdefault(session.study_instance_uid, []).append(session.label)
    return labels


def _left(
    sessions: Iterable[PrearchiveSession], over: Collection[str], known: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the sessions that runs of this tool have left, by study: people's own are theirs."""
    urls: dict[str, tuple[str, ...]] = {}
    for session in sessions:
        if session.url in over and (session.mark or session.url in known):
            urls[session.study_instance_uid] = (*urls.get(session.study_instance_uid, ()), session.url)
    return urls


def _counted(
    project: XnatProject, sessions: Iterable[ArchivedSession], asked: Catalogue, *, may_refresh: bool
) -> Mapping[str, tuple[int | None, Label]]:
    """Count the images of every archived series that was asked for; the fullest counts where it is there twice."""

    def count(session: ArchivedSession) -> dict[str, int | None]:
        wanted = {scan_id for uid, scan_id in session.scans.items() if uid in asked.series}
        return count_images(project, session.experiment_id, wanted, may_refresh=may_refresh)

    holding = [session for session in sessions if not asked.series.keys().isdisjoint(session.scans)]
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "holdings") as pool:
        counted = pool.map(count, holding)
        found: dict[str, tuple[int | None, Label]] = {}
        for session, counts in zip(holding, counted, strict=True):
            for uid, scan_id in session.scans.items():
                here = counts.get(scan_id), session.label
                found[uid] = max(here, found.get(uid, here), key=lambda one: -1 if one[0] is None else one[0])
    return {uid: one for uid, one in found.items() if uid in asked.series}
