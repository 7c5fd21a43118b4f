"""Files that stand in the place of an image: told by what is beside them, whatever their suffix."""

import re

_NUMBERS = re.compile(r"[0-9a-f]{8,}|[0-9]+")
_NUMBER = "#"


def name_pattern(name: str) -> str:
    """Return the name of a file of a numbered series without its numbers; empty for a name that has none.

    Examples
    --------
    >>> name_pattern("IM00003"), name_pattern("MR.1.2.840.7"), name_pattern("notes.txt")
    ('im#', 'mr.#.#.#.#', '')
    """
    pattern = _NUMBERS.sub(_NUMBER, name.lower())
    return pattern if _NUMBER in pattern else ""
