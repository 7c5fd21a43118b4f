"""The catalog of the series asked for: IDC's embedded index first, NBIA for what it does not list."""

from collections.abc import Callable, Sequence

from tcia_xnat.core.errors import Error, SeriesUnavailable, SourceError
from tcia_xnat.core.model import Series
from tcia_xnat.core.retry import Patience
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import ASK_BOTH, Catalogue
from tcia_xnat.sources.idc.index import Earlier, IdcIndex
from tcia_xnat.sources.nbia.client import METADATA_BATCH, SeriesRows, TCIAClient
from tcia_xnat.sources.nbia.series import one_series

NOT_PUBLIC = (
    "it may have been withdrawn or moved to controlled access (General Commons, dbGaP): see TCIA's page of its "
    "collection; to be done without it, delete its line from the manifest"
)
"""What to do about a series that nobody offers."""


def look_up(manifest: Manifest, idc: IdcIndex | None, nbia: TCIAClient | None, patience: Patience) -> Catalogue:
    """Look up every series of a manifest.

    Parameters
    ----------
    idc, nbia
        The clients of the sources that may be used; None leaves one out. With both, NBIA is asked only for what
        IDC does not list.
    patience
        How NBIA's answers are waited for; a batch that cannot be had makes its series missing, not the run fail.

    Studies and folders that are left in the manifest are those that the index does not know.
    """
    found = _in_idc(manifest.series_instance_uids, idc)
    rest = [uid for uid in manifest.series_instance_uids if uid not in found]
    missing: dict[str, Error] = {}
    unasked = _ask_nbia(rest, nbia, patience, found, missing) if nbia is not None else []
    hint = NOT_PUBLIC if idc and nbia else ASK_BOTH
    nowhere = [uid for uid in (*rest, *manifest.crdc_series_uuids, *manifest.study_instance_uids) if uid not in found]
    earlier = idc.find_earlier(nowhere) if idc and nowhere else {}
    for uid in nowhere:
        error = as_earlier(earlier[uid], hint) if uid in earlier else SeriesUnavailable(_nowhere(idc, nbia), hint)
        missing.setdefault(uid, error)
    order = tuple(dict.fromkeys([*manifest.series_instance_uids, *found, *missing]))
    version = idc.version() if idc is not None else ""
    series = {uid: found[uid] for uid in order if uid in found}
    facts = idc.study_facts({one.study_instance_uid for one in series.values()}) if idc and series else {}
    return Catalogue(series, missing, version, order, _dropped(unasked), facts)


def _in_idc(uids: Sequence[str], idc: IdcIndex | None) -> dict[str, Series]:
    return {series.series_instance_uid: series for series in idc.find_series(uids)} if idc and uids else {}


def as_earlier(one: Earlier, otherwise: str) -> SeriesUnavailable:
    """Return why something is not offered that earlier versions of IDC had, and what to do.

    Parameters
    ----------
    otherwise
        The hint for what was withdrawn.
    """
    versions = f"IDC v{one.first} to v{one.last}" if one.first != one.last else f"IDC v{one.first}"
    if one.is_listed:
        return SeriesUnavailable(
            f"it is an earlier version, of {versions}, of series {one.series_instance_uid}",
            "name that series: its present version comes; earlier versions are not offered",
        )
    return SeriesUnavailable(
        f"{versions} had it, of patient {one.patient} in {one.collection}; it was withdrawn, or published again under"
        " another UID",
        f"query.py search --collection {one.collection} shows what there is now; {otherwise}",
    )


def _ask_nbia(
    uids: Sequence[str],
    nbia: TCIAClient,
    patience: Patience,
    found: dict[str, Series],
    missing: dict[str, Error],
) -> list[str]:
    """Add what NBIA says; return the UIDs of rows that nobody asked for."""
    unasked: list[str] = []
    for start in range(0, len(uids), METADATA_BATCH):
        batch = uids[start : start + METADATA_BATCH]
        try:
            answer = patience.call(_asking(nbia, batch))
        except SourceError as error:
            missing.update(dict.fromkeys(batch, error))
            continue
        unasked += answer.unasked
        for uid, rows in answer.rows.items():
            try:
                found[uid] = one_series(rows)
            except SourceError as error:
                missing[uid] = error
    return unasked


def _asking(nbia: TCIAClient, batch: Sequence[str]) -> Callable[[], SeriesRows]:
    return lambda: nbia.series_rows(batch)


def _dropped(unasked: Sequence[str]) -> tuple[str, ...]:
    if not unasked:
        return ()
    return (f"NBIA sent {len(unasked)} series that nobody asked for, which were dropped: {unasked[0]}",)


def _nowhere(idc: IdcIndex | None, nbia: TCIAClient | None) -> str:
    names = [name for name, client in (("IDC", idc), ("NBIA", nbia)) if client is not None]
    return f"{' and '.join(names)} {'do' if len(names) > 1 else 'does'} not offer it"
