"""Counts that XNAT does not tell at once: refreshed, else listed, else unknown."""

import pytest

from tcia_xnat.core.errors import RightsRefused, XnatRefused, XnatUnreachable
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat.counts import count_images
from tests.fakes import FakeXnat, Session

SESSION = Session("1.2", Label("P", "S"))
SESSION.add("1.2.1", "1", ["a", "b"])


def holding(**changed: object) -> FakeXnat:
    return FakeXnat(archived={SESSION.label: SESSION}, **changed)  # type: ignore[arg-type]


def test_a_refresh_counts() -> None:
    xnat = holding(uncounted=True)
    assert count_images(xnat.as_project, "E_S", {"1"}) == {"1": 2}
    assert "file_count" not in xnat.calls


@pytest.mark.parametrize("error", [XnatRefused("400"), RightsRefused("403"), XnatUnreachable("500")])
def test_a_refused_refresh_falls_back_to_the_listing(error: Exception) -> None:
    xnat = holding(uncounted=True, fails={"refresh_counts": [error]})
    assert count_images(xnat.as_project, "E_S", {"1"}) == {"1": 2}
    assert xnat.calls.count("refresh_counts") == 1


def test_a_plan_does_not_refresh() -> None:
    xnat = holding(uncounted=True)
    assert count_images(xnat.as_project, "E_S", {"1"}, may_refresh=False) == {"1": 2}
    assert "refresh_counts" not in xnat.calls


def test_the_catalog_is_the_last_resort_and_what_nobody_tells_is_unknown() -> None:
    refused = {name: [XnatRefused("400")] for name in ("refresh_counts", "file_count")}
    assert count_images(holding(uncounted=True, fails=refused).as_project, "E_S", {"1"}) == {"1": 2}
    refused = {name: [XnatRefused("400")] for name in ("refresh_counts", "file_count")}
    silent = holding(uncounted=True, fails=refused, unlisted=True)
    assert count_images(silent.as_project, "E_S", {"1"}) == {"1": None}
