"""What XNAT holds of the studies asked for, and what the ledger remembers of them: the truth a plan starts from."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tcia_xnat.catalogue import Catalogue
from tcia_xnat.ledger import Imported
from tcia_xnat.model import Label
from tcia_xnat.plan import Held
from tcia_xnat.xnat.prearchive import PrearchiveSession
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_QUESTIONS_AT_ONCE = 8  # sessions whose files are counted side by side


def look(project: XnatProject, catalogue: Catalogue, asked: Catalogue, remembered: Iterable[Imported]) -> Held:
    """Ask XNAT what it holds: labels for the whole catalogue, images for the part that is asked for.

    A series counts as imported only when the ledger remembers that XNAT took it whole and its prearchive session
    is still the one it went to: what else lies in the prearchive may be the rest of a broken upload.
    """
    wanted = {series.study_instance_uid for series in catalogue.series.values()}
    archived = project.archived_sessions()
    waiting = project.prearchive.sessions()
    ours = [session for session in archived if session.study_instance_uid in wanted]
    theirs = [session for session in waiting if session.study_instance_uid in wanted]
    urls = {session.url for session in waiting}
    taken = [session.label for session in archived] + [session.label for session in waiting]
    return Held(
        labels=_labels([*theirs, *ours]),  # the archive's word comes last and counts
        image_counts=_image_counts(project, ours, asked),
        imported={entry.series_instance_uid: entry for entry in remembered if entry.prearchive in urls},
        prearchive=_left(theirs),
        sessions=frozenset(label.session for label in taken),
        subjects=frozenset([*project.subject_labels(), *(label.subject for label in taken)]),
    )


def _labels(sessions: Iterable[ArchivedSession | PrearchiveSession]) -> dict[str, Label]:
    return {session.study_instance_uid: session.label for session in sessions}


def _left(sessions: Iterable[PrearchiveSession]) -> dict[str, tuple[str, ...]]:
    """Return the sessions that imports like ours made, by study: people's own are theirs."""
    urls: dict[str, tuple[str, ...]] = {}
    for session in sessions:
        if session.prevents_auto_commit:
            urls[session.study_instance_uid] = (*urls.get(session.study_instance_uid, ()), session.url)
    return urls


def _image_counts(
    project: XnatProject, sessions: Iterable[ArchivedSession], asked: Catalogue
) -> Mapping[str, int | None]:
    """Count the images of every archived series that was asked for; the fullest counts where it is there twice."""
    holding = [session for session in sessions if not asked.series.keys().isdisjoint(session.scans)]
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "holdings") as pool:
        counted = pool.map(project.image_counts, (session.experiment_id for session in holding))
        found: dict[str, int | None] = {}
        for session, counts in zip(holding, counted, strict=True):
            for uid, scan_id in session.scans.items():
                found[uid] = max(counts.get(scan_id), found.get(uid), key=lambda count: -1 if count is None else count)
    return {uid: count for uid, count in found.items() if uid in asked.series}
