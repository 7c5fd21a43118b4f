"""Where a job's images come from: the clients it may use, the sources made of them, and the room they need."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from tcia_xnat.core.model import Series, SourceName
from tcia_xnat.core.retry import Patience
from tcia_xnat.sources import Source
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.sources.idc.source import IdcSource
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.sources.throttle import Limits, polite
from tcia_xnat.staging.disk_budget import Room

SOURCES = {
    "auto": (SourceName.IDC, SourceName.NBIA),
    "idc": (SourceName.IDC,),
    "nbia": (SourceName.NBIA,),
}


@contextmanager
def clients(
    names: Sequence[SourceName], idc_url: str, idc_index: str | None, nbia_url: str, silent_seconds: float
) -> Iterator[tuple[IDCClient | None, TCIAClient | None]]:
    """Open the clients of these sources; None stands for one that is not to be used."""
    with ExitStack() as opened:
        idc = nbia = None
        if SourceName.IDC in names:
            idc = opened.enter_context(closing(IDCClient(idc_url, idc_index, silent_seconds)))
        if SourceName.NBIA in names:
            nbia = opened.enter_context(closing(TCIAClient(nbia_url, silent_seconds)))
        yield idc, nbia


def sources(  # noqa: PLR0913, PLR0917  what they are made of
    idc: IDCClient | None,
    nbia: TCIAClient | None,
    patience: Patience,
    spool_limit: int,
    limits: Limits,
    room: Room,
) -> dict[SourceName, Source]:
    """Return the sources that the clients give, each asked no more than the limits allow."""
    made: list[Callable[[Patience], Source]] = []
    if idc is not None:
        made.append(lambda patience: IdcSource(idc, patience, spool_limit))
    if nbia is not None:
        made.append(lambda patience: NbiaSource(nbia, patience))
    return polite(made, patience, limits, room)


def listed(idc: IDCClient | None, series_instance_uids: Sequence[str]) -> dict[str, int]:
    """Return the number of images that IDC's index lists for series, as far as it lists them."""
    found = idc.find_series(series_instance_uids) if idc else []
    return {series.series_instance_uid: series.image_count for series in found}


def spooled(spool_limit: int, series: Series) -> int:
    """Return the bytes of the spool that a series needs at the most."""
    return min(series.byte_count, spool_limit) if series.is_in_idc else series.byte_count
