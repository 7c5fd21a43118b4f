"""The main job: the series of a manifest, from IDC and NBIA, into a project of XNAT."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from tcia_xnat import manifest as manifests
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.events import PassedOver, Tell
from tcia_xnat.core.model import Label
from tcia_xnat.core.retry import Patience
from tcia_xnat.jobs import xnat_run as runs
from tcia_xnat.jobs.prepare import patience_of
from tcia_xnat.jobs.record import Reports, RunRecord, recorded
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.settings import Login, Settings
from tcia_xnat.request.requested import read_asked
from tcia_xnat.sources import registry
from tcia_xnat.sources.idc.client import IDC_URL, IDCClient
from tcia_xnat.sources.lookup import look_up
from tcia_xnat.sources.nbia.client import NBIA_URL, TCIAClient
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.transfer.work import Kept, Prepared, Run, Work
from tcia_xnat.web import SILENT_SECONDS

__all__ = ["Job", "Login", "Prepared", "Run", "dry_run", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Settings):
    """What one run of the main job is asked to do."""

    manifest: str  # one file or several, or identifiers, as `asked.read_asked` takes them
    query: str = ""  # in its place
    column: str = ""  # heading of the column of a table that names what is meant
    source: str = "auto"
    nbia_url: str = NBIA_URL
    idc_url: str = IDC_URL
    idc_index: str | None = None
    source_timeout: float = SILENT_SECONDS


def dry_run(job: Job, login: Login | None, stop: Stop) -> Prepared:
    """Plan without changing anything; without a login, as if XNAT held nothing."""
    manifest = read_manifest(job, patience_of(job, stop))
    return runs.dry_run(job, partial(_work, job, manifest), login, stop)


def run(job: Job, login: Login, stop: Stop, tell: Tell, report: Reports = lambda _run: ()) -> Run:
    """Bring the series of the manifest into the project; see `tcia_xnat.jobs.xnat_run.run`."""
    record = RunRecord(job, login.host)
    return recorded(record, partial(_run, record, job, login, stop, report), stop, tell, report)


def _run(record: RunRecord, job: Job, login: Login, stop: Stop, report: Reports, tell: Tell) -> Run:  # noqa: PLR0913, PLR0917  what a run needs, each once
    record.manifest = read_manifest(job, patience_of(job, stop, tell))
    tell(PassedOver(record.manifest.rejected, record.manifest.read))
    return runs.run(record, partial(_work, job, record.manifest), login, stop, tell, report)


def read_manifest(job: Job, patience: Patience) -> Manifest:
    """Return the series that a job asks for.

    Raises
    ------
    ManifestError, UsageError
    """
    with clients_of(job) as (_, nbia):

        def elsewhere(series_instance_uids: Sequence[str]) -> set[str]:
            rows = patience.call(lambda: nbia.get_series_metadata(series_instance_uids)) if nbia else []
            return {str(row["SeriesInstanceUID"]) for row in rows}

        return read_asked(
            job.manifest, job.idc_index, patience, query=job.query, elsewhere=elsewhere, column=job.column
        )


def clients_of(job: Job) -> AbstractContextManager[tuple[IDCClient | None, TCIAClient | None]]:
    """Open the clients of the sources that a job may use."""
    return registry.clients(registry.SOURCES[job.source], job.idc_url, job.idc_index, job.nbia_url, job.source_timeout)


@contextmanager
def _work(job: Job, manifest: Manifest, patience: Patience) -> Iterator[Work]:
    with clients_of(job) as (idc, nbia):
        catalogue = look_up(manifest, idc, nbia, patience)
        room = Room(partial(registry.spooled, job.spool_limit))
        yield Work(
            manifest,
            catalogue,
            [Kept("MANIFEST_ORIGINAL", original.name, original.content) for original in manifest.originals],
            partial(_labelled, manifest, catalogue),
            registry.sources(idc, nbia, patience, job.spool_limit, job, room),
            partial(registry.listed, idc),
            room,
        )


def _labelled(manifest: Manifest, catalogue: Catalogue, labels: Mapping[str, Label]) -> list[Kept]:
    sessions = {uid: labels[uid].session for uid in catalogue.series}
    return [Kept("MANIFEST_MODIFIED", manifest.name, manifests.write_modified(manifest, sessions).encode())]
