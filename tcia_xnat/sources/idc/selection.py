"""Which series are meant: every filter that a search knows, as one value and as SQL."""

import datetime as dt
import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from tcia_xnat.core.errors import UsageError
from tcia_xnat.sources.idc.questions import Query

AGE_IN_YEARS = """
    CASE WHEN regexp_matches(PatientAge, '^0+[YMW]?$') THEN NULL
    ELSE try_cast(regexp_extract(PatientAge, '^\\d+') AS DOUBLE) / CASE
        upper(right(PatientAge, 1)) WHEN 'D' THEN 365.25 WHEN 'W' THEN 52.18 WHEN 'M' THEN 12 ELSE 1 END END"""
"""PatientAge is an age string, as 064Y, 018M, 003W, 012D (DICOM PS3.5 §6.2, AS); some series have a bare number.

000Y, 000M and 000W stand in the place of an age that was removed: a newborn is 000D or older.
"""

BYTES = "CAST(round(series_size_MB * 1e6) AS BIGINT)"
"""The index's size is exact: times 1e6 it is the number of bytes (tcia-nbia-and-idc.md §7.1)."""

_NEAREST, _NAMED = 3, 5  # how many are shown
_CUTOFF = 0.5
_DATE = re.compile(r"(\d{4})(?:-?(\d{2}))?(?:-?(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of series: each filter that is given must fit, one of its values is enough.

    Texts are compared without regard to case; `*` and `?` stand for any characters. Descriptions, manufacturers and
    models need only contain the text. Dates are ISO, or the beginning of an ISO date; ages are in years; sizes in
    bytes. A series of which the index does not know what is asked for does not fit. `is_nothing` fits no series: a
    filter was given without a value.

    Raises
    ------
    UsageError
        A date is not in the calendar, or the least value of a filter is greater than its greatest.
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
    is_nothing: bool = False

    def __post_init__(self) -> None:
        """Refuse what can fit no series."""
        first, last = _first_day(self.date_from), _last_day(self.date_to)
        if first and last and first > last:
            raise UsageError(f"the first date, {first}, comes after the last, {last}", "swap them")
        bounds = (
            ("age", self.age_min, self.age_max),
            ("number of images", self.images_min, self.images_max),
            ("size", self.bytes_min, self.bytes_max),
        )
        for name, least, greatest in bounds:
            if least is not None and greatest is not None and least > greatest:
                raise UsageError(f"the least {name}, {least:g}, is above the greatest, {greatest:g}", "swap them")

    @property
    def is_empty(self) -> bool:
        """Whether it takes every series."""
        return all(getattr(self, field.name) == field.default for field in fields(self))

    def where(self) -> Query:
        """Return the condition for the table `index`; TRUE when every series is meant."""
        if self.is_nothing:
            return Query("FALSE")
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

    def several(self) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        """Yield what the values of a filter are called, their column, and each value with its pattern in small letters.

        Filters of one value are left out, and licences, of which one name may stand for several.
        """
        for name, (column, kind) in _SAID.items():
            if len(values := getattr(self, name)) > 1:
                yield kind, column, {value: _glob(name, value.lower()) for value in values}

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
        A name is unknown, or a pattern fits no collection; the hint has the nearest.
    """
    check_values("collection", asked, known, "query.py collections lists all of them", collection_id)
    return tuple(map(collection_id, asked))


def check_values(
    kind: str, asked: Sequence[str], known: Iterable[str], otherwise: str, key: Callable[[str], str] = str.lower
) -> None:
    """Refuse values that no series has: what is left out silently is missed only years later.

    Parameters
    ----------
    kind
        What the values are, for the message.
    asked
        Texts, compared without regard to case; those with `*` or `?` are patterns.
    otherwise
        The hint where nothing comes near.
    key
        Returns a value as it is compared.

    Raises
    ------
    UsageError
        A value is unknown, or a pattern fits nothing; all of them are named.
    """
    spelled = {key(value): value for value in sorted(known)}
    lost = [value for value in asked if not _is_among(key(value), spelled)]
    if not lost:
        return
    near = list(dict.fromkeys(name for value in lost for name in _nearest(key(value), spelled)))[:_NEAREST]
    named = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED:,} more" if len(lost) > _NAMED else "")
    raise UsageError(f"there is no {kind} {named}", f"did you mean {', '.join(near)}?" if near else otherwise)


def _is_among(value: str, known: Mapping[str, str]) -> bool:
    return bool(fnmatch.filter(known, value.replace("[", "[[]"))) if _has_pattern(value) else value in known


def _nearest(value: str, known: Mapping[str, str]) -> list[str]:
    near = difflib.get_close_matches(value, known, _NEAREST, _CUTOFF)
    near += [name for name in known if value in name and name not in near][:_NEAREST]
    return [known[name] for name in near]


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

CHECKED: Mapping[str, tuple[str, str]] = {  # filter → column, and what its values are called
    "patients": ("PatientID", "patient"),
    "studies": ("StudyInstanceUID", "study"),
    "series": ("SeriesInstanceUID", "series"),
    "modalities": ("Modality", "modality"),
    "body_parts": ("BodyPartExamined", "body part"),
    "sexes": ("PatientSex", "sex"),
    "licences": ("license_short_name", "licence"),
}
"""Filters beside the collections whose values must each be those of a series."""

CONTAINED: Mapping[str, str] = {
    "manufacturers": "manufacturer",
    "models": "model",
    "descriptions": "description",
    "study_descriptions": "study description",
}
"""Filters whose texts need only be contained, and what they are looked for in."""

_SAID: Mapping[str, tuple[str, str]] = {
    "collections": ("collection_id", "collection"),
    **{name: said for name, said in CHECKED.items() if name != "licences"},
    **{name: (_TEXTS[name][0], kind) for name, kind in CONTAINED.items()},
}

_MODALITIES = {"PET": "PT", "MRI": "MR"}  # what people call them, and what DICOM does


def containing(name: str, text: str) -> Query:
    """Return the condition for one text of a filter of `CONTAINED`."""
    return _containing(_TEXTS[name][0], text)


def modality(name: str) -> str:
    """Return the code of a modality: PT for PET, MR for MRI."""
    return _MODALITIES.get(name.strip().upper(), name)


def _glob(name: str, value: str) -> str:
    """Return a pattern of fnmatch for one value of a filter."""
    escaped = value.replace("[", "[[]")
    return f"*{escaped}*" if name in CONTAINED else escaped


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
    if not found or not _is_in_calendar(found[1], found[2] or "01", found[3] or "01"):
        raise UsageError(f"{date!r} is not a date", "write 2021, 2021-03 or 2021-03-31")
    return f"{found[1]}-{found[2] or month}-{found[3] or day}"


def _is_in_calendar(year: str, month: str, day: str) -> bool:
    try:
        dt.date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True
