"""The main job: the series of a manifest into a project of XNAT, step by step (design: the way of a series)."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from heapq import nlargest
from pathlib import Path

from tcia_xnat import manifest as manifests
from tcia_xnat import plan as plans
from tcia_xnat.catalogue import Catalogue, look_up
from tcia_xnat.clients.idc import IDC_URL, IDCClient
from tcia_xnat.clients.tcia import NBIA_URL, TCIAClient
from tcia_xnat.clients.web import SILENT_SECONDS
from tcia_xnat.errors import Error, RightsRefused, SpaceError, Stopped, XnatUnreachable
from tcia_xnat.events import Event, NotKept, Planned, Retrying, Tell
from tcia_xnat.holdings import look
from tcia_xnat.lane import Lane
from tcia_xnat.ledger import Ledger
from tcia_xnat.manifest import Manifest
from tcia_xnat.model import Label, Series, SourceName
from tcia_xnat.pictures import painter
from tcia_xnat.plan import Existing, Held, Plan
from tcia_xnat.retry import RETRY_WAIT, Patience, RetryPolicy
from tcia_xnat.sources import Source
from tcia_xnat.sources.idc import IdcSource
from tcia_xnat.sources.nbia import NbiaSource
from tcia_xnat.stop import Stop
from tcia_xnat.timeline import Measured, Timeline
from tcia_xnat.transfer import TransferResult, transfer
from tcia_xnat.xnat.connection import MAX_OUTAGE, XnatConnection
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.workflow import WorkflowProgress

SOURCES = {
    "auto": (SourceName.IDC, SourceName.NBIA),
    "idc": (SourceName.IDC,),
    "nbia": (SourceName.NBIA,),
}
_HURRIED_SECONDS = 1.0  # a stopped run has few left
THUMBNAILS = 96  # pixels of the longer side of a picture in the report
SPOOL_LIMIT = 8_000_000_000  # bytes; a larger series of IDC goes in several packages


@dataclass(frozen=True, slots=True)
class Login:
    """Where XNAT is, and who asks."""

    host: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is asked to do; the defaults are those of the command line."""

    manifest: Path
    output_dir: Path
    project: str
    source: str = "auto"
    transfers: int = 4
    retries: int = 5
    existing: Existing = Existing.SKIP
    limit: int | None = None
    shard: tuple[int, int] | None = None
    archive: bool = True
    create_project: bool = True
    subject_label: str = "{PatientID}"
    session_label: str = "{PatientID}"
    spool_dir: Path | None = None
    spool_limit: int = SPOOL_LIMIT
    nbia_url: str = NBIA_URL
    idc_url: str = IDC_URL
    idc_index: str | None = None
    max_outage: float = MAX_OUTAGE
    retry_wait: float = RETRY_WAIT
    source_timeout: float = SILENT_SECONDS
    thumbnails: int = THUMBNAILS
    run_name: str = ""
    workflow_id: str = ""

    @property
    def report_dir(self) -> Path:
        """Folder of the report."""
        return self.output_dir / "report" / self.run_name

    @property
    def pictures_dir(self) -> Path:
        """Folder of the pictures of series, kept from run to run."""
        return self.output_dir / "state" / "pictures"

    @property
    def ledger_path(self) -> Path:
        """File of the ledger."""
        return self.output_dir / "state" / "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first byte moves."""

    manifest: Manifest
    catalogue: Catalogue
    labels: Mapping[str, Label]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was to do and did, for the report; `host` is the address of XNAT."""

    job: Job
    prepared: Prepared
    result: TransferResult
    started: datetime
    ended: datetime
    host: str = ""
    measured: Measured = field(default_factory=Measured)


def dry_run(job: Job, login: Login | None, stop: Stop) -> Prepared:
    """Plan without changing anything; without a login, as if XNAT held nothing."""
    manifest, patience = manifests.read(job.manifest), _patience(job, stop)
    with _clients(job) as (idc, nbia):
        catalogue = look_up(manifest, idc, nbia, patience)
    if login is None:
        return _prepare(job, manifest, catalogue, Held())
    with _connection(job, login, patience) as connection:
        project = XnatProject(connection, job.project)
        held = look(project, catalogue, _asked(job, catalogue), ()) if project.exists() else Held()
    return _prepare(job, manifest, catalogue, held)


def run(
    job: Job, login: Login, stop: Stop, tell: Tell, report: Callable[[Run], Iterable[Path]] = lambda _run: ()
) -> Run:
    """Bring the series of the manifest into the project.

    Parameters
    ----------
    stop
        The wish to end early.
    tell
        Told what happens.
    report
        Writes the report; the files that it returns are kept in the project, too.

    Raises
    ------
    Error
        What keeps the run from starting; what ends it early is in the result.
    """
    started, timeline = datetime.now(UTC), Timeline()
    tell = _both(timeline, tell)
    manifest, patience = manifests.read(job.manifest), _patience(job, stop, tell)
    with (
        _clients(job) as (idc, nbia),
        _connection(job, login, patience) as connection,
        _progress(job, connection, tell) as tell_all,
        Ledger(job.ledger_path, login.host, job.project) as ledger,
    ):
        project = XnatProject(connection, job.project)
        catalogue = look_up(manifest, idc, nbia, patience)
        stop.check()
        _claim(project, job, manifest)
        held = look(project, catalogue, _asked(job, catalogue), ledger.imported())
        stop.check()
        prepared = _prepare(job, manifest, catalogue, held)
        _make_room(job, prepared.plan)
        project.put_resource("MANIFEST_MODIFIED", manifest.name, _modified(prepared))
        tell_all(_planned(prepared.plan))
        sources = _sources(idc, nbia, job, patience)
        listed = partial(_listed, idc)
        with painter(job.pictures_dir, job.thumbnails, len(prepared.plan.send)) as depict:
            lane = Lane(project, sources, SOURCES[job.source], tell_all, stop.check, listed, job.spool_dir, depict)
            result = transfer(prepared.plan, lane, ledger, tell_all, stop, transfers=job.transfers, archive=job.archive)
        done = Run(job, prepared, result, started, datetime.now(UTC), login.host, timeline.measured())
        _keep(project, done, report(done), tell)
    return done


def _prepare(job: Job, manifest: Manifest, catalogue: Catalogue, held: Held) -> Prepared:
    # labels are those of the whole manifest, whichever part of it this run moves
    labels = plans.assign_labels(catalogue, held, job.subject_label, job.session_label)
    return Prepared(manifest, catalogue, labels, plans.make(_asked(job, catalogue), held, labels, job.existing))


def _asked(job: Job, catalogue: Catalogue) -> Catalogue:
    part = plans.shard(catalogue, *job.shard) if job.shard else catalogue
    return plans.limited(part, job.limit)


@contextmanager
def _clients(job: Job) -> Iterator[tuple[IDCClient | None, TCIAClient | None]]:
    names = SOURCES[job.source]
    with ExitStack() as opened:
        idc = nbia = None
        if SourceName.IDC in names:
            idc = opened.enter_context(closing(IDCClient(job.idc_url, job.idc_index, job.source_timeout)))
        if SourceName.NBIA in names:
            nbia = opened.enter_context(closing(TCIAClient(job.nbia_url, job.source_timeout)))
        yield idc, nbia


def _connection(job: Job, login: Login, patience: Patience) -> closing[XnatConnection]:
    return closing(XnatConnection(login.host, login.user, login.password, patience, job.max_outage))


@contextmanager
def _progress(job: Job, connection: XnatConnection, tell: Tell) -> Iterator[Tell]:
    """Tell the workflow that XNAT shows as well, if the run has one."""
    if not job.workflow_id:
        yield tell
        return
    workflow = WorkflowProgress(job.workflow_id)
    workflow.start(connection)
    with closing(workflow):
        yield _both(workflow, tell)


def _both(first: Tell, second: Tell) -> Tell:
    def tell_both(event: Event) -> None:
        first(event)
        second(event)

    return tell_both


def _keep(project: XnatProject, run: Run, files: Iterable[Path], tell: Tell) -> None:
    """Keep the report in the project, by the name of its run; best effort."""
    name = run.job.run_name or f"run-{run.started:%Y%m%dT%H%M%SZ}"
    seconds = _HURRIED_SECONDS if isinstance(run.result.ended_by, Stopped) else ANSWER_SECONDS
    for file in () if isinstance(run.result.ended_by, XnatUnreachable) else files:
        try:
            project.put_resource("TCIA_INGEST", f"{name}/{file.name}", file.read_bytes(), seconds=seconds)
        except Error as error:
            tell(NotKept(file.name, error))
            return


def _claim(project: XnatProject, job: Job, manifest: Manifest) -> None:
    """Have a project that this user may write to; the manifest itself is the proof, and kept there."""
    if not project.exists():
        if not job.create_project:
            raise RightsRefused(
                f"project {job.project} is not there, or this user may not see it",
                "leave --no-create-project out to have it created",
            )
        project.create()
    project.put_resource("MANIFEST_ORIGINAL", manifest.name, manifest.original)


def _modified(prepared: Prepared) -> bytes:
    sessions = {
        uid: prepared.labels[series.study_instance_uid].session for uid, series in prepared.catalogue.series.items()
    }
    return manifests.write_modified(prepared.manifest, sessions).encode()


def _make_room(job: Job, plan: Plan) -> None:
    """Refuse to start when the spools of all lanes may not fit on their disk.

    Raises
    ------
    SpaceError
    """
    folder = job.spool_dir or Path(tempfile.gettempdir())
    largest = nlargest(job.transfers, (_spooled(series, job) for series in plan.send))
    free = shutil.disk_usage(folder).free
    if sum(largest) > free:
        raise SpaceError(
            f"the largest series need {sum(largest)} bytes at once, {folder} has {free} free",
            "choose another disk with --spool-dir, or use fewer --transfers",
        )


def _spooled(series: Series, job: Job) -> int:
    return min(series.byte_count, job.spool_limit) if series.is_in_idc else series.byte_count


def _listed(idc: IDCClient | None, series_instance_uids: Sequence[str]) -> dict[str, int]:
    found = idc.find_series(series_instance_uids) if idc else []
    return {series.series_instance_uid: series.image_count for series in found}


def _planned(plan: Plan) -> Planned:
    return Planned(len(plan.send), sum(series.byte_count for series in plan.send))


def _sources(idc: IDCClient | None, nbia: TCIAClient | None, job: Job, patience: Patience) -> dict[SourceName, Source]:
    sources: dict[SourceName, Source] = {}
    if idc is not None:
        sources[SourceName.IDC] = IdcSource(idc, patience, job.spool_limit)
    if nbia is not None:
        sources[SourceName.NBIA] = NbiaSource(nbia, patience)
    return sources


def _patience(job: Job, stop: Stop, tell: Tell = lambda _event: None) -> Patience:
    return Patience(
        RetryPolicy(job.retries, job.retry_wait), stop.wait, lambda error, delay: tell(Retrying(error, delay))
    )
