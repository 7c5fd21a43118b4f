"""Quantities as people read them."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def duration(seconds: float) -> str:
    """Return a span of time in two units at the most: 4.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:  # noqa: PLR2004  below it tenths count
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    for below, unit, name, smaller, smaller_name in (
        (_HOUR, _MINUTE, "min", 1, "s"),
        (_DAY, _HOUR, "h", _MINUTE, "min"),
    ):
        if whole < below:
            return _two(whole // unit, name, whole % unit // smaller, smaller_name)
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def _two(count: int, unit: str, rest: int, smaller: str) -> str:
    return f"{count} {unit} {rest} {smaller}" if rest else f"{count} {unit}"


def moment(iso: str) -> str:
    """Return a time in UTC: 2026-11-21 09:50 UTC."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
