"""Series and scans when a script has changed the UIDs."""

import pytest

from tcia_xnat.planning.pairing import Scan, SentSeries, pair


@pytest.mark.parametrize(
    ("sent", "scans", "found"),
    [
        ({"1": SentSeries("3", 2)}, {"9": Scan("3", 2)}, {"1": "9"}),
        ({"1": SentSeries("3", 2)}, {"9": Scan("4", 2)}, {}),
        ({"1": SentSeries("3", 2)}, {"9": Scan("3", 1)}, {"1": "9"}),  # short: the count decides later
        ({"1": SentSeries("3", 2), "2": SentSeries("4", 2)}, {"1": Scan("3", 2), "9": Scan("4", 2)}, {"1": "1"}),
        (
            {"1": SentSeries("3", 2), "2": SentSeries("3", 5)},
            {"8": Scan("3-CT1", 5), "9": Scan("3-CT2", 2)},
            {"1": "9", "2": "8"},
        ),
        ({"1": SentSeries("3", 2), "2": SentSeries("3", 5)}, {"8": Scan("3", 5)}, {"2": "8"}),
        ({"1": SentSeries("", 2)}, {"9": Scan("", 2)}, {"1": "9"}),
        ({"1": SentSeries("3", 2)}, {"9": Scan("3", None)}, {"1": "9"}),
        ({"1": SentSeries("3", 2)}, {"9": Scan("31", 2)}, {}),
    ],
)
def test_scans_are_found_by_number_then_by_count(
    sent: dict[str, SentSeries], scans: dict[str, Scan], found: dict[str, str]
) -> None:
    assert pair(sent, scans) == found
