"""What XNAT's archive holds beside what was asked for: scans by UID, numbers of files, SOPInstanceUIDs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tcia_xnat.core.errors import FATAL, XnatError, XnatUnreachable
from tcia_xnat.core.model import Series
from tcia_xnat.core.words import counted
from tcia_xnat.destinations.xnat import provenance
from tcia_xnat.destinations.xnat.confirm import CHANGED
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import State, judge
from tcia_xnat.planning.identity import SamePatient, Templates
from tcia_xnat.planning.plan import expected_labels
from tcia_xnat.verify.archived import Found, Place, look, places
from tcia_xnat.verify.model import Row, Sign
from tcia_xnat.verify.whose import Sessions, strangers
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


def compare(  # noqa: PLR0913, PLR0917  what is there, what should be, and what the user said
    project: XnatProject,
    catalogue: Catalogue,
    asked: Catalogue,
    offered: Offered,
    templates: Templates | None = None,
    same: SamePatient | None = None,
) -> list[Row]:
    """Return a row for each series that is asked for, and for scans of their sessions that the catalogue lacks.

    Parameters
    ----------
    templates
        What labels are made of: sessions whose UIDs XNAT has changed are found by their labels.
    same
        Who is one, as the user says.

    Raises
    ------
    XnatError
        XNAT cannot be asked at all.
    """
    sessions = [session for session in project.archived_sessions() if not session.is_shared]  # those are of others
    waiting = {session.study_instance_uid for session in project.prearchive.sessions()}
    records = Records(partial(provenance.read, project))
    templates = templates or Templates()
    there = places(records, asked.series.values(), sessions, expected_labels(catalogue, templates))
    strange = strangers(catalogue, there, Sessions(sessions, records), templates, same or SamePatient())

    def row(series: Series) -> Row:
        uid = series.series_instance_uid
        return _row(project, series, there[uid], waiting, offered, strange.get(uid, ()))

    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "verify") as pool:
        rows = list(pool.map(row, asked.series.values()))
    for uid, error in asked.missing.items():
        where = ", ".join(session.label.session for session in sessions if uid in session.scans)
        rows.append(Row(Sign.ERROR if where else Sign.MISSING, uid, where=where, reasons=(str(error),)))
    recognized = {place.uid for found in there.values() for place in found}
    return rows + list(_extra(sessions, catalogue, recognized))


def _row(  # noqa: PLR0913, PLR0917  one series, and what is known of it
    project: XnatProject,
    series: Series,
    found: Sequence[Place],
    waiting: set[str],
    offered: Offered,
    strange: Sequence[str],
) -> Row:
    where = ", ".join(place.session.label.session for place in found)
    if not found:
        why = ("its study waits in the prearchive",) if series.study_instance_uid in waiting else ()
        return _made(series, Sign.MISSING, 0, where, why)
    try:
        held = [look(project, place) for place in found]
        wrong = tuple(_wrong(series, held, offered))
        unknown = tuple(_unknown(series, held, offered))
    except FATAL:
        raise
    except XnatError as error:
        if isinstance(error, XnatUnreachable) and project.is_away():
            raise
        return _made(series, Sign.ERROR, 0, where, (str(error),))
    sign = Sign.STRANGER if strange else Sign.DIFFERS if wrong else Sign.ERROR if unknown else Sign.SAME
    changed = tuple(CHANGED.format(one.place.scan_id) for one in held if one.is_changed(series))
    return _made(series, sign, held[0].count or 0, where, (*strange, *wrong, *unknown, *changed))


def _unknown(series: Series, held: Sequence[Found], offered: Offered) -> Iterator[str]:
    for one in held:
        judged = judge(one.wanted(series, offered.sop_instance_uids(series)), one.holding(series))
        if judged.state is State.UNKNOWN:
            yield f"XNAT holds {judged}"


def _wrong(series: Series, held: Sequence[Found], offered: Offered) -> Iterator[str]:
    if len(held) > 1:
        names = ", ".join(one.place.session.label.session for one in held)
        yield f"the archive holds it in {len(held)} sessions: {names}"
    for one in held:
        study, is_changed = one.place.session.study_instance_uid, one.is_changed(series)
        is_recorded = one.place.whose is not None  # a script may have changed the StudyInstanceUID alone
        if study != series.study_instance_uid and not is_changed and not is_recorded:
            yield f"it lies in a session of study {study or '(none)'}"
        if one.is_outdated(series):
            yield "the archive has an earlier version of it: IDC has revised it since"
        yield from _wrong_count(one, series, offered)
        if one.images is not None:
            wanted = None if is_changed else one.wanted(series, offered.sop_instance_uids(series)).images
            yield from _wrong_images(one, wanted)


def _wrong_count(found: Found, series: Series, offered: Offered) -> Iterator[str]:
    count, record = found.count, found.place.record
    if count is None or not series.image_count or count == series.image_count:
        return
    if record and record.left_out and count == record.archived_count:
        lacking = f"XNAT has left out {record.left_out} that it was sent twice"
        yield f"{counted(count, 'image')}, {series.image_count} expected: {lacking}"
    elif count != offered.image_count(series):
        yield f"{counted(count, 'image')}, {series.image_count} expected"


def _wrong_images(held: Found, wanted: frozenset[str] | None) -> Iterator[str]:
    images = held.images or ()
    if twice := [uid for uid, count in Counter(images).items() if count > 1]:
        yield f"{counted(len(twice), 'image is', 'images are')} there twice, first {twice[0]}"
    if held.count is not None and len(images) != held.count:
        yield f"the catalog lists {counted(len(images), 'image')}, {counted(held.count, 'file is', 'files are')} there"
    if wanted is not None and (lacking := wanted - set(images)):
        yield f"{counted(len(lacking), 'image is', 'images are')} missing, first {min(lacking)}"
    if wanted is not None and (beyond := set(images) - wanted):
        yield f"{counted(len(beyond), 'image is', 'images are')} not of this series, first {min(beyond)}"


def _extra(sessions: Sequence[ArchivedSession], catalogue: Catalogue, recognized: AbstractSet[str]) -> Iterator[Row]:
    """Yield the scans that nobody asked for, in the sessions of studies that were asked for."""
    studies: Mapping[str, str] = {one.study_instance_uid: one.patient_id for one in catalogue.series.values()}
    for session in sessions:
        if session.study_instance_uid in studies:
            for uid in sorted(set(session.scans) - set(catalogue.series) - set(catalogue.missing) - recognized):
                study = session.study_instance_uid
                yield Row(
                    Sign.EXTRA, uid, study, studies[study], where=session.label.session, reasons=("not asked for",)
                )


def _made(series: Series, sign: Sign, found: int, where: str, reasons: tuple[str, ...]) -> Row:
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
