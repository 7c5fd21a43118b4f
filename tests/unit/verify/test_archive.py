"""What --verify says of archives whose scripts change UIDs or drop images, and of what XNAT does not tell."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tcia_xnat.core.errors import XnatRefused
from tcia_xnat.core.model import Label, Series
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.identity import SamePatient
from tcia_xnat.planning.provenance import FILE, RESOURCE, Provenance, decode
from tcia_xnat.verify.archive import Offered, compare
from tcia_xnat.verify.model import Row, Sign
from tests.fakes import FakeLane, FakeXnat, Session, changed, series
from tests.unit.test_scripts_in_xnat import BOTH, PROJECT_HASHES, PROJECT_REJECTS, SITE_HASHES, run

KEPT = f"{RESOURCE}/{FILE}"


def filled(folder: Path, xnat: FakeXnat, asked: Iterable[Series] = BOTH) -> Session:
    """Archive series, and return their session."""
    run(folder, FakeLane(xnat), asked)
    (session,) = xnat.archived.values()
    return session


def verified(
    xnat: FakeXnat,
    asked: Iterable[Series] = BOTH,
    offered: Offered | None = None,
    same: Iterable[tuple[str, str]] = (),
) -> dict[str, Row]:
    catalogue = Catalogue({one.series_instance_uid: one for one in asked}, {})
    rows = compare(xnat.as_project, catalogue, catalogue, offered or Offered(), same=SamePatient(frozenset(same)))
    return {row.series_instance_uid: row for row in rows}


def signs(rows: dict[str, Row]) -> dict[str, Sign]:
    return {uid: row.sign for uid, row in rows.items()}


@pytest.mark.parametrize(
    "xnat",
    [FakeXnat(changes_at="archive", scripts=PROJECT_HASHES), FakeXnat(changes_at="import", scripts=SITE_HASHES)],
    ids=["project", "site"],
)
def test_series_whose_uids_xnat_has_changed_are_recognized(tmp_path: Path, xnat: FakeXnat) -> None:
    session = filled(tmp_path, xnat)
    before = list(xnat.calls)
    rows = verified(xnat)
    assert signs(rows) == {"1.2.1": Sign.SAME, "1.2.2": Sign.SAME}
    assert all("changed the UIDs" in row.reasons[0] for row in rows.values())
    assert {row.found for row in rows.values()} == {3}
    assert "refresh_counts" not in xnat.calls[len(before) :]
    session.images["2"].pop()
    rows = verified(xnat)
    assert signs(rows) == {"1.2.1": Sign.SAME, "1.2.2": Sign.DIFFERS}
    assert "2 images, 3 expected" in rows["1.2.2"].reasons


def test_without_provenance_of_this_patient_nothing_is_recognized(tmp_path: Path) -> None:
    xnat = FakeXnat(changes_at="archive", scripts=PROJECT_HASHES)
    session = filled(tmp_path, xnat)
    record = decode(session.files[KEPT])
    assert record
    for content in (b"", b"{", replace(record, patient_id="ANOTHER").encoded()):
        session.files[KEPT] = content
        assert signs(verified(xnat)) == {"1.2.1": Sign.MISSING, "1.2.2": Sign.MISSING}


def test_where_only_sop_instance_uids_are_changed_the_count_decides(tmp_path: Path) -> None:
    xnat = FakeXnat()
    session = filled(tmp_path, xnat)
    session.images["1"] = set(map(changed, session.images["1"]))
    rows = verified(xnat)
    assert signs(rows) == {"1.2.1": Sign.SAME, "1.2.2": Sign.SAME}
    assert "changed the UIDs" in rows["1.2.1"].reasons[0]


def test_equal_numbers_of_other_images_are_not_the_same(tmp_path: Path) -> None:
    xnat = FakeXnat()
    session = filled(tmp_path, xnat)
    session.images["1"] = {"1.2.1.1", "1.2.1.2", "9.9"}
    row = verified(xnat)["1.2.1"]
    assert row.sign is Sign.DIFFERS
    assert row.reasons == ("1 image is missing, first 1.2.1.3", "1 image is not of this series, first 9.9")


def test_images_that_xnat_left_out_are_named_so(tmp_path: Path) -> None:
    xnat = FakeXnat(rejects=lambda sop: sop == "1.2.2.3", scripts=PROJECT_REJECTS)
    filled(tmp_path, xnat)
    row = verified(xnat)["1.2.2"]
    assert row.sign is Sign.DIFFERS
    assert row.reasons[0] == "2 images, 3 expected: XNAT has left out 1 that it was sent twice"


@pytest.mark.parametrize("asked", [BOTH, [series(1, images=0), series(2)]], ids=["not counted", "not published"])
def test_a_number_that_nobody_tells_is_unknown(tmp_path: Path, asked: list[Series]) -> None:
    xnat = FakeXnat()
    filled(tmp_path, xnat)
    if asked is BOTH:
        xnat.fails["file_count"] = [XnatRefused("no")]
    rows = verified(xnat, asked)
    assert sorted(signs(rows).values()) == [Sign.ERROR, Sign.SAME]
    (unknown,) = [row for row in rows.values() if row.sign is Sign.ERROR]
    assert "tell" in unknown.reasons[0] or "nobody says" in unknown.reasons[0]


def test_a_scan_that_was_recognized_is_not_beyond_what_was_asked_for(tmp_path: Path) -> None:
    xnat = FakeXnat(changes_at="archive", scripts=PROJECT_HASHES)
    session = filled(tmp_path, xnat)
    session.study_instance_uid = "1.2"  # a script that changes series only
    assert set(verified(xnat)) == {"1.2.1", "1.2.2"}
    xnat.archived[Label("PAT", "OTHER")] = Session("1.2", Label("PAT", "OTHER"), {"7.7": "9"}, {"9": {"7.7.1"}})
    assert signs(verified(xnat))["7.7"] is Sign.EXTRA


def test_a_series_that_was_revised_since_is_another_version(tmp_path: Path) -> None:
    session = filled(tmp_path, xnat := FakeXnat())
    record = decode(session.files[KEPT])
    assert record
    old = replace(record.series["1.2.1"], version="before")
    session.files[KEPT] = replace(record, series={**record.series, "1.2.1": old}).encoded()
    rows = verified(xnat, [replace(one, crdc_series_uuid="now") for one in BOTH])
    assert signs(rows) == {"1.2.1": Sign.DIFFERS, "1.2.2": Sign.SAME}
    assert "an earlier version" in rows["1.2.1"].reasons[0]


def under(xnat: FakeXnat, subject: str) -> None:
    """Move the only session to another subject, as a curator may."""
    (session,) = xnat.archived.values()
    session.label = Label(subject, session.label.session)
    xnat.archived = {session.label: session}


def of_patient(session: Session, patient: str) -> None:
    record = decode(session.files[KEPT])
    assert record
    session.files[KEPT] = replace(record, patient_id=patient).encoded()


def test_a_series_under_another_patients_subject_has_its_own_sign(tmp_path: Path) -> None:
    session = filled(tmp_path, xnat := FakeXnat())
    of_patient(session, "SOMEBODY")
    rows = verified(xnat)
    assert signs(rows) == dict.fromkeys(("1.2.1", "1.2.2"), Sign.STRANGER)
    assert "of PatientID SOMEBODY; the PatientID of these images is PAT" in rows["1.2.1"].reasons[0]
    assert rows["1.2.1"].is_disproved
    assert signs(verified(xnat, same=[("SOMEBODY", "PAT")])) == dict.fromkeys(("1.2.1", "1.2.2"), Sign.SAME)
    session.images["1"].clear()
    assert "0 images, 3 expected" in verified(xnat)["1.2.1"].reasons  # what else is wrong is said, too


def test_without_provenance_the_subject_must_be_called_after_the_patient(tmp_path: Path) -> None:
    session = filled(tmp_path, xnat := FakeXnat())
    session.files.clear()
    assert set(signs(verified(xnat)).values()) == {Sign.SAME}
    under(xnat, "OTHER")
    assert set(signs(verified(xnat)).values()) == {Sign.STRANGER}
    assert set(signs(verified(xnat, same=[("OTHER", "PAT")])).values()) == {Sign.SAME}


def test_a_session_that_was_moved_to_a_subject_of_somebody_else_and_a_subject_that_was_renamed(tmp_path: Path) -> None:
    filled(tmp_path, xnat := FakeXnat())
    under(xnat, "RENAMED")
    assert set(signs(verified(xnat)).values()) == {Sign.SAME}
    other = Session("1.7", Label("RENAMED", "THEIRS"))
    theirs = Provenance("SOMEBODY", "1.7", other.label, "tool", "now")
    other.files[KEPT] = theirs.encoded()
    xnat.archived[other.label] = other
    row = verified(xnat)["1.2.1"]
    assert row.sign is Sign.STRANGER
    assert (
        "under subject PAT and lies under subject RENAMED now, which has images of PatientID SOMEBODY" in row.reasons[0]
    )
