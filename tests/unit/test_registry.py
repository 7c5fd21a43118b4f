"""Which sources a job has, and how much of the spool a series needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import pytest

from tcia_xnat.core.model import Series, SourceName
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.registry import SOURCES, clients, listed, sources, spooled
from tcia_xnat.staging.disk_budget import Room
from tests.fakes import series

IN_IDC = replace(series(1), byte_count=1000, crdc_series_uuid="u")
AT_NBIA = replace(series(2), byte_count=1000)


@pytest.mark.parametrize(
    ("one", "limit", "needed"),
    [
        (IN_IDC, 600, 600),  # it comes in parts that are no larger
        (IN_IDC, 1000, 1000),
        (IN_IDC, 5000, 1000),
        (AT_NBIA, 600, 1000),  # NBIA sends one zip
        (AT_NBIA, 5000, 1000),
    ],
)
def test_a_series_of_idc_needs_no_more_of_the_spool_than_a_part_of_it(one: Series, limit: int, needed: int) -> None:
    assert spooled(limit, one) == needed


@dataclass(frozen=True)
class Limits:
    transfers: int = 2
    bwlimit: float | None = None


IDC, NBIA = cast("IDCClient", object()), cast("TCIAClient", object())


@pytest.mark.parametrize(
    ("idc", "nbia", "names"),
    [
        (IDC, NBIA, [SourceName.IDC, SourceName.NBIA]),
        (IDC, None, [SourceName.IDC]),
        (None, NBIA, [SourceName.NBIA]),
        (None, None, []),
    ],
)
def test_there_is_a_source_for_each_client(
    idc: IDCClient | None, nbia: TCIAClient | None, names: list[SourceName]
) -> None:
    patience = Patience(RetryPolicy(1), lambda _seconds: None)
    made = sources(idc, nbia, patience, 1000, Limits(), Room(lambda _series: 1))
    assert list(made) == names
    assert all(source.name is name for name, source in made.items())


@pytest.mark.parametrize("choice", list(SOURCES))
def test_only_the_clients_of_a_choice_are_opened(choice: str) -> None:
    with clients(SOURCES[choice], "http://127.0.0.1:9", None, "http://127.0.0.1:9", 1) as (idc, nbia):
        assert (idc is not None, nbia is not None) == (choice != "nbia", choice != "idc")


def test_the_numbers_of_other_series_are_those_of_the_index() -> None:
    class Index:
        def find_series(self, uids: Sequence[str]) -> list[Series]:
            return [replace(IN_IDC, image_count=5)] if IN_IDC.series_instance_uid in uids else []

    idc = cast("IDCClient", Index())
    assert listed(idc, ["1.2.1", "9.9"]) == {"1.2.1": 5}
    assert listed(None, ["1.2.1"]) == {}
