"""NBIA's query endpoints: what there is of collections, patients, studies and series (tcia-nbia-and-idc.md §2.5)."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from starlette.responses import JSONResponse, Response

from sandbox.index import Index, Row
from sandbox.nbia.columns import (
    METADATA,
    METADATA_V1,
    PATIENT,
    PATIENT_V1,
    SERIES,
    SERIES_V1,
    SHARED,
    STUDY,
    STUDY_V1,
)
from sandbox.nbia.tables import Table, answer, known, refused, released, table

Asked = Mapping[str, str]

_COLUMNS = {
    "PatientID": "PatientID",
    "PatientId": "PatientID",
    "StudyInstanceUID": "StudyInstanceUID",
    "SeriesInstanceUID": "SeriesInstanceUID",
    "Modality": "Modality",
    "BodyPartExamined": "BodyPartExamined",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturerModelName",
}
_SERVER = "https://nbia.cancerimagingarchive.net/nbia-download/servlet/DownloadServlet"
_PATIENTS = """
    SELECT PatientID, collection_id, max(PatientSex) AS PatientSex,
        max(series_revised_idc_version) AS series_revised_idc_version
    FROM nbia
"""
_STUDIES = """
    SELECT StudyInstanceUID, PatientID, collection_id, max(StudyDate) AS StudyDate,
        max(StudyDescription) AS StudyDescription, max(PatientAge) AS PatientAge, max(PatientSex) AS PatientSex,
        count(*) AS SeriesCount, max(series_revised_idc_version) AS series_revised_idc_version
    FROM nbia
