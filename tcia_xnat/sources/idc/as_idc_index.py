"""`IDCClient` under the names and signatures of the package idc-index, for code that was written for it.

What differs is stricter: all filters must fit, a value that IDC does not list is an error, and a download raises when
some of it is not there.
"""

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.doi import CitationFormat
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.idc import client as idc
from tcia_xnat.sources.idc.client import Downloads, Found, Texts
from tcia_xnat.sources.idc.download import DIR_TEMPLATE
from tcia_xnat.sources.idc.index import described_tables
from tcia_xnat.sources.idc.questions import Query

_FORMS: Mapping[str, idc.Format] = {"dict": "json", "json": "json", "list": "list", "df": "DataFrame"}


class IDCClient(Closing):
    """What IDC offers, as `idc_index.IDCClient` is called.

    Parameters
    ----------
    client
        Asked in the end; None makes one with the embedded index.
    """

    DOWNLOAD_HIERARCHY_DEFAULT = DIR_TEMPLATE
    CITATION_FORMAT_APA = CitationFormat.APA
    CITATION_FORMAT_TURTLE = CitationFormat.TURTLE
    CITATION_FORMAT_JSON = CitationFormat.CSL_JSON
    CITATION_FORMAT_BIBTEX = CitationFormat.BIBTEX
    _made: ClassVar[list["IDCClient"]] = []

    def __init__(self, client: idc.IDCClient | None = None) -> None:
        self._idc = client or idc.IDCClient()

    @classmethod
    def client(cls) -> "IDCClient":
        """Return one client for the whole process."""
        if not cls._made:
            cls._made.append(cls())
        return cls._made[0]

    def close(self) -> None:
        """Close all connections, let go of the files."""
        self._idc.close()

    # tables

    @cached_property
    def index(self) -> Found:
        """The index as a DataFrame, a row for each series; a minute of reading and some GB of memory."""
        return self.sql_query("SELECT * FROM index")

    @property
    def indices_overview(self) -> dict[str, dict[str, Any]]:
        """The tables that `sql_query` can ask; all of them are there."""
        return {
            name: {"description": schema["table_description"], "installed": True, "url": None}
            for name, schema in described_tables().items()
        }

    def fetch_index(self, index_name: str) -> None:
        """Do nothing for a table that is there.

        Raises
        ------
        UsageError
            There is no such table.
        """
        if index_name not in (there := self.indices_overview):
            raise UsageError(f"there is no table {index_name}", f"sql_query can ask {', '.join(there)}")

    def sql_query(self, sql_query: str) -> Found:
        """Return the answer to one SELECT as a DataFrame."""
        return self._idc.sql_query(sql_query, "DataFrame")

    # what there is

    def get_idc_version(self) -> str:
        """Return the version of IDC, as `v25`."""
        return self._idc.get_idc_version()

    def get_collections(self) -> list[str]:
        """Return all collections."""
        found: list[str] = self._idc.get_collection_ids()
        return found

    def get_patients(self, collection_id: Texts, outputFormat: str = "dict") -> Found:
        """Return the patients of collections: `dict`, `list` or `df`."""
        return self._idc.get_patients(collection_id, _form(outputFormat))

    def get_dicom_studies(self, patientId: Texts, outputFormat: str = "dict") -> Found:
        """Return the studies of patients: `dict`, `list` or `df`."""
        return self._idc.get_patient_study(patientId=patientId, outputFormat=_form(outputFormat))

    def get_dicom_series(self, studyInstanceUID: Texts, outputFormat: str = "dict") -> Found:
        """Return the series of studies: `dict`, `list` or `df`."""
        return self._idc.get_series(studyInstanceUid=studyInstanceUID, outputFormat=_form(outputFormat))

    def get_series_size(self, seriesInstanceUID: str) -> float:
        """Return the size of a series in MB.

        Raises
        ------
        UsageError
            IDC does not list it.
        """
        return self._one("series_size_MB", seriesInstanceUID)[0]  # type: ignore[no-any-return]  # a column of numbers

    def get_series_file_URLs(self, seriesInstanceUID: str) -> list[str]:
        """Return the addresses of the images of a series, as IDC's bucket lists them.

        Raises
        ------
        UsageError
            IDC does not list it.
        SourceError
        """
        bucket, folder = self._one("aws_bucket, crdc_series_uuid", seriesInstanceUID)
        patience = Patience(RetryPolicy(), time.sleep)
        return [f"s3://{bucket}/{one.key}" for one in patience.call(lambda: self._idc.list_objects(bucket, folder))]

    def get_viewer_URL(
        self,
        seriesInstanceUID: str | None = None,
        studyInstanceUID: str | None = None,
        viewer_selector: str | None = None,
    ) -> str:
        """Return the address that shows a series or a study; the viewer is the one that can show it."""
        del viewer_selector
        return self._idc.get_viewer_url(seriesInstanceUID or "", studyInstanceUID or "")

    def citations_from_selection(
        self,
        collection_id: Texts = None,
        patientId: Texts = None,
        studyInstanceUID: Texts = None,
        seriesInstanceUID: Texts = None,
        citation_format: str = CitationFormat.APA,
    ) -> list[str]:
        """Return what is to be cited; see `tcia_xnat.sources.idc.client.IDCClient.citations_from_selection`."""
        chosen = (collection_id, patientId, studyInstanceUID, seriesInstanceUID)
        return self._idc.citations_from_selection(*chosen, citation_format)

    # images

    def download_from_selection(  # noqa: PLR0913, PLR0917  as idc-index has it
        self,
        downloadDir: str | Path,
        dry_run: bool = False,  # noqa: FBT001, FBT002  as above
        collection_id: Texts = None,
        patientId: Texts = None,
        studyInstanceUID: Texts = None,
        seriesInstanceUID: Texts = None,
        *,
        dirTemplate: str | None = DIR_TEMPLATE,
        **of_its_own: object,
    ) -> None:
        """Fetch and prove series; `dirTemplate` None or empty is one folder for all.

        Parameters
        ----------
        of_its_own
            Options of idc-index on its progress and its tool, which have no meaning here.

        Raises
        ------
        SourceError
            A series is not there; the others are.
        UsageError
        """
        _refuse_unknown(of_its_own)
        chosen = {"collection": collection_id, "patient": patientId, "study": studyInstanceUID}
        chosen |= {"series": seriesInstanceUID}
        if dry_run:
            self._idc.select_meant(**chosen)
            return
        template = dirTemplate or ""
        _whole(self._idc.download_from_selection(**chosen, downloadDir=downloadDir, dirTemplate=template))

    def download_collection(self, collection_id: Texts, downloadDir: str | Path, **options: Any) -> None:  # noqa: ANN401  as above
        """Fetch whole collections."""
        self.download_from_selection(downloadDir, collection_id=collection_id, **options)

    def download_dicom_patients(self, patientId: Texts, downloadDir: str | Path, **options: Any) -> None:  # noqa: ANN401  as above
        """Fetch all series of patients."""
        self.download_from_selection(downloadDir, patientId=patientId, **options)

    def download_dicom_studies(self, studyInstanceUID: Texts, downloadDir: str | Path, **options: Any) -> None:  # noqa: ANN401  as above
        """Fetch all series of studies."""
        self.download_from_selection(downloadDir, studyInstanceUID=studyInstanceUID, **options)

    def download_dicom_series(self, seriesInstanceUID: Texts, downloadDir: str | Path, **options: Any) -> None:  # noqa: ANN401  as above
        """Fetch series."""
        self.download_from_selection(downloadDir, seriesInstanceUID=seriesInstanceUID, **options)

    def _one(self, columns: str, series_instance_uid: str) -> tuple[Any, ...]:
        query = Query(f"SELECT {columns} FROM index WHERE SeriesInstanceUID = ?", (series_instance_uid,))  # noqa: S608  columns of ours
        if not (rows := self._idc.ask(query).rows):
            raise UsageError(f"IDC does not list {series_instance_uid}", "query.py search finds what it lists")
        return rows[0]


_OPTIONS = {"quiet", "show_progress_bar", "use_s5cmd_sync", "source_bucket_location"}


def _refuse_unknown(options: Mapping[str, object]) -> None:
    if unknown := sorted(set(options) - _OPTIONS):
        raise UsageError(f"download_from_selection has no {', '.join(unknown)}", "leave it out")


def _form(name: str) -> idc.Format:
    if name not in _FORMS:
        raise UsageError(f"{name!r} is no output format", f"use {', '.join(_FORMS)}")
    return _FORMS[name]


def _whole(done: Downloads) -> None:
    for error in done.failed.values():
        raise error
