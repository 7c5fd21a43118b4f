"""What the sessions of the archive hold of the series that are asked for: counted, and compared image by image.

Where the SOPInstanceUIDs of a series are known, equal numbers are not enough. The provenance of the session lists what
was sent; where it lists something else than XNAT counts, or is missing, the catalog of the scan is read.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tcia_xnat.core.model import Label, Series
from tcia_xnat.destinations.xnat.counts import ask, count_images
from tcia_xnat.destinations.xnat.provenance import Records
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Holding, Wanted, compared, judge
from tcia_xnat.planning.provenance import SeriesProvenance
from tcia_xnat.xnat.project import ArchivedSession, XnatProject

_QUESTIONS_AT_ONCE = 8  # sessions whose files are counted side by side


@dataclass(frozen=True, slots=True)
class Found:
    """What a session of the archive has of a series; `count` is what XNAT counts, None where it does not."""

    label: Label
    count: int | None
    holding: Holding


def find(
    project: XnatProject,
    sessions: Iterable[ArchivedSession],
    asked: Catalogue,
    records: Records,
    *,
    may_refresh: bool = True,
) -> dict[str, Found]:
    """Return what the archive has, by SeriesInstanceUID; of a series that is there twice, the fullest."""

    def look(session: ArchivedSession) -> dict[str, Found]:
        return _in_session(project, session, asked, records, may_refresh=may_refresh)

    holding = [session for session in sessions if not asked.series.keys().isdisjoint(session.scans)]
    found: dict[str, Found] = {}
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "holdings") as pool:
        for here in pool.map(look, holding):
            for uid, one in here.items():
                found[uid] = max(one, found.get(uid, one), key=_fullness)
    return found


def _fullness(found: Found) -> int:
    return -1 if found.holding.count is None else found.holding.count


def _in_session(
    project: XnatProject, session: ArchivedSession, asked: Catalogue, records: Records, *, may_refresh: bool
) -> dict[str, Found]:
    scans = {uid: scan_id for uid, scan_id in session.scans.items() if uid in asked.series}
    counts = count_images(project, session.experiment_id, set(scans.values()), may_refresh=may_refresh)
    record = records.of(session.experiment_id)
    found: dict[str, Found] = {}
    for uid, scan_id in scans.items():
        recorded = record.series.get(uid) if record else None
        count = counts.get(scan_id)
        if recorded and is_outdated(recorded, asked.series[uid]):
            found[uid] = Found(session.label, count, Holding(0))
            continue
        wanted = asked.wanted(uid)
        holding = _holding(project, (session.experiment_id, scan_id), count, recorded, wanted)
        found[uid] = Found(session.label, count, compared(wanted, holding))
    return found


def is_outdated(recorded: SeriesProvenance, series: Series) -> bool:
    """Whether IDC has revised a series since it was archived."""
    return bool(recorded.version and series.crdc_series_uuid) and recorded.version != series.crdc_series_uuid


def _holding(
    project: XnatProject,
    place: tuple[str, str],
    count: int | None,
    recorded: SeriesProvenance | None,
    wanted: Wanted,
) -> Holding:
    """Return what a scan holds; its images are only asked for where they can decide."""
    if wanted.images is None or not judge(wanted, Holding(count)).is_complete:
        return Holding(count)
    if recorded and recorded.lists(count):
        return Holding(count, recorded.images)
    images = ask(project, lambda: project.sop_instance_uids(*place))
    may_change = project.scripts.changes_uids is not False
    if images is None or (may_change and wanted.images.isdisjoint(images)):
        return Holding(count)
    return Holding(count, frozenset(images))


def images_recorded(holdings: Mapping[str, Holding], asked: Catalogue) -> dict[str, Holding]:
    """Return holdings that are known from provenance, compared with what is wanted."""
    return {uid: compared(asked.wanted(uid), one) if uid in asked.series else one for uid, one in holdings.items()}
