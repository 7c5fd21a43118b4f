"""Values of filters that add nothing to what the others find: among several they would be missed without a word."""

import fnmatch
from collections.abc import Iterator

from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.idc.selection import Selection

_SHOWN = 5


def idle_values(database: Database, selection: Selection) -> Iterator[str]:
    """Yield a sentence for each filter of several values of which some fit no series that is found.

    Nothing is said where nothing is found at all.
    """
    condition = selection.where()
    for kind, column, patterns in selection.several():
        question = f"SELECT DISTINCT lower({column}) FROM index WHERE {condition.text}"  # noqa: S608  columns of ours
        found = {str(value) for (value,) in database.ask(Query(question, condition.values)).rows}
        idle = [value for value, pattern in patterns.items() if not _fits(pattern, found)]
        if found and idle:
            more = f" and {len(idle) - _SHOWN:,} more" if len(idle) > _SHOWN else ""
            yield f"no series of this choice has {kind} {', '.join(idle[:_SHOWN])}{more}"


def _fits(pattern: str, found: set[str]) -> bool:
    return pattern in found or (any(sign in pattern for sign in "*?[") and bool(fnmatch.filter(found, pattern)))
