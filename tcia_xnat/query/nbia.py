"""What NBIA lists of a choice of series, as a table `index` under the columns of IDC's (tcia-nbia-and-idc.md §2.6)."""

import fnmatch
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tcia_xnat.core import licenses
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.selection import (
    CHECKED,
    Selection,
    check_values,
    checked_collections,
    collection_id,
    modality,
)
from tcia_xnat.sources.nbia.client import NBIA_URL, TCIAClient
from tcia_xnat.sources.nbia.series import from_nbia

_COLUMNS = {
    "collection_id": "VARCHAR",
    "PatientID": "VARCHAR",
    "PatientAge": "VARCHAR",
    "PatientSex": "VARCHAR",
    "StudyInstanceUID": "VARCHAR",
    "StudyDate": "VARCHAR",
    "StudyDescription": "VARCHAR",
    "SeriesInstanceUID": "VARCHAR",
    "Modality": "VARCHAR",
    "SeriesNumber": "VARCHAR",
    "SeriesDescription": "VARCHAR",
    "BodyPartExamined": "VARCHAR",
    "Manufacturer": "VARCHAR",
    "ManufacturerModelName": "VARCHAR",
    "instanceCount": "BIGINT",
    "series_size_MB": "DOUBLE",
    "license_short_name": "VARCHAR",
    "source_DOI": "VARCHAR",
}
_NAMES = {"collection_id": "VARCHAR", "collection_name": "VARCHAR"}
_TRIES = 3
_SAME = ("PatientAge", "PatientSex", "BodyPartExamined", "Manufacturer", "ManufacturerModelName")


def fetched(url: str | None, selection: Selection, writable: Path | None = None) -> tuple[Database, Selection]:
    """Ask NBIA once, and return what it lists: the rest of the choice is made by the same SQL as for IDC.

    Parameters
    ----------
    url
        NBIA's services; None is TCIA's.
    selection
        What is asked for; NBIA itself looks at collections, patients, studies, series and modalities. The empty one
        asks for the names of collections only.
    writable
        The one file that the database may write.

    Returns
    -------
    Tables `index` and `collections_index`, and the choice with its collections named as there.

    Raises
    ------
    UsageError
        There is no such collection, or the choice is too wide: the list of all series takes NBIA minutes.
    SourceError
    """
    patience = Patience(RetryPolicy(_TRIES), time.sleep)
    with closing(TCIAClient(url or NBIA_URL)) as client:
        names = {collection_id(name): name for name in patience.call(client.get_collection_values)}
        licenses.check(selection.licences)
        chosen = replace(
            selection,
            collections=checked_collections(selection.collections, names),
            modalities=tuple(map(modality, selection.modalities)),
        )
        questions = [] if chosen.is_empty else _questions(chosen, names)
        answers = [patience.call(partial(client.get_series, **question)) for question in questions]
    series = {row["SeriesInstanceUID"]: _row(row) for rows in answers for row in rows}
    for name in ("patients", "studies", "series"):
        column, kind = CHECKED[name]
        known = {str(row[column]) for row in series.values()}
        check_values(kind, getattr(chosen, name), known, "TCIA lists none, or none of the other filters")
    collections = [{"collection_id": key, "collection_name": name} for key, name in names.items()]
    tables = {"index": (_COLUMNS, list(series.values())), "collections_index": (_NAMES, collections)}
    found = licenses.named(chosen.licences, (row["license_short_name"] for row in series.values()))
    return Database({}, writable, tables), replace(chosen, licences=found or chosen.licences)


def _questions(chosen: Selection, names: Mapping[str, str]) -> list[dict[str, str]]:
    collections = [names[key] for pattern in chosen.collections for key in fnmatch.filter(names, pattern)]
    modalities = [code.upper() for code in chosen.modalities]  # NBIA compares letter by letter
    values = (collections, *map(_plain, (chosen.patients, chosen.studies, chosen.series, modalities)))
    if not any(values[:-1]):
        raise UsageError(
            "TCIA's server is asked for too much", "with --source nbia give --collection, --patient or --study"
        )
    parameters = ("collection", "patient_id", "study_instance_uid", "series_instance_uid", "modality")
    return [dict(zip(parameters, given, strict=True)) for given in itertools.product(*(v or [""] for v in values))]


def _plain(values: Sequence[str]) -> list[str]:
    """Return what NBIA can be asked for: it knows no patterns, so one of them asks for everything."""
    return [] if any(set(value) & set("*?") for value in values) else list(values)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    series = from_nbia(row)
    return {name: row.get(name) for name in _SAME} | {
        "collection_id": collection_id(series.collection_id),
        "PatientID": series.patient_id,
        "StudyInstanceUID": series.study_instance_uid,
        "StudyDate": series.study_date or None,
        "StudyDescription": series.study_description or None,
        "SeriesInstanceUID": series.series_instance_uid,
        "Modality": series.modality,
        "SeriesNumber": series.series_number or None,
        "SeriesDescription": series.series_description or None,
        "instanceCount": series.image_count,
        "series_size_MB": series.byte_count / 1e6,
        "license_short_name": series.licence or None,
        "source_DOI": series.source_doi or None,
    }
