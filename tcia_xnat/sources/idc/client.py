"""The Imaging Data Commons: what it lists, without a network, and what it holds (tcia-nbia-and-idc.md §7)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tcia_xnat import web
from tcia_xnat.core.doi import DOI_URL, IDC_PAPER, CitationFormat
from tcia_xnat.core.errors import SeriesUnavailable, SourceError, UsageError
from tcia_xnat.core.model import Series
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.core.viewers import viewer_link
from tcia_xnat.sources.citations import Citations
from tcia_xnat.sources.idc import tables
from tcia_xnat.sources.idc.buckets import IDC_URL, IdcBuckets, StoredObject
from tcia_xnat.sources.idc.download import DIR_TEMPLATE, Leftovers, download, folder_of
from tcia_xnat.sources.idc.index import IdcIndex, index_path
from tcia_xnat.sources.idc.questions import Answer, Query
from tcia_xnat.sources.idc.selection import BYTES, Selection
from tcia_xnat.sources.idc.source import IdcSource

__all__ = ["IDC_URL", "Downloads", "IDCClient", "StoredObject", "index_path"]

Texts = str | Sequence[str] | None
Format = Literal["json", "list", "DataFrame"]
Found: TypeAlias = Any
"""Rows as `outputFormat` says: a list, or a DataFrame; a union of them would have to be narrowed by each caller."""

_NOT_AMONG = "it is not among what the other filters select"
_SPOOL_LIMIT = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Downloads:
    """What a selection became: SeriesInstanceUID → its folder, or why it is not there."""

    folders: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, SourceError] = field(default_factory=dict)


class IDCClient(IdcIndex, IdcBuckets):
    """What IDC offers to everybody.

    Methods that return rows take `outputFormat`: `json` is a list of dicts, `list` a list of identifiers,
    `DataFrame` a table of pandas. Filters that are given must all fit; each may be one text or several. None is a
    filter that is not given; nothing fits an empty list or an empty text. A value that IDC does not list is a
    UsageError.

    Parameters
    ----------
    url
        S3 endpoint; buckets are addressed in path style below it.
    index
        Parquet of the index; None is the embedded one.
    silent_seconds
        How long the buckets may say nothing.
    doi_url
        Where DOIs are resolved.
    """

    def __init__(
        self,
        url: str = IDC_URL,
        index: str | Path | None = None,
        silent_seconds: float = web.SILENT_SECONDS,
        doi_url: str = DOI_URL,
    ) -> None:
        IdcIndex.__init__(self, index)
        IdcBuckets.__init__(self, url, silent_seconds)
        self._doi_url = doi_url

    def get_idc_version(self) -> str:
        """Return the version of IDC that the index describes, as `v25`."""
        return self.version()

    def get_collection_ids(self, outputFormat: Format = "list") -> Found:
        """Return the collections; all but `list` with their counts, bytes, licences and DOIs."""
        return _formatted(self.ask(tables.collections(Selection())), "collection_id", outputFormat)

    def get_patients(self, collection: Texts = None, outputFormat: Format = "json") -> Found:
        """Return the patients of a collection, with their counts and bytes."""
        return self._table(tables.patients, "PatientID", outputFormat, collection)

    def get_patient_study(
        self,
        collection: Texts = None,
        patientId: Texts = None,
        studyInstanceUid: Texts = None,
        outputFormat: Format = "json",
    ) -> Found:
        """Return studies, a patient's in the order of their dates."""
        return self._table(tables.studies, "StudyInstanceUID", outputFormat, collection, patientId, studyInstanceUid)

    def get_series(  # noqa: PLR0913  the filters of the other archive's client
        self,
        collection: Texts = None,
        patientId: Texts = None,
        studyInstanceUid: Texts = None,
        modality: Texts = None,
        seriesInstanceUid: Texts = None,
        outputFormat: Format = "json",
    ) -> Found:
        """Return series, under the index's own names."""
        meant = self._selection(collection, patientId, studyInstanceUid, seriesInstanceUid, modality)
        return _formatted(self.ask(tables.series(meant)), "SeriesInstanceUID", outputFormat)

    def get_series_size(self, seriesInstanceUid: str, outputFormat: Format = "json") -> Found:
        """Return TotalSizeInBytes and ObjectCount of a series, as NBIA calls them; no row for an unknown one."""
        query = (
            f"SELECT {BYTES} AS TotalSizeInBytes, instanceCount AS ObjectCount FROM index WHERE SeriesInstanceUID = ?"  # noqa: S608  columns of ours
        )
        return _formatted(self.ask(Query(query, (seriesInstanceUid,))), "TotalSizeInBytes", outputFormat)

    def sql_query(self, query: str, outputFormat: Format = "DataFrame") -> Found:
        """Return the answer to one SELECT on the tables that `described_tables` lists; `list` is its first column.

        Raises
        ------
        UsageError
            It is no SELECT, or asks for what is not there.
        """
        answer = self.ask(self.database.asked_by_user(query))
        return _formatted(answer, answer.columns[0], outputFormat)

    def get_viewer_url(self, seriesInstanceUid: str = "", studyInstanceUid: str = "") -> str:
        """Return the address that shows a series or a study in a browser; see `tcia_xnat.core.viewers`.

        Raises
        ------
        UsageError
            IDC does not list it.
        """
        column, uid = (
            ("SeriesInstanceUID", seriesInstanceUid) if seriesInstanceUid else ("StudyInstanceUID", studyInstanceUid)
        )
        query = f"""
            SELECT StudyInstanceUID, list(DISTINCT Modality), any_value(Modality) FILTER (SeriesInstanceUID = ?)
            FROM index WHERE StudyInstanceUID IN (SELECT StudyInstanceUID FROM index WHERE {column} = ?) GROUP BY 1"""  # noqa: S608  columns of ours
        rows = self.ask(Query(query, (seriesInstanceUid, uid))).rows
        if not rows:
            raise UsageError(f"IDC does not list {uid or 'a study without UID'}", "query.py search finds what it lists")
        study, modalities, modality = rows[0]
        return viewer_link(study, modalities, seriesInstanceUid, modality or "")

    def citations_from_selection(
        self,
        collection: Texts = None,
        patient: Texts = None,
        study: Texts = None,
        series: Texts = None,
        citationFormat: str = CitationFormat.APA,
    ) -> list[str]:
        """Return what is to be cited for some series, and the paper that IDC asks to be cited.

        Parameters
        ----------
        citationFormat
            `apa`, `bibtex`, `csl-json` or `turtle`; without a network each citation is the bare DOI.
        """
        meant = self._some(collection, patient, study, series)
        citations = Citations(self._doi_url)
        dois = [row[0] for row in self.ask(tables.dois(meant)).rows]
        return [citations.text(doi, CitationFormat(citationFormat)) for doi in (*dois, IDC_PAPER)]

    def get_images(self, seriesInstanceUid: str, downloadDir: str | Path) -> Path:
        """Fetch a series, prove it, and return the folder with its files: `downloadDir/<SeriesInstanceUID>`.

        Raises
        ------
        SourceError
            It did not arrive whole; no file of it is there.
        UsageError
            IDC does not list it.
        """
        done = self.download_from_selection(
            series=seriesInstanceUid, downloadDir=downloadDir, dirTemplate="%SeriesInstanceUID"
        )
        for error in done.failed.values():
            raise error
        return done.folders[seriesInstanceUid]

    def download_from_selection(  # noqa: PLR0913  one filter for each level
        self,
        collection: Texts = None,
        patient: Texts = None,
        study: Texts = None,
        series: Texts = None,
        downloadDir: str | Path = ".",
        dirTemplate: str = DIR_TEMPLATE,
    ) -> Downloads:
        """Fetch and prove the series that are meant; one that fails stops no other.

        Images of a series that lie in its folder under other names make way for it.

        Raises
        ------
        UsageError
            No filter is given, IDC lists no such series, or the folder cannot be written.
        SpaceError
        """
        found = self.select_meant(collection, patient, study, series)
        source = IdcSource(self, Patience(RetryPolicy(), time.sleep), _SPOOL_LIMIT)
        known = {one.series_instance_uid for one in found}
        lost = {uid: SeriesUnavailable(_NOT_AMONG) for uid in _several(series) if uid not in known}
        done, leftovers = Downloads(failed=dict(lost)), Leftovers()
        for one in found:
            folder = Path(downloadDir) / folder_of(one, dirTemplate)
            try:
                download(source, one, folder, leftovers)
            except SourceError as error:
                done.failed[one.series_instance_uid] = error
            else:
                done.folders[one.series_instance_uid] = folder
        return done

    def select_meant(
        self, collection: Texts = None, patient: Texts = None, study: Texts = None, series: Texts = None
    ) -> list[Series]:
        """Return the series that a download of this selection is about.

        Raises
        ------
        UsageError
            No filter is given, or IDC lists no such series.
        """
        found = self.select_series(self._some(collection, patient, study, series))
        if not found:
            raise UsageError("IDC lists no such series", "query.py search finds what it lists")
        return found

    def close(self) -> None:
        """Close all connections, let go of the files."""
        IdcIndex.close(self)
        IdcBuckets.close(self)

    def _table(self, table: Callable[[Selection], Query], identifier: str, form: Format, *filters: Texts) -> Found:
        return _formatted(self.ask(table(self._selection(*filters))), identifier, form)

    def _some(self, *filters: Texts) -> Selection:
        meant = self._selection(*filters)
        if meant.is_empty:
            raise UsageError("nothing is selected", "name a collection, a patient, a study or a series")
        return meant

    def _selection(
        self,
        collection: Texts = None,
        patient: Texts = None,
        study: Texts = None,
        series: Texts = None,
        modality: Texts = None,
    ) -> Selection:
        given = (collection, patient, study, series, modality)
        collections, patients, studies, uids, modalities = map(_several, given)
        return self.resolved(
            Selection(
                collections=collections,
                patients=patients,
                studies=studies,
                series=uids,
                modalities=modalities,
                is_nothing=any(one is not None and not _several(one) for one in given),
            )
        )


def _several(texts: Texts) -> tuple[str, ...]:
    """Return the values of a filter; None is a filter that is not given."""
    if texts is None or isinstance(texts, str):
        return (texts,) if texts else ()
    return tuple(texts)


def _formatted(answer: Answer, identifier: str, form: Format) -> Found:
    if form == "json":
        return answer.dicts()
    if form == "list":
        place = answer.columns.index(identifier)
        return [row[place] for row in answer.rows]
    if form.lower() in {"dataframe", "df"}:
        import pandas as pd  # noqa: PLC0415  0.25 s that the other forms need not wait

        return pd.DataFrame(answer.rows, columns=list(answer.columns))
    raise UsageError(f"{form!r} is no output format", "use json, list or DataFrame")
