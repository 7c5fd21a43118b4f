"""Which series are meant: every filter that a search knows, as one value and as SQL."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from tcia_xnat.clients.questions import Query
from tcia_xnat.errors import UsageError

AGE_IN_YEARS = """
    try_cast(regexp_extract(PatientAge, '^\\d+') AS DOUBLE) / CASE upper(right(PatientAge, 1))
        WHEN 'D' THEN 365.25 WHEN 'W' THEN 52.18 WHEN 'M' THEN 12 ELSE 1 END"""
"""PatientAge is an age string, as 064Y, 018M, 003W, 012D (DICOM PS3.5 §6.2, AS); some series have a bare number."""

BYTES = "CAST(round(series_size_MB * 1e6) AS BIGINT)"
"""The index's size is exact: times 1e6 it is the number of bytes (tcia-nbia-and-idc.md §7.1)."""

_NEAREST = 3
_CUTOFF = 0.5
_DATE = re.compile(r"(\d{4})(?:-?(\d{2}))?(?:-?(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of series: each filter that is given must fit, one of its values is enough.

    Texts are compared without regard to case; `*` and `?` stand for any characters. Descriptions, manufacturers and
    models need only contain the text. Dates are ISO, or the beginning of an ISO date; ages are in years; sizes in
    bytes. A series of which the index does not know what is asked for does not fit.
    """

    collections: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    manufacturers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    study_descriptions: tuple[str, ...] = ()
    sexes: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""
    age_min: float | None = None
    age_max: float | None = None
    images_min: int | None = None
    images_max: int | None = None
    bytes_min: int | None = None
    bytes_max: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it takes every series."""
        return all(getattr(self, field.name) == field.default for field in fields(self))

    def where(self) -> Query:
        """Return the condition for the table `index`; TRUE when every series is meant."""
        terms = [*self._texts(), *self._bounds()]
        if not terms:
            return Query("TRUE")
        return Query(" AND ".join(term.text for term in terms), tuple(value for term in terms for value in term.values))

    def _texts(self) -> Iterable[Query]:
        for name, (column, made) in _TEXTS.items():
            if values := getattr(self, name):
                terms = [made(column, value) for value in values]
                yield Query(f"({' OR '.join(term.text for term in terms)})", tuple(v for t in terms for v in t.values))
        for column, uids in (("StudyInstanceUID", self.studies), ("SeriesInstanceUID", self.series)):
            if uids:
                yield Query(f"{column} IN (SELECT unnest(?::VARCHAR[]))", (list(uids),))

    def _bounds(self) -> Iterable[Query]:
        bounds = (
            ("StudyDate >= ?", _first_day(self.date_from)),
            ("StudyDate <= ?", _last_day(self.date_to)),
            (f"{AGE_IN_YEARS} >= ?", self.age_min),
            (f"{AGE_IN_YEARS} <= ?", self.age_max),
            ("instanceCount >= ?", self.images_min),
            ("instanceCount <= ?", self.images_max),
            (f"{BYTES} >= ?", self.bytes_min),
            (f"{BYTES} <= ?", self.bytes_max),
        )
        return (Query(text, (value,)) for text, value in bounds if value not in {None, ""})


def collection_id(name: str) -> str:
    """Return the collection_id of a collection that is named as TCIA does: `4D-Lung` is `4d_lung` (§7.1)."""
    return re.sub(r"[\s-]", "_", name.strip().lower())


def checked_collections(asked: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return the identifiers of collections that are named in any spelling, or by a pattern.

    Raises
    ------
    UsageError
        There is none of that name; the hint has the nearest.
    """
    identifiers = sorted(set(known))
    made = []
    for name in asked:
        identifier = collection_id(name)
        if not _has_pattern(identifier) and identifier not in identifiers:
            near = difflib.get_close_matches(identifier, identifiers, _NEAREST, _CUTOFF)
            near += [other for other in identifiers if identifier in other and other not in near][:_NEAREST]
            hint = f"did you mean {', '.join(near)}?" if near else "query.py collections lists all of them"
            raise UsageError(f"there is no collection {name}", hint)
        made.append(identifier)
    return tuple(made)


def _exact(column: str, value: str) -> Query:
    if _has_pattern(value):
        return Query(f"{column} ILIKE ? ESCAPE '\\'", (_pattern(value),))
    return Query(f"lower({column}) = lower(?)", (value,))


def _containing(column: str, value: str) -> Query:
    return Query(f"{column} ILIKE ? ESCAPE '\\'", (f"%{_pattern(value)}%",))


_TEXTS: Mapping[str, tuple[str, Callable[[str, str], Query]]] = {
    "collections": ("collection_id", _exact),
    "patients": ("PatientID", _exact),
    "modalities": ("Modality", _exact),
    "body_parts": ("BodyPartExamined", _exact),
    "manufacturers": ("Manufacturer", _containing),
    "models": ("ManufacturerModelName", _containing),
    "descriptions": ("SeriesDescription", _containing),
    "study_descriptions": ("StudyDescription", _containing),
    "sexes": ("PatientSex", _exact),
    "licences": ("license_short_name", _exact),
}


def _has_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _pattern(text: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return escaped.replace("*", "%").replace("?", "_")


def _first_day(date: str) -> str:
    return _padded(date, "01", "01")


def _last_day(date: str) -> str:
    return _padded(date, "12", "31")  # dates are compared as text: no month has a later day


def _padded(date: str, month: str, day: str) -> str:
    if not date:
        return ""
    found = _DATE.fullmatch(date.strip())
    if not found:
        raise UsageError(f"{date!r} is no date", "write 2021, 2021-03 or 2021-03-31")
    return f"{found[1]}-{found[2] or month}-{found[3] or day}"
