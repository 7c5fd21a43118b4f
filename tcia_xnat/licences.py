"""What a licence allows, from its short name (tcia-nbia-and-idc.md §8)."""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tcia_xnat.model import Series

COMMERCIAL = "commercial"
"""The word that stands for every licence known to allow commercial use."""

UNKNOWN = "not known"

_NON_COMMERCIAL = re.compile(r"\bNC\b|non-?\s?commercial", re.IGNORECASE)
_VERSION = re.compile(r"\s+\d+(\.\d+)*$")


def is_non_commercial(licence: str) -> bool:
    """Whether a licence forbids commercial use."""
    return _NON_COMMERCIAL.search(licence) is not None


def allows(patterns: Sequence[str], licence: str) -> bool:
    """Whether a licence is one of those that were named; none named are all.

    Parameters
    ----------
    patterns
        Short names as `CC BY 4.0` or `CC BY-NC*`, without regard to case; without a version number they are meant in
        each version, so `CC BY` is not `CC BY-NC`. `commercial` is every licence known to allow commercial use.
    """
    return not patterns or any(_fits(pattern.strip(), licence) for pattern in patterns)


def _fits(pattern: str, licence: str) -> bool:
    if pattern.lower() == COMMERCIAL:
        return bool(licence) and not is_non_commercial(licence)
    names = (licence.lower(), _VERSION.sub("", licence.lower()))
    return any(fnmatch.fnmatchcase(name, pattern.lower()) for name in names)


def non_commercial(series: Iterable[Series]) -> Mapping[str, int]:
    """Return how many of the series each licence that forbids commercial use has."""
    return Counter(one.licence for one in series if is_non_commercial(one.licence))


def warning(counted: Mapping[str, int]) -> str:
    """Return what people must know before such series are fetched; empty when there are none."""
    if not counted:
        return ""
    total, named = sum(counted.values()), ", ".join(sorted(counted))
    return f"{total} series may not be used commercially ({named}); --licence-filter {COMMERCIAL} leaves them out"
