"""The job to disk: the series of a manifest as verified files, step by step as the main job goes."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import FolderError, SpaceError, UsageError
from tcia_xnat.core.events import Noted, PassedOver, SeriesSettled, Tell
from tcia_xnat.core.executor import Workers
from tcia_xnat.core.model import Outcome
from tcia_xnat.destinations.disk.disk import Incoming
from tcia_xnat.destinations.disk.ground import Ground, look_at
from tcia_xnat.destinations.disk.index import collection_names, derived_series
from tcia_xnat.destinations.disk.kept import Kept
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.licence import Licences
from tcia_xnat.destinations.disk.metadata import write_metadata
from tcia_xnat.destinations.disk.survey import survey
from tcia_xnat.jobs.prepare import announce, asked_part, patience_of, prepare
from tcia_xnat.jobs.record import Reports, RunRecord, recorded
from tcia_xnat.jobs.tcia_to_xnat import Job, clients_of, read_manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Existing, Held
from tcia_xnat.planning.plan import Plan
from tcia_xnat.planning.settle import unbegun_outcome
from tcia_xnat.sources import registry
from tcia_xnat.sources.fetch import Fetcher
from tcia_xnat.sources.idc.index import IdcIndex
from tcia_xnat.sources.lookup import look_up
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.thumbnails import painter
from tcia_xnat.transfer.disk_worker import FolderLane
from tcia_xnat.transfer.scheduler import TransferResult
from tcia_xnat.transfer.work import Prepared, Run

_NO_PARTS = 1 << 62  # bytes: a zip of a series is made in one piece


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderJob(Job):
    """What one run to disk is asked to do."""

    project: str = ""
    layout: Layout = field(default_factory=Layout)

    @property
    def kept_path(self) -> Path:
        """File of what is remembered of the folder."""
        return self.state_dir / "folder.sqlite"

    @property
    def place(self) -> str:
        """Where series are when all is done, in words."""
        return "on disk"

    @property
    def parts_of(self) -> int:
        """Bytes above which a series of IDC comes in parts; a zip is made in one piece."""
        return _NO_PARTS if self.layout.zipped else self.spool_limit


def dry_run(job: FolderJob, stop: Stop) -> Prepared:
    """Plan without changing anything; what lies on disk counts when it is remembered and unchanged."""
    job, patience = _named(job), patience_of(job, stop)
    manifest = read_manifest(job, patience)
    with clients_of(job) as (idc, nbia), ExitStack() as opened:
        catalogue = look_up(manifest, idc, nbia, patience)
        kept = remembered(job, opened)
        asked = asked_part(job, catalogue)
        ground = _ground(job, catalogue, kept, stop)
        held = ground.held(asked.series.values(), kept) if kept else Held()
        return prepare(job, manifest, replace(catalogue, notes=catalogue.notes + ground.notes(asked.series)), held)


def remembered(job: FolderJob, opened: ExitStack) -> Kept | None:
    """Open what is remembered of the folder, for reading only; None when there is nothing that can be read."""
    try:
        return opened.enter_context(Kept(job.kept_path, writes=False)) if job.kept_path.exists() else None
    except (UsageError, FolderError):
        return None


def run(job: FolderJob, stop: Stop, tell: Tell, report: Reports = lambda _run: ()) -> Run:
    """Bring the series of the manifest to disk.

    Parameters
    ----------
    stop
        The wish to end early.
    tell
        Told what happens.
    report
        Writes the report.

    Raises
    ------
    Error
        What keeps the run from starting; what ends it early is in the result.
    """
    record = RunRecord(job)
    return recorded(record, partial(_run, record, job, stop, report), stop, tell, report)


def _run(record: RunRecord, job: FolderJob, stop: Stop, report: Reports, tell: Tell) -> Run:
    job, patience = _named(job), patience_of(job, stop, tell)
    record.job = job
    manifest = record.manifest = read_manifest(job, patience)
    tell(PassedOver(manifest.rejected, manifest.read))
    with clients_of(job) as (idc, nbia):
        catalogue = record.catalogue = look_up(manifest, idc, nbia, patience)
        stop.check()
        with Incoming(job.output_dir) as incoming, Kept(job.kept_path, say=lambda text: tell(Noted(text))) as kept:
            ground = _ground(job, catalogue, kept, stop)
            asked = asked_part(job, catalogue).series
            catalogue = record.catalogue = replace(catalogue, notes=catalogue.notes + ground.notes(asked))
            prepared = record.prepared = prepare(job, manifest, catalogue, ground.held(asked.values(), kept))
            room = Room(partial(registry.spooled, job.parts_of))
            _make_room(job, prepared.plan, room, ground)
            licences = Licences(job.output_dir, job.layout)
            licences.add_listed(asked.values())
            announce(prepared, tell)
            sources = registry.sources(idc, nbia, patience, job.parts_of, job, room)
            with painter(job.pictures_dir, job.thumbnails, len(prepared.plan.send)) as depict:
                lane = FolderLane(
                    job.output_dir,
                    job.layout,
                    ground.folders,
                    kept,
                    incoming,
                    licences,
                    Fetcher(sources, tuple(sources), tell, stop.check, depict),
                    idc,
                    patience,
                    job.spool_dir,
                    replaces=job.existing is Existing.APPEND,
                    found=ground.found,
                )
                record.is_moving = True
                result = _transfer(prepared.plan, lane, tell, stop, job.transfers)
            record.result = _with_metadata(job, catalogue, kept, result)
        done, _ = record.report(report)
    return done


def _transfer(plan: Plan, lane: FolderLane, tell: Tell, stop: Stop, transfers: int) -> TransferResult:
    """Carry out a plan: every series by itself."""
    workers, outcomes = Workers(stop), dict[str, Outcome]()

    def settle(outcome: Outcome) -> None:
        outcomes[outcome.series_instance_uid] = outcome
        tell(SeriesSettled(outcome))

    for outcome in plan.settled:
        settle(outcome)
    pool = ThreadPoolExecutor(transfers, "lane")
    try:
        for study in plan.studies:
            for series in study.send:
                workers.hand_out(pool, partial(lane.run, series, study.label), settle)
        workers.decide()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for study in plan.studies:
        for series in study.send:
            if series.series_instance_uid not in outcomes:
                error = workers.ended_by or stop.error()
                settle(unbegun_outcome(series.series_instance_uid, error, study.label))
    return TransferResult(tuple(outcomes.values()), workers.ended_by)


def _named(job: FolderJob) -> FolderJob:
    """Call collections as TCIA does where the layout is its own."""
    if not job.layout.classic:
        return job
    with closing(IdcIndex(job.idc_index)) as index:
        return replace(job, layout=replace(job.layout, collections=collection_names(index)))


def _ground(job: FolderJob, catalogue: Catalogue, kept: Kept | None, stop: Stop) -> Ground:
    """Look for all series of the catalogue, whichever part of it this run moves: their places stay the same."""
    find = partial(survey, readers=job.transfers, check=stop.check)
    return look_at(job.output_dir, job.layout, catalogue.series.values(), kept, find)


def _make_room(job: FolderJob, plan: Plan, room: Room, ground: Ground) -> None:
    """Let spools take what the largest series need, and refuse to start when they or the series may not fit.

    Raises
    ------
    SpaceError
    """
    spool = job.spool_dir or Path(tempfile.gettempdir())
    spools = room.limit(plan.send, job.transfers)
    total = sum(series.byte_count for series in plan.send if not ground.lies(series))
    is_one_disk = spool.stat().st_dev == job.output_dir.stat().st_dev
    for folder, needed, way_out in (
        (job.output_dir, total + spools * is_one_disk, "choose another disk, or take a part with --limit or --shard"),
        (spool, spools, "choose another disk with --spool-dir, or use fewer --transfers"),
    ):
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise SpaceError(f"the series need {needed} bytes, {folder} has {free} free", way_out)


def _with_metadata(job: FolderJob, catalogue: Catalogue, kept: Kept, result: TransferResult) -> TransferResult:
    """Bring metadata.csv up to date where the layout has one; what keeps it from being written ends the run."""
    if not job.layout.classic:
        return result
    with closing(IdcIndex(job.idc_index)) as index:
        derived = derived_series(index, list(catalogue.series))
    try:
        write_metadata(job.output_dir, job.layout, catalogue.series.values(), kept, derived)
    except (SpaceError, FolderError) as error:
        return replace(result, ended_by=result.ended_by or error)
    return result
