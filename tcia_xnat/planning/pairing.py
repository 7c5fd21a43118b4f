"""Which scan of a session is which series that was sent, where a script of the site or project has changed the UIDs.

A scan keeps its number, which becomes the scan ID, and its number of images. Several series of one number become
`3-CT1`, `3-CT2` (xnat-http.md §7.7): within such a group equal counts are paired first. Nothing is paired by number as
long as one of the UIDs that were sent is there: then UIDs are kept, and what is missing is missing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SentSeries:
    """A series as it was sent: its scan ID as far as it is known, else its series number, and its number of images."""

    number: str
    count: int


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan as XNAT has it; `count` is None when XNAT does not tell."""

    scan_id: str
    count: int | None


def pair(sent: Mapping[str, SentSeries], scans: Mapping[str, Scan]) -> dict[str, str]:
    """Return the UID of its scan for each series that was sent and has one, both by SeriesInstanceUID."""
    kept = {uid: uid for uid in sent if uid in scans}
    if kept:
        return kept
    free = dict(scans)
    found: dict[str, str] = {}
    for uid, one in sorted(sent.items(), key=lambda item: (-item[1].count, item[0])):
        same = [scan_uid for scan_uid, scan in free.items() if _is_numbered(scan.scan_id, one.number)]
        if same:
            scan_uid = min(same, key=lambda candidate: (_distance(free[candidate], one), candidate))
            found[uid] = scan_uid
            del free[scan_uid]
    return found


def _is_numbered(scan_id: str, number: str) -> bool:
    """Whether a scan ID is what XNAT makes of a series number, alone or with others of the same number."""
    if scan_id == number:
        return True
    return bool(number) and re.fullmatch(rf"{re.escape(number)}-[A-Z]{{2}}\d+", scan_id) is not None


def _distance(scan: Scan, sent: SentSeries) -> int:
    """Return how far the counts are apart; a count that is not told comes last."""
    return abs(scan.count - sent.count) if scan.count is not None else sent.count + 1
