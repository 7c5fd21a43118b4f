"""What XNAT holds, asked of an XNAT in memory."""

from tcia_xnat.catalogue import Catalogue
from tcia_xnat.holdings import look
from tcia_xnat.model import Label
from tcia_xnat.planning.completeness import Holding
from tests.unit.fake_xnat import FakeXnat, Session, series

ONE = series(1)
CATALOGUE = Catalogue({ONE.series_instance_uid: ONE}, {})


def holding(*images: str) -> FakeXnat:
    label = Label("PAT", "PAT")
    session = Session("1.2", label)
    session.add("1.2.1", "1", images)
    return FakeXnat(archived={label: session}, uncounted=True)


def test_what_xnat_has_not_counted_is_counted() -> None:
    held = look(holding("a").as_project, CATALOGUE, CATALOGUE, ())
    assert held.holdings == {"1.2.1": Holding(1)}


def test_a_dry_run_counts_without_changing_anything() -> None:
    xnat = holding("a")
    assert look(xnat.as_project, CATALOGUE, CATALOGUE, (), may_refresh=False).holdings == {"1.2.1": Holding(1)}
    assert "refresh_counts" not in xnat.calls
