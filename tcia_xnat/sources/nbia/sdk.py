"""The client of TCIA's old SDK, on today's NBIA: the same names and keyword arguments (tcia-nbia-and-idc.md §2.1).

The SDK spoke to `services.cancerimagingarchive.net/services/v3|v4`, which is gone. Here every question goes to
NBIA v4, and shared lists to v1. What is different, because NBIA is: rows have more columns, dates are MM-DD-YYYY,
and values that are missing are left out. What is different on purpose: nothing found is an empty list and no empty
text; what NBIA refuses is raised as an error of `tcia_xnat.core.errors`; a zip is proved whole before it gets its name.
"""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.errors import Error
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia import client, series_zip
from tcia_xnat.sources.nbia.connection import Row, question, services_url

_log = logging.getLogger("tciaclient")


class Answer(list[Row]):
    """The rows of an answer; it can be read as the HTTP response that the SDK returned, too.

    Scripts written for the SDK call `read()` and `getcode()`, those written for its successors use `data` and
    `status`. In other formats than JSON there is the text and no rows.
    """

    status = 200

    def __init__(self, rows: Sequence[Row], data: bytes) -> None:
        super().__init__(rows)
        self.data = data

    def read(self) -> bytes:
        """Return the body; again and again the same."""
        return self.data

    def getcode(self) -> int:
        """Return the HTTP status."""
        return self.status


class TCIAClient(Closing):
    """NBIA under the names of the SDK.

    Every `get_…` raises an error of `tcia_xnat.core.errors` when it fails; `outputFormat` is json, csv, html or xml.

    Parameters
    ----------
    apiKey, resource, maxsize
        As the SDK took them. NBIA needs none of them.
    baseUrl
        NBIA's services, `https://services.cancerimagingarchive.net/nbia-api/services`, with or without a version
        behind it. None, and the address of the server that is gone, mean the one that `TCIA_XNAT_NBIA_URL` names,
        else TCIA's.
    """

    def __init__(
        self, apiKey: str | None = None, baseUrl: str | None = None, resource: str = "TCIA", maxsize: int = 5
    ) -> None:
        del apiKey, resource, maxsize
        self._client = client.TCIAClient(services_url(baseUrl))
        self._patience = Patience(RetryPolicy(), time.sleep)

    def get_collection_values(self, outputFormat: str = "json") -> Answer:
        """Return rows of `Collection`."""
        return self._ask("getCollectionValues", outputFormat)

    def get_modality_values(
        self,
        collection: str | None = None,
        bodyPartExamined: str | None = None,
        modality: str | None = None,
        outputFormat: str = "json",
    ) -> Answer:
        """Return rows of `Modality`; `modality` never narrowed them down."""
        del modality
        return self._ask("getModalityValues", outputFormat, Collection=collection, BodyPartExamined=bodyPartExamined)

    def get_body_part_values(
        self,
        collection: str | None = None,
        bodyPartExamined: str | None = None,
        modality: str | None = None,
        outputFormat: str = "json",
    ) -> Answer:
        """Return rows of `BodyPartExamined`; `bodyPartExamined` never narrowed them down."""
        del bodyPartExamined
        return self._ask("getBodyPartValues", outputFormat, Collection=collection, Modality=modality)

    def get_manufacturer_values(
        self,
        collection: str | None = None,
        bodyPartExamined: str | None = None,
        modality: str | None = None,
        outputFormat: str = "json",
    ) -> Answer:
        """Return rows of `Manufacturer`."""
        return self._ask(
            "getManufacturerValues",
            outputFormat,
            Collection=collection,
            BodyPartExamined=bodyPartExamined,
            Modality=modality,
        )

    def get_patient(
        self, collection: str | None = None, outputFormat: str = "json", *, patientId: str | None = None
    ) -> Answer:
        """Return patients."""
        return self._ask("getPatient", outputFormat, Collection=collection, PatientId=patientId)

    def get_patient_study(
        self,
        collection: str | None = None,
        patientId: str | None = None,
        studyInstanceUid: str | None = None,
        outputFormat: str = "json",
    ) -> Answer:
        """Return studies."""
        return self._ask(
            "getPatientStudy",
            outputFormat,
            Collection=collection,
            PatientID=patientId,
            StudyInstanceUID=studyInstanceUid,
        )

    def get_series(  # noqa: PLR0913  the SDK's, in the two spellings that its versions had
        self,
        collection: str | None = None,
        modality: str | None = None,
        studyInstanceUid: str | None = None,
        outputFormat: str = "json",
        *,
        seriesInstanceUid: str | None = None,
        patientId: str | None = None,
        studyInstanceUID: str | None = None,
        seriesInstanceUID: str | None = None,
    ) -> Answer:
        """Return series."""
        return self._ask(
            "getSeries",
            outputFormat,
            Collection=collection,
            Modality=modality,
            PatientID=patientId,
            StudyInstanceUID=studyInstanceUid or studyInstanceUID,
            SeriesInstanceUID=seriesInstanceUid or seriesInstanceUID,
        )

    def get_series_size(self, SeriesInstanceUID: str | None = None, outputFormat: str = "json") -> Answer:
        """Return one row, `TotalSizeInBytes` and `ObjectCount`."""
        return self._ask("getSeriesSize", outputFormat, SeriesInstanceUID=SeriesInstanceUID)

    def get_sop_instance_uids(self, SeriesInstanceUID: str | None = None, outputFormat: str = "json") -> Answer:
        """Return rows of `SOPInstanceUID`."""
        return self._ask("getSOPInstanceUIDs", outputFormat, SeriesInstanceUID=SeriesInstanceUID)

    def contents_by_name(self, name: str | None = None) -> Answer:
        """Return the series of a shared list."""
        return self._ask("getContentsByName", "json", "v1", name=name)

    def get_image(self, seriesInstanceUid: str, downloadPath: str | Path, zipFileName: str) -> bool:
        """Save the zip of a series as `downloadPath`/`zipFileName`, and return whether it is there.

        True means that every image of the series is in it and as NBIA has it. False means that nothing was
        written; the reason goes to the log `tciaclient`, which Python shows on stderr. As with the SDK, one series
        that cannot be had raises nothing. Images are called `<SOPInstanceUID>.dcm`, LICENSE is with them.
        """
        try:
            path = Path(downloadPath) / zipFileName
            series_zip.save_series(self._client, seriesInstanceUid, path, self._patience)
        except Error as error:
            _log.warning("series %s was not saved: %s", seriesInstanceUid, error)
            return False
        return True

    def get_single_image(
        self, SeriesInstanceUID: str, SOPInstanceUID: str, downloadPath: str | Path, fileName: str
    ) -> bool:
        """Save one image as `downloadPath`/`fileName`, and return whether it is there; see `get_image`."""
        try:
            path = Path(downloadPath) / fileName
            series_zip.save_image(self._client, SeriesInstanceUID, SOPInstanceUID, path, self._patience)
        except Error as error:
            _log.warning("image %s was not saved: %s", SOPInstanceUID, error)
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _ask(self, endpoint: str, output_format: str, version: str = "v4", **asked: str | None) -> Answer:
        if output_format.lower() == "json":
            rows = self._patience.call(lambda: self._client.rows(question(endpoint, version=version, **asked)))
            return Answer(rows, json.dumps(rows, ensure_ascii=False).encode())
        other = question(endpoint, version=version, format=output_format, **asked)
        return Answer([], self._patience.call(lambda: self._client.content(other)))
