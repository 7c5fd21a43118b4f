"""What NBIA's answers hold: one type per table, under NBIA's own column names (tcia-nbia-and-idc.md §2.5 to §2.8).

NBIA leaves a column out of a row that has no value for it, so every column may be missing but those marked
`Required`. Dates are text, MM-DD-YYYY in v4; sizes are bytes.
"""

from collections.abc import Iterable
from typing import Any, Required, TypedDict, TypeVar, cast, get_type_hints

from tcia_xnat.core.errors import SourceError
from tcia_xnat.sources.nbia.connection import Row


class NbiaPatient(TypedDict, total=False):
    """A row of getPatient and NewPatientsInCollection."""

    PatientId: Required[str]
    PatientName: str
    PatientSex: str
    EthnicGroup: str
    Collection: str
    Phantom: str
    SpeciesCode: str
    SpeciesDescription: str
    Authorized: int


class NbiaStudy(TypedDict, total=False):
    """A row of getPatientStudy and NewStudiesInPatientCollection."""

    StudyInstanceUID: Required[str]
    StudyDate: str
    StudyDescription: str
    AdmittingDiagnosesDescription: str
    StudyID: str
    PatientAge: str
    PatientID: str
    PatientName: str
    PatientSex: str
    EthnicGroup: str
    Collection: str
    SeriesCount: int
    LongitudinalTemporalEventType: str
    LongitudinalTemporalOffsetFromEvent: float
    Authorized: int


class _Equipment(TypedDict, total=False):
    Modality: str
    ProtocolName: str
    SeriesDate: str
    SeriesDescription: str
    BodyPartExamined: str
    SeriesNumber: int
    AnnotationsFlag: bool
    Manufacturer: str
    ManufacturerModelName: str
    SoftwareVersions: str
    ImageCount: int


class _Published(TypedDict, total=False):
    MaxSubmissionTimestamp: str
    LicenseName: str
    LicenseURI: str
    DataDescriptionURI: str
    FileSize: int
    ReleasedStatus: str
    DateReleased: str
    ThirdPartyAnalysis: str
    Authorized: int


class NbiaSeries(_Equipment, _Published, total=False):
    """A row of getSeries and getUpdatedSeries of v4 (§2.6)."""

    SeriesInstanceUID: Required[str]
    StudyInstanceUID: str
    Collection: str
    Site: str
    PatientID: str
    PatientSex: str
    PatientAge: str
    AdmittingDiagnosisDescription: str
    StudyDesc: str
    StudyDate: str


_Spacing = TypedDict("_Spacing", {"PixelSpacing(mm)-Row": float, "SliceThickness(mm)": float}, total=False)


class NbiaSeriesMetadata(NbiaSeries, _Spacing, total=False):
    """A row of getSeriesMetadata of v4: a series together with its study and patient (§2.8)."""

    PatientName: str
    EthnicGroup: str
    Phantom: str
    SpeciesCode: str
    SpeciesDescription: str
    StudyID: str
    LongitudinalTemporalEventType: str
    LongitudinalTemporalOffsetFromEvent: float


_Released = TypedDict("_Released", {"Date Released": str}, total=False)


class NbiaSharedSeries(_Equipment, _Released, total=False):
    """A row of getContentsByName of v1: a series of a shared cart; dates as `2000-01-01 00:00:00.0`."""

    SeriesInstanceUID: Required[str]
    StudyInstanceUID: str
    Collection: str
    PatientID: str


class NbiaSeriesSize(TypedDict):
    """A row of getSeriesSize."""

    TotalSizeInBytes: int
    ObjectCount: int


class NbiaDicomTag(TypedDict):
    """A row of getDicomTags: `(0008,0060)`, `Modality`, `CT`; values that are no text have none."""

    element: str
    name: str
    data: str | None


class NbiaDoi(TypedDict, total=False):
    """A row of getCollectionOrSeriesForDOI, one column misspelt by NBIA."""

    collection: str
    seriesInstanceUID: str
    thirdPartyAnanlysis: str
    authorized: int


Table = TypeVar("Table")


def typed(endpoint: str, rows: Iterable[Row], table: type[Table]) -> list[Table]:
    """Return rows as what `table` says they are: required columns there, whole numbers as `int`.

    NBIA has sent numbers as text before, with decimals (§2.6).

    Raises
    ------
    SourceError
        A required column is missing, or a number is none.
    """
    needed, numbers = _columns(table)
    return [cast("Table", _checked(endpoint, row, needed, numbers)) for row in rows]


def values(endpoint: str, rows: Iterable[Row], column: str) -> list[str]:
    """Return the one column of an answer as text; rows without any value are left out.

    Raises
    ------
    SourceError
        A row holds something else.
    """
    return [str(_checked(endpoint, row, frozenset({column}), ())[column]) for row in rows if row]


def _columns(table: Any) -> tuple[frozenset[str], tuple[str, ...]]:  # noqa: ANN401  the class of a TypedDict
    numbers = tuple(name for name, kind in get_type_hints(table).items() if kind is int)
    return table.__required_keys__, numbers


def _checked(endpoint: str, row: Row, needed: frozenset[str], numbers: Iterable[str]) -> Row:
    if missing := sorted(needed - row.keys()):
        raise SourceError(f"NBIA's {endpoint} sent a row without {' and '.join(missing)}: {row}"[:_SHOWN])
    return row | {name: _whole(endpoint, name, row[name]) for name in numbers if row.get(name) is not None}


def _whole(endpoint: str, column: str, value: object) -> int:
    try:
        return value if isinstance(value, int) else int(float(str(value)))
    except (ValueError, OverflowError) as error:
        raise SourceError(f"NBIA's {endpoint} sent {value!r} as {column}"[:_SHOWN]) from error


_SHOWN = 200  # characters of a message that quotes an answer
