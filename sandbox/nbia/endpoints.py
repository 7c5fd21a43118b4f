"""NBIA's query endpoints by name: parameters, versions, and what is said without those that are needed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.responses import Response

from sandbox.nbia.queries import Queries

Asked = Mapping[str, str]
"""Parameters of a request; one that is repeated in a form is joined by commas."""

UID, FORM = "SeriesInstanceUID", "format"
NEEDS_UID = "A parameter, SeriesInstanceUID, is required for this API call."
NEEDS_UID_TOO = "A parameter, SeriesInstanceUID is required for this API call."
_NEEDS_LIST = "A form parameter, list, containing at least one SeriesInstanceUID is required."
_NEEDS_DATE = "A parameter, Collection and Date are required for this API call."
_NEEDS_MODALITY = "A parameter, Collection and Modality, are required for this API call."
_NEEDS_SERIES = "A parameter, seriesList,  a list of SeriesInstanceUID is required for this API call."
_SERIES = ("Collection", "PatientID", "StudyInstanceUID", "Modality", "BodyPartExamined", "ManufacturerModelName",
           "Manufacturer", UID, FORM)  # fmt: skip
_SINCE, _KIND = ("Collection", "fromDate"), ("Collection", "Modality")


class Endpoint(NamedTuple):
    """How one endpoint answers, the parameters that v4 allows, and what it says without those it needs.

    An endpoint with a refusal needs the parameters in `needed`. `allowed` is None where v4 takes any parameter.
    """

    answer: Callable[[Asked, str], Response]
    allowed: tuple[str, ...] | None
    needed: tuple[str, ...] = ()
    refusal: str = ""
    method: str = "GET"
    versions: tuple[str, ...] = ("v1", "v2", "v4")


def query_endpoints(queries: Queries) -> dict[str, Endpoint]:
    """Return the endpoints that answer with rows (tcia-nbia-and-idc.md §2.5)."""
    return _values(queries) | _rows(queries) | _forms(queries)


def _values(queries: Queries) -> dict[str, Endpoint]:
    return {
        "getCollectionValues": Endpoint(queries.collections, (FORM,)),
        "getModalityValues": Endpoint(queries.modalities, ("Collection", "BodyPartExamined", FORM)),
        "getBodyPartValues": Endpoint(queries.body_parts, ("Collection", "Modality", FORM)),
        "getManufacturerValues": Endpoint(queries.manufacturers, ("Collection", "Modality", "BodyPartExamined", FORM)),
        "getPatientByCollectionAndModality": Endpoint(queries.patient_ids, (*_KIND, FORM), _KIND, _NEEDS_MODALITY),
        "getDeniedSeries": Endpoint(
            queries.denied, ("seriesList", "userName", FORM), ("seriesList",), _NEEDS_SERIES, versions=("v1", "v4")
        ),
    }


def _rows(queries: Queries) -> dict[str, Endpoint]:
    return {
        "getPatient": Endpoint(queries.patients, ("Collection", "PatientId", FORM)),
        "NewPatientsInCollection": Endpoint(queries.patients, (*_SINCE, FORM), _SINCE, _NEEDS_DATE),
        "getPatientStudy": Endpoint(queries.studies, ("Collection", "PatientID", "StudyInstanceUID", FORM)),
        "NewStudiesInPatientCollection": Endpoint(
            queries.studies, ("Collection", "PatientID", "fromDate", FORM), _SINCE, _NEEDS_DATE
        ),
        "getSeries": Endpoint(queries.series, _SERIES),
        "getUpdatedSeries": Endpoint(queries.series, ("fromDate", FORM)),
        "getSeriesSize": Endpoint(queries.size, (UID, FORM), (UID,), NEEDS_UID_TOO),
        "getSeriesMetaData": Endpoint(queries.metadata_v1, None, (UID,), NEEDS_UID, versions=("v1", "v2")),
        "getContentsByName": Endpoint(queries.shared, None, versions=("v1", "v2")),
    }


def _forms(queries: Queries) -> dict[str, Endpoint]:
    posted, v4 = "POST", ("v4",)
    return {
        "getSeriesMetadata": Endpoint(queries.metadata, None, ("list",), _NEEDS_LIST, posted, v4),
        "getCollectionOrSeriesForDOI": Endpoint(queries.doi, ("DOI", "CollectionOrSeries"), method=posted, versions=v4),
        "getManifestText": Endpoint(
            queries.manifest, ("list", "includeAnnotation"), ("list",), _NEEDS_LIST, posted, v4
        ),
        "getManifestForCollection": Endpoint(
            queries.manifest, ("collection", "visibility", "includeAnnotation"), method=posted, versions=v4
        ),
        "getManifestFromPatientStudySeries": Endpoint(
            queries.manifest,
            ("patientIDs", "studyUIDs", "seriesUIDs", "anyOrAll", "includeAnnotation"),
            method=posted,
            versions=v4,
        ),
    }
