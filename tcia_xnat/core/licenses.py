"""What a licence allows, from its short name, and which licences a filter names."""

import difflib
import fnmatch
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Series

COMMERCIAL = "commercial"
"""The word that stands for every licence known to allow commercial use."""

UNKNOWN = "not known"

KNOWN = (
    "CC BY 3.0",
    "CC BY 4.0",
    "CC BY-NC 3.0",
    "CC BY-NC 4.0",
    "CC BY-NC-ND 3.0",
    "CC BY-NC-ND 4.0",
    "CC BY-NC-SA 3.0",
    "CC BY-NC-SA 4.0",
    "CC BY-ND 3.0",
    "CC BY-ND 4.0",
    "CC BY-SA 3.0",
    "CC BY-SA 4.0",
    "CC0 1.0",
    "National Library of Medicine Terms and Conditions; May 21, 2019",
)
"""Licences under which TCIA and IDC publish, or may: a filter that names none of them is a slip of the pen."""

_NON_COMMERCIAL = re.compile(r"\bNC\b|non-?\s?commercial", re.IGNORECASE)
_VERSION = re.compile(r"[\s-]+v?(\d+(?:\.\d+)*)$")
_NEAREST = 3


def is_non_commercial(licence: str) -> bool:
    """Whether a licence forbids commercial use."""
    return _NON_COMMERCIAL.search(licence) is not None


def allows(patterns: Sequence[str], licence: str) -> bool:
    """Whether a licence is one of those that were named; none named are all.

    Parameters
    ----------
    patterns
        Short names as `CC BY 4.0`, `CC-BY-4.0` or `CC BY-NC*`, without regard to case, spaces and hyphens; without a
        version number they are meant in each version, so `CC BY` is not `CC BY-NC`. `commercial` is every licence known
        to allow commercial use.
    """
    return not patterns or any(_fits(pattern, licence) for pattern in patterns)


def parsed(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the licences that texts name, with commas between them; a comma may be a part of a licence's name."""
    return tuple(name for text in texts for name in _names(text))


def check(patterns: Iterable[str], present: Collection[str] = ()) -> None:
    """Refuse a filter that names no licence there is.

    Parameters
    ----------
    present
        Licences beside `KNOWN`, as those of the series that were asked for.

    Raises
    ------
    UsageError
        The hint has the nearest, or all.
    """
    for pattern in patterns:
        if not named([pattern], (*KNOWN, *present)):
            near = difflib.get_close_matches(pattern, (*KNOWN, COMMERCIAL), _NEAREST)
            hint = f"did you mean {', '.join(near)}?" if near else f"licences are {', '.join((*KNOWN, COMMERCIAL))}"
            raise UsageError(f"there is no licence {pattern!r}", hint)


def named(patterns: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return those of the known licences that one of the patterns names."""
    return tuple(licence for licence in dict.fromkeys(known) if any(_fits(one, licence) for one in patterns))


def non_commercial(series: Iterable[Series]) -> Mapping[str, int]:
    """Return how many of the series each licence that forbids commercial use has."""
    return Counter(one.licence for one in series if is_non_commercial(one.licence))


def warning(counted: Mapping[str, int]) -> str:
    """Return what people must know before such series are fetched; empty when there are none."""
    if not counted:
        return ""
    total, names = sum(counted.values()), ", ".join(sorted(counted))
    return f"{total} series may not be used commercially ({names}); --licence-filter {COMMERCIAL} leaves them out"


def _names(text: str) -> Iterator[str]:
    """Split at commas, but not inside of a known name."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    while parts:
        joined = (", ".join(parts[:count]) for count in range(len(parts), 1, -1))
        name = next((one for one in joined if named([one], KNOWN)), parts[0])
        parts = parts[name.count(",") + 1 :]
        yield name


def _fits(pattern: str, licence: str) -> bool:
    if pattern.strip().lower() == COMMERCIAL:
        return bool(licence) and not is_non_commercial(licence)
    wanted, version = _key(pattern)
    letters, its_version = _key(licence)
    return version in {"", its_version} and bool(letters) and fnmatch.fnmatchcase(letters, wanted)


def _key(name: str) -> tuple[str, str]:
    """Return what tells licences apart, whatever the spelling: letters and figures, and the version as `4.0`."""
    lowered = name.strip().lower()
    found = _VERSION.search(lowered)
    version = found[1] if found else ""
    head = lowered[: found.start()] if found else lowered
    return re.sub(r"[^a-z0-9*?]", "", head), f"{version}.0" if version.isdecimal() else version
