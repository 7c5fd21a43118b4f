"""Comparing without moving anything: what was asked for beside the output folder, or beside a project of XNAT."""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import FolderError, SourceError, SpaceError, UsageError, XnatError
from tcia_xnat.core.model import Series
from tcia_xnat.core.retry import Patience
from tcia_xnat.destinations.disk.kept import Kept
from tcia_xnat.destinations.disk.presence import Known
from tcia_xnat.destinations.disk.proof import is_as_listed
from tcia_xnat.destinations.disk.scan import scan
from tcia_xnat.jobs.prepare import asked_part, patience_of
from tcia_xnat.jobs.tcia_to_disk import FolderJob, remembered
from tcia_xnat.jobs.tcia_to_xnat import Job, clients_of, read_manifest
from tcia_xnat.jobs.xnat_run import connection_of
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.settings import Login
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.sources.lookup import look_up
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.nbia.series import with_numbers_of
from tcia_xnat.verify import archive, disk
from tcia_xnat.verify.archive import Offered
from tcia_xnat.verify.model import Row
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.project import XnatProject, find_project

_LISTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared, and what came of it."""

    job: Job
    manifest: Manifest
    rows: Sequence[Row]
    one_way: bool = False
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    host: str = ""
    idc_version: str = ""


def verify_disk(job: FolderJob, stop: Stop, *, geometry: bool = False, one_way: bool = False) -> Verified:
    """Read everything in the output folder and compare it with what was asked for.

    Parameters
    ----------
    geometry
        Whether slices make volumes is looked at, too.
    one_way
        What is there beyond the manifest is no difference.

    Raises
    ------
    UsageError
        There is no such folder.
    Error
    """
    if not job.output_dir.is_dir():
        raise UsageError(f"there is no folder {job.output_dir}", "name the folder that holds the series")
    started, patience = datetime.now(UTC), patience_of(job, stop)
    manifest = read_manifest(job, patience)
    with clients_of(job) as (idc, nbia), ExitStack() as opened:
        catalogue = look_up(manifest, idc, nbia, patience)
        kept = remembered(job, opened)
        known = _known(asked_part(job, catalogue), kept, idc, patience)
    remembered_paths = chain.from_iterable(one.files or () for one in known.values())
    files = scan(job.output_dir, job.transfers, stop.check, geometry=geometry, remembered=remembered_paths)
    rows = disk.compare(known, [*catalogue.series, *catalogue.missing], files)
    _forget(job, rows)
    return Verified(job, manifest, rows, one_way, started, idc_version=catalogue.idc_version)


def _forget(job: FolderJob, rows: Sequence[Row]) -> None:
    """Drop from the state what was disproved, so that the next run fetches these series and no others."""
    wrong = [row.series_instance_uid for row in rows if row.is_disproved]
    if wrong and job.kept_path.exists():
        with (
            suppress(UsageError, sqlite3.Error),
            Kept(job.kept_path) as kept,
        ):  # a state that cannot be read proves nothing
            for uid in wrong:
                kept.forget(uid)


def verify_archive(
    job: Job,
    login: Login,
    stop: Stop,
    *,
    one_way: bool = False,
    report: Callable[[Verified], Sequence[Path]] = lambda _verified: (),
) -> Verified:
    """Compare what a project of XNAT holds with what was asked for.

    Parameters
    ----------
    one_way
        What is there beyond the manifest is no difference.
    report
        Writes the report; its files are kept in the project as well, best effort: Members cannot.

    Raises
    ------
    UsageError
        There is no such project, or this user may not see it.
    Error
    """
    started, patience = datetime.now(UTC), patience_of(job, stop)
    manifest = read_manifest(job, patience)
    with clients_of(job) as (idc, nbia), connection_of(job, login, patience) as connection:
        catalogue = look_up(manifest, idc, nbia, patience)
        project_id = find_project(connection, job.project)
        if not project_id:
            raise UsageError(f"project {job.project} is not there, or this user may not see it", "look at its ID")
        stop.check()
        project = XnatProject(connection, project_id)
        asked, offered = asked_part(job, catalogue), _offered(nbia, patience)
        rows = archive.compare(project, catalogue, asked, offered, job.templates, job.same_patient)
        named, version = replace(job, project=project_id), catalogue.idc_version
        verified = Verified(named, manifest, rows, one_way, started, login.host, version)
        with suppress(XnatError, FolderError, SpaceError):  # the caller writes it again, after the summary
            for path in report(verified):
                name = f"verify-{started:%Y%m%dT%H%M%SZ}/{path.name}"
                project.put_resource(job.report_resource, name, path.read_bytes(), seconds=ANSWER_SECONDS)
    return verified


def _known(asked: Catalogue, kept: Kept | None, idc: IDCClient | None, patience: Patience) -> dict[str, Known]:
    known = {uid: Known(series, series.image_count or None) for uid, series in asked.series.items()}
    known |= {uid: Known(Series(uid, "", ""), notes=(str(error),)) for uid, error in asked.missing.items()}
    remembered = {uid: found for uid, one in known.items() if kept and (found := _remembered(kept, one))}
    others = [one for uid, one in known.items() if uid not in remembered]
    with ThreadPoolExecutor(_LISTS_AT_ONCE, "verify") as pool:
        listed = pool.map(lambda one: _listed(one, idc, patience), others)
        return {**known, **remembered, **{one.series.series_instance_uid: one for one in listed}}


def _remembered(kept: Kept, known: Known) -> Known | None:
    entry = kept.series(known.series.series_instance_uid)
    if entry is None:
        return None
    files = {entry.path(file): file for file in kept.files(entry.series_instance_uid)}
    is_old = known.image_count is not None and not is_as_listed(entry, known.series)
    notes = ("the catalogue lists another version of it now",) if is_old else ()
    return replace(known, image_count=entry.image_count, files=files, notes=(*known.notes, *notes))


def _listed(known: Known, idc: IDCClient | None, patience: Patience) -> Known:
    series = known.series
    if idc is None or not series.is_in_idc:
        return known
    try:
        objects = patience.call(lambda: idc.list_objects(series.aws_bucket, series.crdc_series_uuid))
    except SourceError as error:
        return replace(known, errors=(f"its hashes are not known: {error}",))
    hashes = [stored.md5 for stored in objects]
    return replace(known, hashes=hashes if all(hashes) else ())


def _offered(nbia: TCIAClient | None, patience: Patience) -> Offered:
    """Ask NBIA for what IDC's index does not tell."""
    if nbia is None:
        return Offered()
    return Offered(
        lambda series: _count(nbia, series, patience),
        lambda series: None if series.is_in_idc else _images(nbia, series, patience),
    )


def _count(nbia: TCIAClient, series: Series, patience: Patience) -> int | None:
    uid = series.series_instance_uid
    try:
        rows = patience.call(lambda: nbia.series_rows([uid])).rows.get(uid)
        return with_numbers_of(series, rows).image_count if rows else None
    except SourceError:
        return None


def _images(nbia: TCIAClient, series: Series, patience: Patience) -> frozenset[str] | None:
    try:
        found = patience.call(lambda: nbia.get_sop_instance_uids(series.series_instance_uid))
    except SourceError:
        return None
    return frozenset(found) or None
