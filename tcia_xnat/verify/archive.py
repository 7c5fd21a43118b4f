"""What XNAT's archive holds beside what was asked for: scans by UID, numbers of files, SOPInstanceUIDs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tcia_xnat.catalogue import Catalogue
from tcia_xnat.errors import FATAL, XnatError, XnatUnreachable
from tcia_xnat.model import Series
from tcia_xnat.verify.model import Row, Sign
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_QUESTIONS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Offered:
    """What the other archives say of a series, asked only where it is needed.

    Attributes
    ----------
    image_count
        How many images NBIA counts, which may hold another version than IDC; None when it does not offer the series.
    sop_instance_uids
        Its images, where they can be told; None where not.
    """

    image_count: Callable[[Series], int | None] = lambda _series: None
    sop_instance_uids: Callable[[Series], frozenset[str] | None] = lambda _series: None


@dataclass(frozen=True, slots=True)
class _Held:
    """A series in one session of the archive; `images` are SOPInstanceUIDs, None where XNAT does not tell them."""

    session: ArchivedSession
    count: int
    images: tuple[str, ...] | None


def compare(project: XnatProject, catalogue: Catalogue, asked: Catalogue, offered: Offered) -> list[Row]:
    """Return a row for each series that is asked for, and for scans of their sessions that the catalogue lacks.

    Raises
    ------
    XnatError
        XNAT cannot be asked at all.
    """
    sessions = [session for session in project.archived_sessions() if not session.is_shared]  # those are of others
    waiting = {session.study_instance_uid for session in project.prearchive.sessions()}
    holders: dict[str, list[ArchivedSession]] = defaultdict(list)
    for session in sessions:
        for uid in session.scans:
            holders[uid].append(session)

    def row(series: Series) -> Row:
        return _row(project, series, holders.get(series.series_instance_uid, ()), waiting, offered)

    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "verify") as pool:
        rows = list(pool.map(row, asked.series.values()))
    for uid, error in asked.missing.items():
        where = ", ".join(session.label.session for session in holders.get(uid, ()))
        rows.append(Row(Sign.ERROR if where else Sign.MISSING, uid, where=where, reasons=(str(error),)))
    return rows + list(_extra(sessions, catalogue))


def _row(
    project: XnatProject,
    series: Series,
    sessions: Sequence[ArchivedSession],
    waiting: set[str],
    offered: Offered,
) -> Row:
    if not sessions:
        why = ["its study waits in the prearchive"] if series.study_instance_uid in waiting else []
        return _made(series, Sign.MISSING, 0, sessions, tuple(why))
    try:
        held = [_held(project, series, session) for session in sessions]
        reasons = tuple(_wrong(series, held, offered))
    except FATAL:
        raise
    except XnatError as error:
        if isinstance(error, XnatUnreachable) and project.is_away():
            raise
        return _made(series, Sign.ERROR, 0, sessions, (str(error),))
    return _made(series, Sign.DIFFERS if reasons else Sign.SAME, held[0].count, sessions, reasons)


def _held(project: XnatProject, series: Series, session: ArchivedSession) -> _Held:
    scan_id = session.scans[series.series_instance_uid]
    images = project.sop_instance_uids(session.experiment_id, scan_id)
    count = project.file_count(session.experiment_id, scan_id)
    return _Held(session, count, images)


def _wrong(series: Series, held: Sequence[_Held], offered: Offered) -> Iterator[str]:
    if len(held) > 1:
        names = ", ".join(one.session.label.session for one in held)
        yield f"the archive holds it in {len(held)} sessions: {names}"
    for one in held:
        if one.session.study_instance_uid != series.study_instance_uid:
            yield f"it lies in a session of study {one.session.study_instance_uid or '(none)'}"
        expected = series.image_count
        if one.count != expected and one.count != offered.image_count(series):
            yield f"{one.count} images, {expected} expected"
        if one.images is not None:
            yield from _wrong_images(one, offered.sop_instance_uids(series))


def _wrong_images(held: _Held, wanted: frozenset[str] | None) -> Iterator[str]:
    images = held.images or ()
    if twice := [uid for uid, count in Counter(images).items() if count > 1]:
        yield f"{len(twice)} images are there twice, first {twice[0]}"
    if len(images) != held.count:
        yield f"the catalog lists {len(images)} images, {held.count} files are there"
    if wanted is not None and (lacking := wanted - set(images)):
        yield f"{len(lacking)} images are missing, first {min(lacking)}"
    if wanted is not None and (beyond := set(images) - wanted):
        yield f"{len(beyond)} images are not of this series, first {min(beyond)}"


def _extra(sessions: Sequence[ArchivedSession], catalogue: Catalogue) -> Iterator[Row]:
    """Yield the scans that nobody asked for, in the sessions of studies that were asked for."""
    studies: Mapping[str, str] = {one.study_instance_uid: one.patient_id for one in catalogue.series.values()}
    for session in sessions:
        if session.study_instance_uid in studies:
            for uid in sorted(set(session.scans) - set(catalogue.series) - set(catalogue.missing)):
                study = session.study_instance_uid
                yield Row(
                    Sign.EXTRA, uid, study, studies[study], where=session.label.session, reasons=("not asked for",)
                )


def _made(series: Series, sign: Sign, found: int, sessions: Sequence[ArchivedSession], reasons: tuple[str, ...]) -> Row:
    where = ", ".join(session.label.session for session in sessions)
    return Row(
        sign,
        series.series_instance_uid,
        series.study_instance_uid,
        series.patient_id,
        series.image_count,
        found,
        where,
        reasons,
    )
