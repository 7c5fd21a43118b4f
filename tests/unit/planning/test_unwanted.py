"""What waits of a session in the prearchive beside what this run sends, and whether it may be archived with it."""

from collections.abc import Mapping

import pytest

from tcia_xnat.planning.pairing import Scan
from tcia_xnat.planning.unwanted import find_unwanted

NAMED = frozenset({"1.2"})


@pytest.mark.parametrize(
    ("scans", "pairs", "unwanted", "found"),
    [
        ({"1.1": 3, "1.2": 1}, {"1.1": "1.1"}, NAMED, "1.2"),  # a whole series that an option leaves out
        ({"1.1": 3, "1.3": 1}, {"1.1": "1.1"}, NAMED, ""),  # one that an earlier run was asked for
        ({"1.2": 3}, {"1.2": "1.2"}, NAMED, ""),  # its other images: all three are sent
        ({"1.2": 4}, {"1.2": "1.2"}, NAMED, "1.2"),  # more than that
        ({"1.2": None}, {"1.2": "1.2"}, NAMED, "1.2"),  # nobody knows how many: that is not "no more"
        ({"2.1": 3, "2.2": 1}, {"1.1": "2.1"}, NAMED, "2.2"),  # UIDs were changed: it may be the one
        ({"2.1": 3, "2.2": 1}, {"1.1": "2.1"}, frozenset(), ""),
    ],
)
def test_what_an_option_leaves_out_is_found(
    scans: Mapping[str, int | None], pairs: Mapping[str, str], unwanted: frozenset[str], found: str
) -> None:
    there = {uid: Scan(uid, count) for uid, count in scans.items()}
    assert find_unwanted(there, pairs, dict.fromkeys(pairs, 3), unwanted) == found