"""


class Queries:
    """Answers of the query endpoints; each takes the parameters and the version, as `v4`."""

    def __init__(self, index: Index, shared_carts: Mapping[str, Sequence[str]]) -> None:
        self._index, self._shared_carts = index, shared_carts

    def collections(self, asked: Asked, _version: str) -> Response:
        """Answer getCollectionValues."""
        rows = self._index.nbia("SELECT DISTINCT collection_id FROM nbia")
        names = sorted(self._index.collection(row["collection_id"]) for row in rows)
        return answer([{"Collection": name} for name in names], asked.get("format"))

    def modalities(self, asked: Asked, _version: str) -> Response:
        """Answer getModalityValues."""
        return self._values("Modality", asked)

    def body_parts(self, asked: Asked, _version: str) -> Response:
        """Answer getBodyPartValues."""
        return self._values("BodyPartExamined", asked)

    def manufacturers(self, asked: Asked, _version: str) -> Response:
        """Answer getManufacturerValues."""
        return self._values("Manufacturer", asked)

    def patients(self, asked: Asked, version: str) -> Response:
        """Answer getPatient and its kin."""
        where, values = self._where(asked, version)
        query = f"{_PATIENTS} WHERE {where} GROUP BY ALL ORDER BY ALL"
        shown = [
            self._person(row) | {"PatientId": row["PatientID"]}
            for row in self._index.nbia(query, values)
            if _since(row, asked, version)
        ]
        return self._answered(shown, PATIENT if version == "v4" else PATIENT_V1, asked, version)

    def patient_ids(self, asked: Asked, version: str) -> Response:
        """Answer getPatientByCollectionAndModality."""
        where, values = self._where(asked, version)
        query = f"SELECT DISTINCT PatientID AS PatientId, 1 AS Authorized FROM nbia WHERE {where} ORDER BY 1"  # noqa: S608  own words
        columns = ("PatientId", "Authorized") if version == "v4" else ("PatientId",)
        return self._answered(self._index.nbia(query, values), columns, asked, version)

    def studies(self, asked: Asked, version: str) -> Response:
        """Answer getPatientStudy and its kin."""
        where, values = self._where(asked, version)
        query = f"{_STUDIES} WHERE {where} GROUP BY ALL ORDER BY ALL"
        shown = [
            row | self._person(row) | {"StudyDate": _day(row)}
            for row in self._index.nbia(query, values)
            if _since(row, asked, version)
        ]
        return self._answered(shown, STUDY if version == "v4" else STUDY_V1, asked, version)

    def series(self, asked: Asked, version: str) -> Response:
        """Answer getSeries and getUpdatedSeries."""
        where, values = self._where(asked, version)
        query = f"SELECT * FROM nbia WHERE {where} ORDER BY SeriesInstanceUID"  # noqa: S608  own words
        rows = [row for row in self._index.nbia(query, values) if _since(row, asked, version)]
        shown = [known(row, self._index) for row in rows]
        v1 = version != "v4"
        return answer(table(shown, SERIES_V1 if v1 else SERIES, v1=v1), asked.get("format"))

    def size(self, asked: Asked, version: str) -> Response:
        """Answer getSeriesSize; of unknown series v1 and v2 tell nothing in a row, v4 without one (§2.5)."""
        row = self._index.nbia_series(asked["SeriesInstanceUID"])
        shown: Table = [] if version == "v4" else [{"TotalSizeInBytes": None, "ObjectCount": None}]
        if row:
            shown = [{"TotalSizeInBytes": round(row["series_size_MB"] * 1e6), "ObjectCount": row["instanceCount"]}]
        return answer(shown, asked.get("format"))

    def metadata(self, asked: Asked, _version: str) -> Response:
        """Answer getSeriesMetadata of v4: a table to save, if JSON is not asked for (§2.8)."""
        form = asked.get("format", "csv")
        uids = re.sub(r"[^0-9,.]", "", asked["list"]).split(",")
        rows = self._listed("SeriesInstanceUID", uids)
        shown = table([known(row, self._index) for row in rows], METADATA)
        return answer(shown, "csv-download" if form.lower() == "csv" else form)

    def metadata_v1(self, asked: Asked, _version: str) -> Response:
        """Answer getSeriesMetaData of v1 and v2: 204 for what is unknown (§2.7)."""
        row = self._index.nbia_series(asked["SeriesInstanceUID"])
        if row is None:
            return Response(status_code=204)
        shown = known(row, self._index)
        for name in ("StudyDesc", "SeriesDescription"):
            shown[name] = re.sub(r"[^a-zA-Z0-9 .-]", "", shown[name] or "")
        return answer(table([shown], METADATA_V1, v1=True), asked.get("format"))

    def shared(self, asked: Asked, version: str) -> Response:
        """Answer getContentsByName, always with JSON; v2 calls the name that it misses something else."""
        if "name" not in asked:
            missing = "name" if version == "v1" else "SeriesInstanceUID"
            return refused(f"A parameter, {missing} is required for this API call.")
        rows = self._listed("SeriesInstanceUID", self._shared_carts.get(asked["name"], ()))
        return answer(table([known(row, self._index) for row in rows], SHARED, v1=True))

    def denied(self, asked: Asked, _version: str) -> Response:
        """Answer getDeniedSeries: 204 when the public may have all."""
        uids = asked["seriesList"].split(",")
        found = _uids(self._listed("SeriesInstanceUID", uids))
        if len(found) == len(uids):
            return Response(status_code=204)
        return answer([{"SeriesInstanceUID": uid} for uid in uids if uid not in found], asked.get("format"))

    def doi(self, asked: Asked, _version: str) -> Response:
        """Answer getCollectionOrSeriesForDOI: the one endpoint of rows that says `[]` when there are none."""
        of_series = asked.get("CollectionOrSeries", "").lower() == "series"
        column = "SeriesInstanceUID AS seriesInstanceUID," if of_series else ""
        query = (
            f"SELECT collection_id AS collection, {column}"  # noqa: S608  own words
            " CASE WHEN analysis_result_id IS NULL THEN 'NO' ELSE 'YES' END AS thirdPartyAnanlysis, 1 AS authorized"
            " FROM nbia WHERE ? IN ('', lower('https://doi.org/' || source_DOI)) GROUP BY ALL ORDER BY ALL"
        )
        rows = self._index.nbia(query, [asked.get("DOI", "").lower()])
        return JSONResponse([row | {"collection": self._index.collection(row["collection"])} for row in rows])

    def manifest(self, asked: Asked, _version: str) -> Response:
        """Answer the endpoints that make a manifest (§1.1)."""
        name = f"manifest-{time.time_ns() // 1_000_000}.tcia"
        if "list" in asked:
            uids = asked["list"].split(",")
        elif "collection" in asked:
            name = f"{asked['collection']}-{datetime.now(UTC):%Y-%m-%d_%H-%M}.tcia"
            uids = _uids(self._listed("collection_id", [self._index.collection_id(asked["collection"])]))
        else:
            uids = self._chosen(asked)
        head = (
            f"downloadServerUrl={_SERVER}\nincludeAnnotation={asked.get('includeAnnotation') or 'true'}\nnoOfrRetry=4\n"
            f"databasketId={name}\nmanifestVersion=3.0\nListOfSeriesToDownload=\n"
        )
        return Response(head + "".join(f"{uid}\n" for uid in uids), media_type="application/x-nbia-manifest-file")

    def _chosen(self, asked: Asked) -> list[str]:
        """Return the series of patients, studies and series: of any of them, or of all together."""
        columns = {"patientIDs": "PatientID", "studyUIDs": "StudyInstanceUID", "seriesUIDs": "SeriesInstanceUID"}
        sets = [
            set(_uids(self._listed(column, asked[name].split(","))))
            for name, column in columns.items()
            if asked.get(name)
        ]
        both = set.intersection if asked.get("anyOrAll", "").lower() == "all" else set.union
        return sorted(both(*sets)) if sets else []

    def _listed(self, column: str, values: Sequence[str]) -> list[Row]:
        query = f"SELECT * FROM nbia WHERE {column} IN (SELECT unnest(?::VARCHAR[])) ORDER BY SeriesInstanceUID"  # noqa: S608  own words
        return self._index.nbia(query, [list(values)])

    def _values(self, column: str, asked: Asked) -> Response:
        where, values = self._where(asked, "v4")
        query = f"SELECT DISTINCT {column} FROM nbia WHERE {column} IS NOT NULL AND {where} ORDER BY 1"  # noqa: S608  own words
        return answer(self._index.nbia(query, values), asked.get("format"))

    def _where(self, asked: Asked, _version: str) -> tuple[str, list[str]]:
        """Return the SQL condition of what is asked for, and its values."""
        wanted = {_COLUMNS[name]: value for name, value in asked.items() if name in _COLUMNS and value}
        if asked.get("Collection"):
            wanted["collection_id"] = self._index.collection_id(asked["Collection"])
        return " AND ".join(["true", *(f"{column} = ?" for column in wanted)]), list(wanted.values())

    def _person(self, row: Row) -> Row:
        return {
            "PatientName": row["PatientID"],
            "PatientSex": row["PatientSex"],
            "Collection": self._index.collection(row["collection_id"]),
            "Phantom": "NO",
            "SpeciesCode": "337915000",
            "SpeciesDescription": "Homo sapiens",
            "Authorized": 1,
        }

    def _answered(self, rows: Sequence[Row], columns: Sequence[str], asked: Asked, version: str) -> Response:
        return answer(table(rows, columns, v1=version != "v4"), asked.get("format"))


def _since(row: Row, asked: Asked, version: str) -> bool:
    """Whether a row is as new as `fromDate` asks: MM-DD-YYYY in v4, DD/MM/YYYY in v1 and v2 (§2.5)."""
    if "fromDate" not in asked:
        return True
    form = "%m-%d-%Y" if version == "v4" else "%d/%m/%Y"
    return released(row) >= datetime.strptime(asked["fromDate"], form).replace(tzinfo=UTC).date()


def _day(row: Row) -> date | None:
    return date.fromisoformat(row["StudyDate"]) if row["StudyDate"] else None


def _uids(rows: Sequence[Row]) -> list[str]:
    return [row["SeriesInstanceUID"] for row in rows]
