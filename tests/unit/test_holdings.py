"""What XNAT holds, asked of an XNAT in memory."""

from dataclasses import replace

import pytest

from tcia_xnat.core.model import Label, Series
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat.existing import look
from tcia_xnat.planning.archive_note import ArchiveNote, mark
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.held import Held, Imported
from tcia_xnat.planning.provenance import Provenance, SeriesProvenance
from tcia_xnat.xnat.scripts import OFF, UNKNOWN, ScriptEffect, Scripts
from tests.fakes import FakeXnat, Session, changed, images, series

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


HELD, COMING = ("1.2.1.1", "1.2.1.2", "1.2.1.3"), ("1.2.1.1", "1.2.1.2", "1.2.1.4")


def of_images(*images: str) -> Catalogue:
    """Return what a tree has of one series: its images are known."""
    return Catalogue(CATALOGUE.series, {}, images_of=lambda _uid: frozenset(images))


def recorded(xnat: FakeXnat, *images: str, patient: str = "PAT", version: str = "") -> FakeXnat:
    label = Label("PAT", "PAT")
    one = SeriesProvenance("local", len(images), frozenset(images), "1", "1.2.1", len(images), version=version)
    made = Provenance(patient, "1.2", label, "tool", "now", {"1.2.1": one})
    xnat.archived[label].files["TCIA_PROVENANCE/provenance.json"] = made.encoded()
    return xnat


@pytest.mark.parametrize("has_provenance", [True, False])
@pytest.mark.parametrize(("wanted", "count"), [(HELD, 3), (COMING, 2), (HELD[:2], 2), (("1.2.1.4", "1.2.1.5"), 0)])
def test_images_are_compared_and_not_their_number(
    wanted: tuple[str, ...],
    count: int,
    has_provenance: bool,  # noqa: FBT001  a parameter
) -> None:
    xnat, asked = holding(*HELD), of_images(*wanted)
    xnat.scripts = Scripts(site=OFF, project=OFF)
    asked = replace(asked, series={"1.2.1": replace(ONE, image_count=len(wanted))})
    if has_provenance:
        recorded(xnat, *HELD)
    assert look(xnat.as_project, asked, asked, ()).holdings == {"1.2.1": Holding(count)}
    assert ("sop_instance_uids" in xnat.calls) is not has_provenance  # a repeat asks once for a session


def test_provenance_that_lists_less_than_is_there_does_not_decide() -> None:
    xnat, asked = recorded(holding(*HELD, "1.2.1.4"), *HELD), of_images(*COMING)
    assert look(xnat.as_project, asked, asked, ()).holdings == {"1.2.1": Holding(3)}
    assert "sop_instance_uids" in xnat.calls


def test_where_scripts_change_the_images_the_number_decides() -> None:
    xnat, asked = holding("9.1", "9.2", "9.3"), of_images(*HELD)
    xnat.scripts = UNKNOWN
    assert look(xnat.as_project, asked, asked, ()).holdings == {"1.2.1": Holding(3)}
    xnat.scripts = Scripts(site=OFF, project=OFF)
    assert look(xnat.as_project, asked, asked, ()).holdings == {"1.2.1": Holding(0)}


@pytest.mark.parametrize(("before", "now", "count"), [("a", "a", 3), ("a", "b", 0), ("", "b", 3), ("a", "", 3)])
def test_a_series_that_was_revised_is_not_there_although_its_number_is_equal(before: str, now: str, count: int) -> None:
    asked = Catalogue({"1.2.1": replace(ONE, crdc_series_uuid=now)}, {})
    xnat = recorded(holding(*HELD), *HELD, version=before)
    assert look(xnat.as_project, asked, asked, ()).holdings == {"1.2.1": Holding(count)}


def test_whose_sessions_and_subjects_are_is_read_from_provenance() -> None:
    held = look(recorded(holding(*HELD), *HELD, patient="SOMEBODY").as_project, CATALOGUE, CATALOGUE, ())
    assert held.patients == {Label("PAT", "PAT"): "SOMEBODY"}
    new = replace(series(1, study="1.9"), patient_id="PAT")
    asked = Catalogue({new.series_instance_uid: new}, {})
    expected = {"1.9": Label("PAT", "PAT")}
    for xnat, patients in ((recorded(holding(*HELD), *HELD), {"PAT": {"PAT"}}), (holding(*HELD), {})):
        held = look(xnat.as_project, asked, asked, (), expected=expected)
        assert held.subject_patients == patients
        assert held.unclear_subjects == (frozenset() if patients else {"PAT"})


def test_whose_a_subject_is_is_read_also_for_a_study_that_xnat_has_elsewhere() -> None:
    xnat = recorded(holding(*HELD), *HELD)
    there = replace(series(1), folder=Label("PAT", "PAT_v1"), patient_id="SOMEBODY")
    asked = Catalogue({there.series_instance_uid: there}, {})
    assert look(xnat.as_project, asked, asked, ()).subject_patients == {"PAT": {"PAT"}}


