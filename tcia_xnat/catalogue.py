"""What is known of each series before it moves: IDC's embedded index first, NBIA for what it does not list."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tcia_xnat.clients.idc_index import IdcIndex
from tcia_xnat.clients.tcia import METADATA_BATCH, TCIAClient
from tcia_xnat.clients.tcia_rows import NbiaSeriesMetadata
from tcia_xnat.doi import bare_doi
from tcia_xnat.errors import Error, SeriesUnavailable, SourceError
from tcia_xnat.manifest import Manifest
from tcia_xnat.model import Series, SourceName
from tcia_xnat.retry import Patience

_LICENCE_PARTS = {"attribution": "BY", "noncommercial": "NC", "noderiv": "ND", "sharealike": "SA"}
NOT_PUBLIC = (
    "it may have been withdrawn or moved to controlled access (General Commons, dbGaP): see TCIA's page of its "
    "collection; to be done without it, delete its line from the manifest"
)
"""What to do about a series that nobody offers."""
ASK_BOTH = "leave --source out: the other archive is asked then, too"
"""What to do about one that the only archive which was asked does not offer."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The series of a manifest, in its order: those that are known, and why the others are not.

    `idc_version` is the version of IDC that lists them, as `v25`; empty when IDC was not asked. `listed` is the order
    of the list, of those that are known and of the others; empty when it has none.
    """

    series: Mapping[str, Series]
    missing: Mapping[str, Error]
    idc_version: str = ""
    listed: Sequence[str] = ()

    @property
    def order(self) -> Sequence[str]:
        """Every series in the order of the list; without one, those that are known come first."""
        return self.listed or (*self.series, *self.missing)


def look_up(manifest: Manifest, idc: IdcIndex | None, nbia: TCIAClient | None, patience: Patience) -> Catalogue:
    """Look up every series of a manifest.

    Parameters
    ----------
    idc, nbia
        The clients of the sources that may be used; None leaves one out. With both, NBIA is asked only for what
        IDC does not list.
    patience
        How NBIA's answers are waited for; a batch that cannot be had makes its series missing, not the run fail.

    A UID that is none of a series but of a study that the index lists stands for all of its series: some lists that
    people make hold studies (§1.4).
    """
    found = _in_idc(manifest.series_instance_uids, idc)
    rest = [uid for uid in manifest.series_instance_uids if uid not in found]
    studies = _studies(rest, idc, found)
    rest = [uid for uid in rest if uid not in studies]
    found |= _in_idc([uid for uids in studies.values() for uid in uids], idc)
    missing: dict[str, Error] = {}
    if nbia is not None:
        _ask_nbia(rest, nbia, patience, found, missing)
    hint = NOT_PUBLIC if idc and nbia else ASK_BOTH
    for uid in (*rest, *manifest.crdc_series_uuids, *manifest.study_instance_uids):
        if uid not in found:
            missing.setdefault(uid, SeriesUnavailable(_nowhere(idc, nbia), hint))
    wanted = dict.fromkeys(_in_order(manifest.series_instance_uids, studies))
    wanted |= dict.fromkeys([*found, *missing])
    order = tuple(uid for uid in wanted if uid in found or uid in missing)
    version = idc.version() if idc is not None else ""
    return Catalogue({uid: found[uid] for uid in order if uid in found}, missing, version, order)


def offered_by(series: Series, sources: Sequence[SourceName]) -> list[SourceName]:
    """Return the sources to try for a series, in order."""
    return [name for name in sources if name is not SourceName.IDC or series.is_in_idc]


def _in_idc(uids: Sequence[str], idc: IdcIndex | None) -> dict[str, Series]:
    return {series.series_instance_uid: series for series in idc.find_series(uids)} if idc and uids else {}


def _in_order(uids: Sequence[str], studies: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the series of a list; those of a study stand in its place."""
    for uid in uids:
        yield from studies.get(uid, (uid,))


def _studies(uids: Sequence[str], idc: IdcIndex | None, found: Mapping[str, Series]) -> Mapping[str, Sequence[str]]:
    """Return which UIDs are those of studies, with their series.

    A study of which series are asked for by name is none of them: its UID came along, from another column maybe.
    """
    named = {series.study_instance_uid for series in found.values()}
    studies = idc.find_studies(uids) if idc and uids else {}
    return {study: series for study, series in studies.items() if study not in named}


def _ask_nbia(
    uids: Sequence[str],
    nbia: TCIAClient,
    patience: Patience,
    found: dict[str, Series],
    missing: dict[str, Error],
) -> None:
    for start in range(0, len(uids), METADATA_BATCH):
        batch = uids[start : start + METADATA_BATCH]
        try:
            rows = patience.call(_asking(nbia, batch))
        except SourceError as error:
            missing.update(dict.fromkeys(batch, error))
        else:
            found.update({row["SeriesInstanceUID"]: from_nbia(row) for row in rows})


def _asking(nbia: TCIAClient, batch: Sequence[str]) -> Callable[[], list[NbiaSeriesMetadata]]:
    return lambda: nbia.get_series_metadata(batch)


def _nowhere(idc: IdcIndex | None, nbia: TCIAClient | None) -> str:
    names = [name for name, client in (("IDC", idc), ("NBIA", nbia)) if client is not None]
    return f"{' and '.join(names)} {'do' if len(names) > 1 else 'does'} not offer it"


def from_nbia(row: Mapping[str, Any]) -> Series:
    """Return a row of getSeriesMetadata as a series (tcia-nbia-and-idc.md §2.8); NBIA leaves empty columns out."""

    def text(column: str) -> str:
        return str(row.get(column) or "")

    return Series(
        series_instance_uid=text("SeriesInstanceUID"),
        study_instance_uid=text("StudyInstanceUID"),
        patient_id=text("PatientID"),
        collection_id=text("Collection").lower().replace("-", "_").replace(" ", "_"),
        modality=text("Modality"),
        series_number=text("SeriesNumber"),
        series_description=text("SeriesDescription"),
        study_date=_iso_date(text("StudyDate")),
        study_description=text("StudyDesc"),
        image_count=int(row.get("ImageCount") or 0),
        byte_count=int(row.get("FileSize") or 0),
        licence=_short_licence(text("LicenseName")),
        source_doi=bare_doi(text("DataDescriptionURI")),
    )


def _iso_date(date: str) -> str:
    """Return NBIA's MM-DD-YYYY as ISO; what is no date stays as it is."""
    try:
        return datetime.strptime(date, "%m-%d-%Y").date().isoformat()  # noqa: DTZ007  a date has no time zone
    except ValueError:
        return date


def _short_licence(name: str) -> str:
    """Return `CC BY 4.0` for `Creative Commons Attribution 4.0 International License`; others as they are (§8)."""
    version = next((word for word in name.split() if word.replace(".", "").isdigit()), "")
    squeezed = name.lower().replace("-", "").replace(" ", "")
    kind = "-".join(short for long, short in _LICENCE_PARTS.items() if long in squeezed)
    return f"CC {kind} {version}" if squeezed.startswith("creativecommons") and kind and version else name
