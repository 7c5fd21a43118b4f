"""Numbers as people read them."""

_STEP = 1000  # of decimal units
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def size(count: float) -> str:
    """Return a number of bytes for people, in decimal units as IDC and TCIA give sizes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.2f} TB"


def duration(seconds: float) -> str:
    """Return a time for people: `0:07`, `1:02:09`, `2 d 04 h`."""
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02}"
    if whole < _DAY:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def rough_duration(seconds: float) -> str:
    """Return an estimated time for people: `under a minute`, `about 7 min`, `about 1 h 40 min`."""
    minutes = round(seconds / _MINUTE)
    if minutes < 1:
        return "under a minute"
    if minutes < _MINUTE:
        return f"about {minutes} min"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"about {hours} h {minutes} min" if hours < 48 else f"about {hours // 24} d {hours % 24} h"  # noqa: PLR2004  two days
