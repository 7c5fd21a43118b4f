"""What XNAT holds of the studies asked for, and what the ledger remembers of them: the truth a plan starts from."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from tcia_xnat.catalogue import Catalogue
from tcia_xnat.destinations.xnat.counts import count_images
from tcia_xnat.destinations.xnat.recognize import Recognized, left_out, recognize
from tcia_xnat.ledger import Imported
from tcia_xnat.model import Label, Series, SourceName
from tcia_xnat.planning.completeness import Holding, Wanted, judge
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.left_out import is_possible
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
    is_over: Callable[[str], bool] = lambda _mark: False,
    expected: Mapping[str, Label] = MappingProxyType({}),
    archived_before: Mapping[str, Sequence[Label]] = MappingProxyType({}),
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
    is_over
        Whether a run, named by its mark, was one of this output folder and has ended: what it left is taken over at
        once, also what it had not noted yet when it was killed.
    expected
        StudyInstanceUID → label that it would have in an empty project, by which it is found when its UID is changed.
    archived_before
        StudyInstanceUID → labels under which the ledger knows that it is archived with changed UIDs.
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
    known_studies = {one.study_instance_uid for one in ours} | {one.study_instance_uid for one in theirs}
    changed = recognize(
        project,
        _missing(catalogue, known_studies, expected),
        [session for session in archived if session.study_instance_uid not in wanted],
        expected,
        archived_before,
    )
    return Held(
        labels=_labels([*reversed(ours), *reversed(theirs)]) | {uid: [one] for uid, one in changed.labels.items()},
        archived_as={uid: label for uid, (_, label) in counted.items()} | _archived_as(catalogue, changed),
        holdings={uid: Holding(count) for uid, (count, _) in counted.items()} | changed.holdings,
        changed=changed.notes,
        changed_studies=frozenset(changed.labels),
        left_out=changed.left_out | left_out(project, ours, _short(asked, counted)),
        unclear=changed.unclear,
        imported={
            entry.series_instance_uid: entry
            for entry in remembered
            if (entry.prearchive in urls or entry.kept == 0)  # of that nothing waits
            and _is_same(entry, catalogue)
            and (entry.kept is None or is_possible(project.scripts))
        },
        prearchive=_left(theirs, urls, known),
        left=frozenset(urls & known) | {one.url for one in waiting if one.mark and is_over(one.mark)},
        shared={one.study_instance_uid: (one.shared_from, one.label) for one in found if one.is_shared},
        sessions=frozenset(label.session for label in taken),
        subjects=frozenset([*project.subject_labels(), *(label.subject for label in taken)]),
    )


def _missing(catalogue: Catalogue, known: Collection[str], expected: Mapping[str, Label]) -> dict[str, list[Series]]:
    """Return the series by study of those studies that XNAT has not under the UID that was published."""
    missing: dict[str, list[Series]] = {}
    for series in catalogue.series.values():
        study = series.study_instance_uid
        if study not in known and study in expected:
            missing.setdefault(study, []).append(series)
    return missing


def _short(asked: Catalogue, counted: Mapping[str, tuple[int | None, Label]]) -> dict[str, int | None]:
    """Return the number of images of each series that is in the archive and not complete there."""
    return {
        uid: count
        for uid, (count, _) in counted.items()
        if not judge(Wanted(asked.series[uid].image_count), Holding(count)).is_complete
    }


def _archived_as(catalogue: Catalogue, changed: Recognized) -> dict[str, Label]:
    return {uid: changed.labels[catalogue.series[uid].study_instance_uid] for uid in changed.holdings}


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
