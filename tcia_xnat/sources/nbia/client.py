"""TCIA's NBIA server, all that anybody may ask it: REST v4, and v1 for what v4 lacks (tcia-nbia-and-idc.md §2.5)."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from tcia_xnat import web
from tcia_xnat.core import limits
from tcia_xnat.core.errors import SeriesDamaged, SourceError, SourceUnreachable
from tcia_xnat.sources.nbia.connection import NBIA_URL, NbiaConnection, Question, Row, form, question
from tcia_xnat.sources.nbia.rows import (
    NbiaDicomTag,
    NbiaDoi,
    NbiaPatient,
    NbiaSeries,
    NbiaSeriesMetadata,
    NbiaSeriesSize,
    NbiaSharedSeries,
    NbiaStudy,
    typed,
    values,
)

__all__ = ["METADATA_BATCH", "NBIA_URL", "SeriesRows", "TCIAClient"]

METADATA_BATCH = 500  # series per request: NBIA counts the images of each (§2.8)
_DENIED_BATCH = 15  # they travel in the address (§2.5)

Table = TypeVar("Table")
Write = Callable[[bytes], None]
"""Takes the next chunk of a download."""


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Rows of series metadata by the SeriesInstanceUID that was asked for, and the UIDs that nobody asked for."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)

    def add(self, row: object, asked: Sequence[str]) -> None:
        """Sort in what NBIA sent in the place of a row."""
        uid = row.get("SeriesInstanceUID") if isinstance(row, dict) else row
        if isinstance(row, dict) and isinstance(uid, str) and uid in asked:
            self.rows.setdefault(uid, []).append(row)
        else:
            self.unasked.append(web.shown(str(uid)))


class TCIAClient(NbiaConnection):
    """What NBIA offers to everybody, a method per endpoint.

    Every method raises `SourceUnreachable` for what may pass, `SeriesUnavailable` for a series that NBIA does not
    know or does not show, and `SourceError` for the rest. Where nothing is found, lists are empty. Collections are
    named as TCIA names them, `CMB-CRC`. Empty parameters ask for everything.
    """

    # what there is

    def get_collection_values(self) -> list[str]:
        """Return the names of all collections."""
        return self._values("Collection", question("getCollectionValues"))

    def get_modality_values(self, collection: str = "", body_part_examined: str = "") -> list[str]:
        """Return the modalities of a collection or a body part."""
        asked = question("getModalityValues", Collection=collection, BodyPartExamined=body_part_examined)
        return self._values("Modality", asked)

    def get_body_part_values(self, collection: str = "", modality: str = "") -> list[str]:
        """Return the body parts of a collection or a modality."""
        return self._values("BodyPartExamined", question("getBodyPartValues", Collection=collection, Modality=modality))

    def get_manufacturer_values(
        self, collection: str = "", modality: str = "", body_part_examined: str = ""
    ) -> list[str]:
        """Return the manufacturers of the scanners of a collection, a modality or a body part."""
        asked = question(
            "getManufacturerValues", Collection=collection, Modality=modality, BodyPartExamined=body_part_examined
        )
        return self._values("Manufacturer", asked)

    # patients and studies

    def get_patient(self, collection: str = "", patient_id: str = "") -> list[NbiaPatient]:
        """Return patients."""
        return self._typed(question("getPatient", Collection=collection, PatientId=patient_id), NbiaPatient)

    def get_patient_by_collection_and_modality(self, collection: str, modality: str) -> list[str]:
        """Return the PatientIDs of a collection that have series of a modality."""
        asked = question("getPatientByCollectionAndModality", Collection=collection, Modality=modality)
        return self._values("PatientId", asked)

    def get_new_patients_in_collection(self, collection: str, from_date: date) -> list[NbiaPatient]:
        """Return the patients of a collection with something released on `from_date` or later."""
        asked = question("NewPatientsInCollection", Collection=collection, fromDate=_written(from_date))
        return self._typed(asked, NbiaPatient)

    def get_patient_study(
        self, collection: str = "", patient_id: str = "", study_instance_uid: str = ""
    ) -> list[NbiaStudy]:
        """Return studies."""
        asked = question(
            "getPatientStudy", Collection=collection, PatientID=patient_id, StudyInstanceUID=study_instance_uid
        )
        return self._typed(asked, NbiaStudy)

    def get_new_studies_in_patient_collection(
        self, collection: str, from_date: date, patient_id: str = ""
    ) -> list[NbiaStudy]:
        """Return the studies of a collection with something released on `from_date` or later."""
        asked = question(
            "NewStudiesInPatientCollection",
            Collection=collection,
            PatientID=patient_id,
            fromDate=_written(from_date),
        )
        return self._typed(asked, NbiaStudy)

    # series

    def get_series(  # noqa: PLR0913  NBIA's parameters
        self,
        *,
        collection: str = "",
        patient_id: str = "",
        study_instance_uid: str = "",
        series_instance_uid: str = "",
        modality: str = "",
        body_part_examined: str = "",
        manufacturer: str = "",
        manufacturer_model_name: str = "",
    ) -> list[NbiaSeries]:
        """Return the series that fit everything given."""
        asked = question(
            "getSeries",
            Collection=collection,
            PatientID=patient_id,
            StudyInstanceUID=study_instance_uid,
            SeriesInstanceUID=series_instance_uid,
            Modality=modality,
            BodyPartExamined=body_part_examined,
            Manufacturer=manufacturer,
            ManufacturerModelName=manufacturer_model_name,
        )
        return self._typed(asked, NbiaSeries)

    def get_updated_series(self, from_date: date) -> list[NbiaSeries]:
        """Return the series released on `from_date` or later."""
        return self._typed(question("getUpdatedSeries", fromDate=_written(from_date)), NbiaSeries)

    def get_series_size(self, series_instance_uid: str) -> list[NbiaSeriesSize]:
        """Return size and number of images of a series in one row; `get_series` tells them sooner."""
        return self._typed(question("getSeriesSize", SeriesInstanceUID=series_instance_uid), NbiaSeriesSize)

    def get_series_metadata(self, series_instance_uids: Sequence[str]) -> list[NbiaSeriesMetadata]:
        """Return one row of 40 columns for each series that is public (§2.8); the others are left out silently."""
        found: list[NbiaSeriesMetadata] = []
        for batch in _batches(series_instance_uids, METADATA_BATCH):
            rows = self._typed(_metadata_of(batch), NbiaSeriesMetadata)
            found += [row for row in rows if row["SeriesInstanceUID"] in batch]
        return found

    def series_rows(self, series_instance_uids: Sequence[str]) -> "SeriesRows":
        """Return the rows of `get_series_metadata` as they came: one that is wrong does not spoil the others."""
        found = SeriesRows()
        for batch in _batches(series_instance_uids, METADATA_BATCH):
            for row in self.objects(_metadata_of(batch)):
                found.add(row, batch)
        return found

    def contents_by_name(self, name: str) -> list[NbiaSharedSeries]:
        """Return the series of a cart that somebody shared under a name, as `nbia-49121659384603347`."""
        return self._typed(question("getContentsByName", version="v1", name=name), NbiaSharedSeries)

    def get_denied_series(self, series_instance_uids: Sequence[str]) -> list[str]:
        """Return those of these series that the public may not have or that NBIA does not know."""
        found: list[str] = []
        for batch in _batches(series_instance_uids, _DENIED_BATCH):
            found += self._values("SeriesInstanceUID", question("getDeniedSeries", seriesList=",".join(batch)))
        return found

    def get_collections_for_doi(self, doi: str) -> list[NbiaDoi]:
        """Return the collections that a DOI, written as `https://doi.org/10.7937/…`, stands for."""
        return self._typed(form("getCollectionOrSeriesForDOI", DOI=doi, CollectionOrSeries="Collection"), NbiaDoi)

    def get_series_for_doi(self, doi: str) -> list[NbiaDoi]:
        """Return the series that a DOI, written as `https://doi.org/10.7937/…`, stands for."""
        return self._typed(form("getCollectionOrSeriesForDOI", DOI=doi, CollectionOrSeries="Series"), NbiaDoi)

    # images

    def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
        """Return the SOPInstanceUID of every image that NBIA lists for a series."""
        asked = question("getSOPInstanceUIDs", SeriesInstanceUID=series_instance_uid)
        return self._values("SOPInstanceUID", asked)

    def get_dicom_tags(self, series_instance_uid: str) -> list[NbiaDicomTag]:
        """Return the elements of the first image of a series, without its pixels."""
        return self._typed(question("getDicomTags", SeriesUID=series_instance_uid), NbiaDicomTag)

    def get_md5_hash_for_image(self, sop_instance_uid: str) -> str:
        """Return the MD5 that NBIA keeps for one image, in lower case; empty when it keeps none."""
        return self.text(question("getMD5HashForImage", SOPInstanceUID=sop_instance_uid)).strip().lower()

    def get_single_image(self, series_instance_uid: str, sop_instance_uid: str) -> bytes:
        """Return one image, in general a DICOM file: what it is must be proved."""
        return self.content(
            question("getSingleImage", SeriesInstanceUID=series_instance_uid, SOPInstanceUID=sop_instance_uid)
        )

    def stream_single_image(self, series_instance_uid: str, sop_instance_uid: str, write: Write) -> None:
        """Pass one image to `write`, chunk by chunk; `get_single_image` keeps it in memory.

        Raises
        ------
        SeriesDamaged
            It is larger than any image.
        """
        left = limits.SINGLE_IMAGE

        def bounded(chunk: bytes) -> None:
            nonlocal left
            left -= len(chunk)
            if left < 0:
                raise SeriesDamaged(f"NBIA sends more than {limits.SINGLE_IMAGE} bytes as one image")
            write(chunk)

        asked = question("getSingleImage", SeriesInstanceUID=series_instance_uid, SOPInstanceUID=sop_instance_uid)
        self.stream(asked, bounded)

    def get_image(self, series_instance_uid: str, write: Write) -> None:
        """Pass the zip of a series to `write`, chunk by chunk: LICENSE, images, and md5hashes.csv at its end.

        That this returns proves nothing: NBIA ends a short zip as cleanly as a whole one (§3.5).
        """
        # exactly these names: any other parameter is answered with 400 (§11.5)
        asked = {"SeriesInstanceUID": series_instance_uid, "NewFileNames": "Yes"}
        try:
            self.stream(question("getImage", **asked, IncludeMD5="Yes"), write)
        except SourceError as error:
            if "Invalid query parameter" not in str(error):
                raise
            self.stream(question("getImage", **asked), write)  # an older server

    def get_image_with_md5_hash(self, series_instance_uid: str, write: Write) -> None:
        """Pass a zip without LICENSE, its images called 00000001.dcm and so on; see `get_image`."""
        self.stream(question("getImageWithMD5Hash", SeriesInstanceUID=series_instance_uid), write)

    def get_dcm_image(self, series_instance_uid: str, write: Write, *, include_annotation: bool = True) -> None:
        """Pass a zip without LICENSE and with the annotation files of the series; see `get_image`."""
        asked = question(
            "getDCMImage",
            SeriesInstanceUID=series_instance_uid,
            IncludeAnnotation=_said(yes=include_annotation),
            MD5Verification="true",
        )
        self.stream(asked, write)

    def get_image_other(self, series_instance_uid: str, write: Write) -> None:
        """Pass the zip of something that is no DICOM; one without any file is what NBIA sends for unknown UIDs."""
        self.stream(question("getImageOther", SeriesInstanceUID=series_instance_uid), write)

    # manifests and texts

    def get_manifest_text(self, series_instance_uids: Sequence[str], *, include_annotation: bool = True) -> str:
        """Return a manifest of these series, known to NBIA or not, as TCIA's portal writes it (§1.1)."""
        asked = form("getManifestText", list=series_instance_uids, includeAnnotation=_said(yes=include_annotation))
        return self._manifest(asked)

    def get_manifest_for_collection(self, collection: str, *, include_annotation: bool = True) -> str:
        """Return a manifest of all public series of a collection."""
        annotation = _said(yes=include_annotation)
        return self._manifest(form("getManifestForCollection", collection=collection, includeAnnotation=annotation))

    def get_manifest_from_patient_study_series(
        self,
        patient_ids: Sequence[str] = (),
        study_instance_uids: Sequence[str] = (),
        series_instance_uids: Sequence[str] = (),
        *,
        include_annotation: bool = True,
    ) -> str:
        """Return a manifest of the series of patients, of studies, and of single ones."""
        asked = form(
            "getManifestFromPatientStudySeries",
            patientIDs=",".join(patient_ids),
            studyUIDs=",".join(study_instance_uids),
            seriesUIDs=",".join(series_instance_uids),
            anyOrAll="any",
            includeAnnotation=_said(yes=include_annotation),
        )
        return self._manifest(asked)

    def get_user_agreement_txt(self) -> str:
        """Return TCIA's data usage policy."""
        return self.text(question("getUserAgreementTxt", version="v1"))

    def get_all_sop_class_definition(self) -> dict[str, str]:
        """Return the names of DICOM's UIDs, as `1.2.840.10008.5.1.4.1.1.2` → `CT Image Storage`."""
        text = self.text(question("getAllSOPClassDefinition", version="v1"))
        return dict(re.findall(r"^([\d.]+)=(.*?)\s*$", text, re.MULTILINE))

    # how answers become values

    def _typed(self, asked: Question, table: type[Table]) -> list[Table]:
        return typed(asked.endpoint, self.rows(asked), table)

    def _values(self, column: str, asked: Question) -> list[str]:
        return values(asked.endpoint, self.rows(asked), column)

    def _manifest(self, asked: Question) -> str:
        text = self.text(asked)
        if "ListOfSeriesToDownload=" not in text:
            raise SourceUnreachable(f"NBIA's {asked.endpoint} sent no manifest: {text[:80]!r}")
        return text


def _metadata_of(series_instance_uids: Sequence[str]) -> Question:
    return form("getSeriesMetadata", list=",".join(series_instance_uids), format="json")


def _batches(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _written(day: date) -> str:
    """Return a date as v4 reads it (§2.5)."""
    return f"{day:%m-%d-%Y}"


def _said(*, yes: bool) -> str:
    return "true" if yes else "false"
