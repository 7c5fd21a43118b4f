"""The main job: the series of a manifest, from IDC and NBIA, into a project of XNAT."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tcia_xnat import manifest as manifests
from tcia_xnat import run as runs
from tcia_xnat.asked import read_asked
from tcia_xnat.catalogue import Catalogue, look_up
from tcia_xnat.clients.idc import IDC_URL, IDCClient
from tcia_xnat.clients.tcia import NBIA_URL, TCIAClient
from tcia_xnat.clients.web import SILENT_SECONDS
from tcia_xnat.events import PassedOver, Tell
from tcia_xnat.manifest import Manifest
from tcia_xnat.model import Label, Series, SourceName
from tcia_xnat.retry import Patience
from tcia_xnat.run import Kept, Login, Prepared, Run, Settings, Work
from tcia_xnat.sources import Source
from tcia_xnat.sources.idc import IdcSource
from tcia_xnat.sources.nbia import NbiaSource
from tcia_xnat.stop import Stop

__all__ = ["SOURCES", "Job", "Login", "Prepared", "Run", "dry_run", "run"]

SOURCES = {
    "auto": (SourceName.IDC, SourceName.NBIA),
    "idc": (SourceName.IDC,),
    "nbia": (SourceName.NBIA,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Settings):
    """What one run of the main job is asked to do."""

    manifest: str  # one file or several, as `asked.read_asked` takes them
    source: str = "auto"
    nbia_url: str = NBIA_URL
    idc_url: str = IDC_URL
    idc_index: str | None = None
    source_timeout: float = SILENT_SECONDS


def dry_run(job: Job, login: Login | None, stop: Stop) -> Prepared:
    """Plan without changing anything; without a login, as if XNAT held nothing."""
    manifest = read_asked(job.manifest, job.idc_index, runs.patience(job, stop))
    return runs.dry_run(job, partial(_work, job, manifest), login, stop)


def run(
    job: Job, login: Login, stop: Stop, tell: Tell, report: Callable[[Run], Iterable[Path]] = lambda _run: ()
) -> Run:
    """Bring the series of the manifest into the project; see `tcia_xnat.run.run`."""
    manifest = read_asked(job.manifest, job.idc_index, runs.patience(job, stop, tell))
    tell(PassedOver(manifest.rejected))
    return runs.run(job, partial(_work, job, manifest), login, stop, tell=tell, report=report)


@contextmanager
def _work(job: Job, manifest: Manifest, patience: Patience) -> Iterator[Work]:
    with _clients(job) as (idc, nbia):
        catalogue = look_up(manifest, idc, nbia, patience)
        yield Work(
            manifest,
            catalogue,
            tuple(Kept("MANIFEST_ORIGINAL", one.name, one.content) for one in manifest.originals),
            partial(_labelled, manifest, catalogue),
            _sources(idc, nbia, job, patience),
            partial(_listed, idc),
            partial(_spooled, job.spool_limit),
        )


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


def _labelled(manifest: Manifest, catalogue: Catalogue, labels: Mapping[str, Label]) -> Kept:
    sessions = {uid: labels[series.session_key].session for uid, series in catalogue.series.items()}
    return Kept("MANIFEST_MODIFIED", manifest.name, manifests.write_modified(manifest, sessions).encode())


def _sources(idc: IDCClient | None, nbia: TCIAClient | None, job: Job, patience: Patience) -> dict[SourceName, Source]:
    sources: dict[SourceName, Source] = {}
    if idc is not None:
        sources[SourceName.IDC] = IdcSource(idc, patience, job.spool_limit)
    if nbia is not None:
        sources[SourceName.NBIA] = NbiaSource(nbia, patience)
    return sources


def _listed(idc: IDCClient | None, series_instance_uids: Sequence[str]) -> dict[str, int]:
    found = idc.find_series(series_instance_uids) if idc else []
    return {series.series_instance_uid: series.image_count for series in found}


def _spooled(limit: int, series: Series) -> int:
    return min(series.byte_count, limit) if series.is_in_idc else series.byte_count
