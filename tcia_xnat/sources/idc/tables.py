"""What people ask of an index, as SQL on its table `index`: one row for each collection, patient, study or series."""

from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.idc.selection import BYTES, Selection

_COUNTS = f"""
    count(*) AS series, CAST(sum(instanceCount) AS BIGINT) AS images, CAST(sum({BYTES}) AS BIGINT) AS bytes"""
_STUDIES = "count(DISTINCT StudyInstanceUID) AS studies"
_PATIENTS = "count(DISTINCT PatientID) AS patients"


def _joined(column: str, name: str) -> str:
    return f"string_agg(DISTINCT {column}, ' ' ORDER BY {column}) AS {name}"


_MODALITIES = _joined("Modality", "modalities")


def collections(selection: Selection) -> Query:
    """Ask for one row for each collection: counts, bytes, modalities, licences and DOIs of what is meant."""
    licences = "string_agg(DISTINCT license_short_name, ', ' ORDER BY license_short_name) AS licences"
    columns = f"collection_id, {_PATIENTS}, {_STUDIES}, {_COUNTS}, {_MODALITIES}"
    return _grouped(f"{columns}, {licences}, {_joined('source_DOI', 'DOIs')}", selection, "collection_id")


def patients(selection: Selection) -> Query:
    """Ask for one row for each patient of a collection."""
    columns = f"collection_id, PatientID, any_value(PatientSex) AS PatientSex, {_STUDIES}, {_COUNTS}, {_MODALITIES}"
    return _grouped(columns, selection, "collection_id, PatientID")


def studies(selection: Selection) -> Query:
    """Ask for one row for each study, a patient's in the order of their dates."""
    keys = "collection_id, PatientID, StudyInstanceUID"
    of_study = "any_value(StudyDate) AS StudyDate, any_value(StudyDescription) AS StudyDescription"
    columns = f"{keys}, {of_study}, any_value(PatientAge) AS PatientAge, {_COUNTS}, {_MODALITIES}"
    order = "collection_id, PatientID, StudyDate, StudyInstanceUID"
    return _grouped(columns, selection, keys, order)


def series(selection: Selection) -> Query:
    """Ask for one row for each series, under the index's own names; `bytes` besides."""
    meant = selection.where()
    order = "collection_id, PatientID, StudyDate, StudyInstanceUID, try_cast(SeriesNumber AS BIGINT), SeriesInstanceUID"
    text = f"""
        SELECT collection_id, PatientID, PatientSex, PatientAge, StudyInstanceUID, StudyDate, StudyDescription,
            SeriesInstanceUID, Modality, SeriesNumber, SeriesDescription, BodyPartExamined, Manufacturer,
            ManufacturerModelName, instanceCount, {BYTES} AS bytes, license_short_name, source_DOI
        FROM index WHERE {meant.text} ORDER BY {order}"""  # noqa: S608  conditions of ours, values apart
    return Query(text, meant.values)


def sizes(selection: Selection) -> Query:
    """Ask for one row for each collection and one for all: patients, studies, series, images and bytes."""
    meant = selection.where()
    text = f"""
        SELECT coalesce(collection_id, 'all') AS collection_id, {_PATIENTS}, {_STUDIES}, {_COUNTS}
        FROM index WHERE {meant.text} GROUP BY ROLLUP (collection_id) HAVING count(*) > 0
        ORDER BY grouping(collection_id), collection_id"""  # noqa: S608  as above
    return Query(text, meant.values)


def licences(selection: Selection) -> Query:
    """Ask for one row for each licence, collection and DOI, with what is under it."""
    columns = f"license_short_name, collection_id, source_DOI, {_COUNTS}"
    return _grouped(columns, selection, "license_short_name, collection_id, source_DOI")


def dois(selection: Selection) -> Query:
    """Ask for the DOIs to cite."""
    return _grouped("source_DOI", selection, "source_DOI").within("SELECT *", "WHERE source_DOI <> ''")


def _grouped(columns: str, selection: Selection, keys: str, order: str = "") -> Query:
    meant = selection.where()
    return Query(
        f"SELECT {columns} FROM index WHERE {meant.text} GROUP BY {keys} ORDER BY {order or keys}",  # noqa: S608  as above
        meant.values,
    )