def waiting(mark: str, *remembered: Imported, is_local: bool = False) -> Held:
    xnat = FakeXnat()
    session = Session("1.2", Label("THEIRS", "REVIEW"), mark=mark)
    session.add("1.2.1", "1", HELD)
    xnat.waiting["/prearchive/projects/P1/1/REVIEW"] = session
    asked = of_images(*COMING) if is_local else CATALOGUE
    return look(xnat.as_project, asked, asked, remembered)


def test_a_session_of_somebody_else_in_the_prearchive_gives_no_label_and_is_named() -> None:
    held = waiting("")
    assert (held.labels, held.prearchive) == ({}, {})
    assert held.foreign == {"1.2": "/prearchive/projects/P1/1/REVIEW"}
    assert held.sessions == {"REVIEW"}  # its name is taken
    ours = waiting("tcia-xnat-another")
    assert (ours.labels, ours.foreign) == ({"1.2": [Label("THEIRS", "REVIEW")]}, {})


@pytest.mark.parametrize(("images", "is_there"), [(HELD, False), (COMING, True)])
def test_what_waits_in_the_prearchive_is_compared_by_its_images(images: tuple[str, ...], *, is_there: bool) -> None:
    url = "/prearchive/projects/P1/1/REVIEW"
    entry = Imported("1.2.1", "1.2", url, "local", ONE.image_count, ONE.byte_count, UidSet.of(images).packed)
    assert bool(waiting("", entry, is_local=True).imported) is is_there


HASHED = Scripts(site=OFF, project=ScriptEffect(is_on=True, changed_uids=frozenset({"SeriesInstanceUID"})))
EXPECTED = {"1.2": Label("PAT", "PAT")}


def noted(*came: Series, study: str = "1.2") -> FakeXnat:
    """Return an XNAT whose script changes UIDs, and in which a run was killed before it kept the provenance."""
    label = Label("PAT", "PAT")
    marks = frozenset(mark(one.series_instance_uid, one.image_count) for one in came)
    session = Session(changed("1.2"), label, note=ArchiveNote("PAT", study, marks).text)
    for one in came:
        session.add(changed(one.series_instance_uid), one.series_number, map(changed, images(one)))
    return FakeXnat(archived={label: session}, scripts=HASHED)


def held_of(xnat: FakeXnat, *asked: Series, writes: bool = True) -> Held:
    catalogue = Catalogue({one.series_instance_uid: one for one in asked}, {})
    return look(xnat.as_project, catalogue, catalogue, (), expected=EXPECTED, may_refresh=writes)


ALIKE = [replace(series(number), series_number="7") for number in (1, 2)]  # one number, one count


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_series_that_did_not_come_is_not_taken_for_one_of_the_same_number_and_count(order: tuple[int, int]) -> None:
    came, missing = (ALIKE[which] for which in order)
    held = held_of(noted(came), came, missing)
    assert held.holdings == {came.series_instance_uid: Holding(came.image_count)}
    assert held.patients == {Label("PAT", "PAT"): "PAT"}
    assert held_of(noted(came), missing).holdings == {}


def test_what_a_note_tells_is_kept_as_provenance_and_not_in_a_dry_run() -> None:
    xnat = noted(*ALIKE)
    dry, wet = held_of(xnat, *ALIKE, writes=False), None
    assert not xnat.archived[Label("PAT", "PAT")].files
    wet = held_of(xnat, *ALIKE)
    assert dry.holdings == wet.holdings
    assert "TCIA_PROVENANCE/provenance.json" in xnat.archived[Label("PAT", "PAT")].files
    xnat.archived[Label("PAT", "PAT")].note = ""
    assert held_of(xnat, *ALIKE).holdings == wet.holdings


@pytest.mark.parametrize("note", ["", "seen by nobody", "study"])
def test_a_session_of_which_nothing_tells_that_it_is_the_study_is_unclear(note: str) -> None:
    xnat = noted(*ALIKE, study="1.2" if note != "study" else "1.3")
    xnat.archived[Label("PAT", "PAT")].note = xnat.archived[Label("PAT", "PAT")].note if note == "study" else note
    held = held_of(xnat, *ALIKE)
    assert (held.holdings, held.unclear) == ({}, {} if note == "study" else {"1.2": Label("PAT", "PAT")})


def test_series_whose_uids_alone_are_changed_are_found_in_the_session_of_their_study() -> None:
    xnat = noted(*ALIKE)
    xnat.archived[Label("PAT", "PAT")].study_instance_uid = "1.2"
    assert set(held_of(xnat, *ALIKE).holdings) == {one.series_instance_uid for one in ALIKE}
    xnat = noted(*ALIKE)
    xnat.archived[Label("PAT", "PAT")].study_instance_uid, xnat.archived[Label("PAT", "PAT")].note = "1.2", ""
    assert held_of(xnat, *ALIKE).unclear == {"1.2": Label("PAT", "PAT")}
