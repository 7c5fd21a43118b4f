"""A row of NBIA's metadata as a series, or the reason why it cannot be one (tcia-nbia-and-idc.md §2.8)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tcia_xnat.core import limits
from tcia_xnat.core.doi import bare_doi
from tcia_xnat.core.errors import SourceError
from tcia_xnat.core.model import Series
from tcia_xnat.core.uids import is_uid

_LICENCE_PARTS = {"attribution": "BY", "noncommercial": "NC", "noderiv": "ND", "sharealike": "SA"}
_SHOWN = 80  # characters of a wrong value that a message shows


def from_nbia(row: Mapping[str, object]) -> Series:
    """Return a row of getSeriesMetadata as a series; NBIA leaves empty columns out.

    A FileSize that cannot be true is one that is not known.

    Raises
    ------
    SourceError
        The row does not say whose series it is, or holds what its column cannot hold.
    """
    image_count = _image_count(row.get("ImageCount"))
    return Series(
        series_instance_uid=_uid(row, "SeriesInstanceUID"),
        study_instance_uid=_uid(row, "StudyInstanceUID"),
        patient_id=_patient(row),
        collection_id=_text(row, "Collection").lower().replace("-", "_").replace(" ", "_"),
        modality=_text(row, "Modality"),
        series_number=_text(row, "SeriesNumber"),
        series_description=_text(row, "SeriesDescription"),
        study_date=_iso_date(_text(row, "StudyDate")),
        study_description=_text(row, "StudyDesc"),
        image_count=image_count,
        byte_count=_byte_count(row.get("FileSize"), image_count),
        licence=_short_licence(_text(row, "LicenseName")),
        source_doi=bare_doi(_text(row, "DataDescriptionURI")),
    )


def one_series(rows: Sequence[Mapping[str, object]]) -> Series:
    """Return the series of which NBIA sent these rows.

    Raises
    ------
    SourceError
        They are wrong, or tell different things.
    """
    return _agreed([from_nbia(row) for row in rows])


def with_numbers_of(series: Series, rows: Sequence[Mapping[str, object]]) -> Series:
    """Return a series with the numbers that NBIA's rows of it tell: another source may hold another version.

    Raises
    ------
    SourceError
        They are wrong, or tell different things.
    """
    return _agreed([_with_numbers(series, row) for row in rows])


def _with_numbers(series: Series, row: Mapping[str, object]) -> Series:
    image_count = _image_count(row.get("ImageCount"))
    return replace(series, image_count=image_count, byte_count=_byte_count(row.get("FileSize"), image_count))


def _agreed(told: Sequence[Series]) -> Series:
    if any(other != told[0] for other in told):
        raise SourceError(f"NBIA sent {len(told)} different rows of this series")
    return told[0]


def _uid(row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str) or not is_uid(value):
        raise _wrong(column, value)
    return value


def _patient(row: Mapping[str, object]) -> str:
    """Return whose series it is, letter by letter: what had to be replaced could name two patients."""
    value = _text(row, "PatientID")
    if not value.strip() or value != str(row.get("PatientID")):
        raise _wrong("PatientID", row.get("PatientID"))
    return value


def _text(row: Mapping[str, object], column: str) -> str:
    """Return a value as text that can be written; numbers stand for themselves."""
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(column, value)
    return str(value).encode("utf-8", "replace").decode()


def _image_count(value: object) -> int:
    number = _number(value)
    if number is None or not 0 <= number <= limits.IMAGES_OF_SERIES:
        raise _wrong("ImageCount", value)
    return int(number)


def _byte_count(value: object, image_count: int) -> int:
    """Return the size of a series, 0 when it is not known: one absurd number must not stop a whole run."""
    number = _number(value)
    most = min(limits.BYTES_OF_SERIES, limits.BYTES_OF_IMAGE * max(image_count, 1))
    return int(number) if number is not None and 0 <= number <= most else 0


def _number(value: object) -> float | None:
    """Return a number, which NBIA has sent as text before (§2.6); 0 when it is left out, None when it is none."""
    if value is None:
        return 0
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _wrong(column: str, value: object) -> SourceError:
    said = "nothing" if value is None else repr(value)[:_SHOWN]
    return SourceError(f"NBIA sent {said} as {column} of this series")


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
