"""One sentence about everything that is not sent, so that no image stays behind without a word. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core.words import counted

LIST = "left_out.csv"
_SHOWN = 3  # reasons
_LONGEST = 80  # characters of one


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Images, or other files where `series` is 0, that are not sent for one reason."""

    reason: str
    count: int
    series: int


def sentence(left: Sequence[LeftOut]) -> str:
    """Return the sentence; empty when everything is sent."""
    images = sorted((one for one in left if one.series), key=lambda one: -one.count)
    others = sum(one.count for one in left if not one.series)
    parts = []
    if images:
        count, series = sum(one.count for one in images), sum(one.series for one in images)
        parts.append(f"{counted(count, 'DICOM image')} in {series:,} series ({_reasons(images)})")
    if others:
        parts.append(counted(others, "other file"))
    return f"Left out: {', '.join(parts)}: {LIST}." if parts else ""


def _reasons(images: Sequence[LeftOut]) -> str:
    more = f"; {counted(len(images) - _SHOWN, 'more reason')}" if len(images) > _SHOWN else ""
    return "; ".join(one_line(one.reason)[:_LONGEST] for one in images[:_SHOWN]) + more
