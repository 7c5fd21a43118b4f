"""XNATs whose scripts change UIDs or reject images: one copy, a cause, and a repeat that sends nothing."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import XnatRefused
from tcia_xnat.core.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat.existing import look
from tcia_xnat.planning import plan
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Existing, Imported
from tcia_xnat.planning.identity import Templates, identify
from tcia_xnat.transfer.ledger import Ledger
from tcia_xnat.transfer.scheduler import transfer
from tcia_xnat.xnat.scripts import NameTemplate, ScriptEffect, Scripts
from tests.fakes import FakeLane, FakeXnat, Session, images, series

HASHING = ScriptEffect(is_on=True, changed_uids=frozenset({"0020,000D"}))
REJECTING = ScriptEffect(is_on=True, may_reject=True)
BOTH = [series(1), series(2)]
PROJECT_HASHES, SITE_HASHES = Scripts(project=HASHING), Scripts(site=HASHING)
PROJECT_REJECTS, SITE_REJECTS = Scripts(project=REJECTING), Scripts(site=REJECTING)


def run(
    folder: Path,
    lane: FakeLane,
    asked: Iterable[Series],
    *,
    existing: Existing = Existing.SKIP,
    accept: bool = False,
) -> dict[str, Outcome]:
    """Plan and transfer, as a run does that keeps its ledger in `folder`."""
    catalogue = Catalogue({one.series_instance_uid: one for one in asked}, {})
    expected = plan.expected_labels(catalogue, Templates())
    with Ledger(folder / "ledger.sqlite", "http://xnat", "P1") as ledger:
        held = look(
            lane.project,
            catalogue,
            catalogue,
            ledger.imported(),
            expected=expected,
            archived_before=ledger.sessions(),
        )
        found = identify(catalogue, held)
        made = plan.make(catalogue, held, found.labels, existing, accept_rejected=accept, refused=found.refused)
        result = transfer(made, lane.as_lane, ledger, lambda _event: None, Stop(), transfers=2, accept_rejected=accept)
    assert result.ended_by is None
    return {outcome.series_instance_uid: outcome for outcome in result.outcomes}


def states(outcomes: dict[str, Outcome]) -> set[State]:
    return {outcome.state for outcome in outcomes.values()}


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_HASHES), ("import", SITE_HASHES)])
@pytest.mark.parametrize("second", ["same folder", "other machine"])
def test_changed_uids_end_in_one_copy_that_is_recognized(
    tmp_path: Path, at: str, scripts: Scripts, second: str
) -> None:
    lane = FakeLane(FakeXnat(changes_at=at, scripts=scripts))
    first = run(tmp_path, lane, BOTH)
    assert states(first) == {State.ARCHIVED}
    assert all("changed the UIDs" in outcome.notes[-1] for outcome in first.values())
    assert sorted(lane.sent) == ["1.2.1", "1.2.2"]
    again = run(tmp_path if second == "same folder" else tmp_path / "other", lane, BOTH)
    assert states(again) == {State.PRESENT}
    assert all("changed the UIDs" in outcome.notes[0] for outcome in again.values())
    assert len(lane.sent) == 2
    assert len(lane.xnat.archived) == 1
    assert not lane.xnat.waiting


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize(
    "xnat",
    [
        FakeXnat(changes_at="archive", scripts=PROJECT_HASHES),
        FakeXnat(rejects=lambda sop: sop.endswith(".3"), scripts=PROJECT_REJECTS),
        FakeXnat(rejects=lambda sop: sop.startswith("1.2.2."), scripts=PROJECT_REJECTS),
    ],
    ids=["hashed", "images rejected", "series rejected"],
)
def test_a_copy_of_a_killed_run_goes_when_the_archive_has_what_is_kept_of_it(
    tmp_path: Path, xnat: FakeXnat, *, more: bool
) -> None:
    lane = FakeLane(deepcopy(xnat))
    run(tmp_path, lane, BOTH)
    (label,) = lane.xnat.archived
    urls = {lane.xnat.take(one, label, images(one)) for one in BOTH}
    if more:  # than ever was sent
        lane.xnat.take(BOTH[0], label, ["1.2.1.9"])
    sends = len(lane.sent)
    run(tmp_path / "other", lane, BOTH)
    assert set(lane.xnat.waiting) == (urls if more else set())
    assert len(lane.sent) == sends


@pytest.mark.parametrize("asked", [BOTH, BOTH[1:]], ids=["beside another", "alone"])
@pytest.mark.parametrize("copied", [BOTH, BOTH[1:]], ids=["copy of both", "copy of the rejected"])
@pytest.mark.parametrize("more", [False, True])
def test_a_copy_with_a_series_that_is_rejected_whole_goes_in_the_same_run(
    tmp_path: Path, asked: list[Series], copied: list[Series], *, more: bool
) -> None:
    """Let a copy of a killed run wait beside the session into which this run sends."""
    xnat = FakeXnat(rejects=lambda sop: sop.startswith("1.2.2."), scripts=PROJECT_REJECTS)
    lane, copy = FakeLane(xnat), "/prearchive/projects/P1/0/PAT"
    xnat.waiting[copy] = Session("1.2", Label("PAT", "PAT"), mark=xnat.mark)
    for one in copied:
        xnat.waiting[copy].add(one.series_instance_uid, one.series_number, images(one))
    if more:  # than ever was sent
        xnat.waiting[copy].images["2"].add("1.2.2.9")
    xnat.closed.add(copy)
    outcomes = run(tmp_path, lane, asked)
    assert outcomes["1.2.2"].state is State.FAILED
    stays = more or (copied == BOTH and asked != BOTH)
    assert list(xnat.waiting) == ([copy] if stays else [])


@pytest.mark.parametrize("accept", [False, True])
def test_series_that_are_left_out_are_not_waited_for_while_others_are_sent_again(
    tmp_path: Path,
    accept: bool,  # noqa: FBT001  a parameter
) -> None:
    """Let a run be killed when both series were in, and only one was noted: the other is sent once more often."""
    xnat = FakeXnat(rejects=lambda sop: sop.endswith(".3"), scripts=PROJECT_REJECTS)
    lane = FakeLane(xnat)
    url = [xnat.take(one, Label("PAT", "PAT"), images(one)) for one in BOTH][-1]
    noted, uid = BOTH[1], BOTH[1].series_instance_uid
    with Ledger(tmp_path / "ledger.sqlite", "http://xnat", "P1") as ledger:
        packed = UidSet.of(images(noted)).packed
        ledger.add(Imported(uid, noted.study_instance_uid, url, SourceName.IDC, 3, 100, packed, None))
    outcomes = run(tmp_path, lane, BOTH, accept=accept)
    assert not xnat.waiting
    if accept:
        assert {one.state.is_in for one in outcomes.values()} == {True}
    else:
        assert all("after two sends" in one.reason for one in outcomes.values()), outcomes


def test_a_copy_with_another_image_stays_where_scripts_may_leave_out_images(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(scripts=Scripts(project=REJECTING, template=NameTemplate("${SOPInstanceUID}"))))
    run(tmp_path, lane, BOTH)
    (label,) = lane.xnat.archived
    url = lane.xnat.take(BOTH[0], label, ["1.2.1.1", "1.2.1.2", "1.2.1.9"])
    run(tmp_path / "other", lane, BOTH)
    assert set(lane.xnat.waiting) == {url}


def test_later_series_go_into_the_same_session(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(changes_at="archive", scripts=PROJECT_HASHES))
    run(tmp_path, lane, BOTH[:1])
    outcomes = run(tmp_path / "other", lane, BOTH)
    assert {uid: one.state for uid, one in outcomes.items()} == {"1.2.1": State.PRESENT, "1.2.2": State.ARCHIVED}
    assert len(lane.xnat.archived) == 1
    assert states(run(tmp_path / "third", lane, BOTH)) == {State.PRESENT}


@pytest.mark.parametrize("noted", [True, False])
def test_without_provenance_the_ledger_knows_and_another_machine_only_with_the_note(
    tmp_path: Path, *, noted: bool
) -> None:
    refused: dict[str, list[Exception]] = {"put_session_file": [XnatRefused("no")] * 3}
    lane = FakeLane(FakeXnat(changes_at="archive", scripts=PROJECT_HASHES, fails=refused))
    first = run(tmp_path, lane, BOTH)
    assert states(first) == {State.ARCHIVED}
    assert all("could not be kept" in outcome.notes[-1] for outcome in first.values())
    assert states(run(tmp_path, lane, BOTH)) == {State.PRESENT}
    if not noted:  # somebody has written another one
        for session in lane.xnat.archived.values():
            session.note = "seen"
    other = run(tmp_path / "other", lane, BOTH)
    assert states(other) == {State.PRESENT if noted else State.FAILED}
    assert noted or all("may be its study" in outcome.reason for outcome in other.values())
    assert len(lane.sent) == 2


def test_a_foreign_session_of_the_patient_does_not_keep_others_out_when_uids_stay(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat())
    run(tmp_path, lane, [series(1, "1.9")])
    lane.xnat.archived[next(iter(lane.xnat.archived))].files.clear()
    assert states(run(tmp_path / "other", lane, BOTH)) == {State.ARCHIVED}
    assert len(lane.xnat.archived) == 2


def test_what_is_short_under_changed_uids_is_not_sent_again(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(changes_at="archive", scripts=PROJECT_HASHES))
    run(tmp_path, lane, BOTH)
    (session,) = lane.xnat.archived.values()
    session.images["2"].pop()
    outcomes = run(tmp_path / "other", lane, BOTH)
    assert {uid: one.state for uid, one in outcomes.items()} == {"1.2.1": State.PRESENT, "1.2.2": State.FAILED}
    assert "would make a copy" in outcomes["1.2.2"].reason
    assert states(run(tmp_path / "other", lane, BOTH, existing=Existing.APPEND)) == {State.FAILED}
    assert len(lane.sent) == 2


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_REJECTS), ("import", SITE_REJECTS)])
def test_rejected_images_end_with_the_cause_after_one_more_send(tmp_path: Path, at: str, scripts: Scripts) -> None:
    xnat = FakeXnat(rejects=lambda sop: sop == "1.2.2.3", rejects_at=at, scripts=scripts)
    lane = FakeLane(xnat)
    outcomes = run(tmp_path, lane, BOTH)
    failed = outcomes["1.2.2"]
    assert failed.state is State.FAILED
    assert "2 of its 3 images after two sends" in failed.reason
    assert "script may reject" in failed.reason
    assert "--accept-rejected" in failed.hint
    assert outcomes["1.2.1"].state is (State.ARCHIVED if at == "archive" else State.HELD)
    assert lane.sent.count("1.2.2") == 2
    again = run(tmp_path, lane, BOTH)
    assert again["1.2.2"].state is State.FAILED
    assert "not sent again" in again["1.2.2"].reason
    assert lane.sent.count("1.2.2") == 2


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_REJECTS), ("import", SITE_REJECTS)])
@pytest.mark.parametrize("late", [False, True])
def test_rejected_images_may_be_accepted(tmp_path: Path, at: str, scripts: Scripts, *, late: bool) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop == "1.2.2.3", rejects_at=at, scripts=scripts))
    if late:
        run(tmp_path, lane, BOTH)
    outcomes = run(tmp_path, lane, BOTH, accept=True)
    assert states(outcomes) <= {State.ARCHIVED, State.PRESENT}
    assert outcomes["1.2.2"].image_count == 2
    assert "1 of its 3 images" in "".join(outcomes["1.2.2"].notes)
    assert lane.sent.count("1.2.2") == 2
    assert states(run(tmp_path / "other", lane, BOTH, accept=True)) == {State.PRESENT}
    assert lane.sent.count("1.2.2") == 2


def test_what_the_wire_lost_is_sent_again(tmp_path: Path) -> None:
    sends: list[str] = []

    def lost(sop: str) -> bool:
        sends.append(sop)
        return sop == "1.2.1.3" and sends.count(sop) == 1

    lane = FakeLane(FakeXnat(rejects=lost, rejects_at="import"))
    assert states(run(tmp_path, lane, BOTH[:1])) == {State.ARCHIVED}
    assert lane.sent == ["1.2.1", "1.2.1"]


def test_a_template_that_is_not_unique_is_named(tmp_path: Path) -> None:
    scripts = Scripts(template=NameTemplate("${StudyInstanceUID}-${SeriesNumber}"))
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop != "1.2.1.1", rejects_at="import", scripts=scripts))
    outcomes = run(tmp_path, lane, BOTH[:1])
    assert "one file per name" in outcomes["1.2.1"].reason


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_REJECTS), ("import", SITE_REJECTS)])
def test_a_series_that_is_rejected_whole_ends_with_the_cause_and_the_others_are_archived(
    tmp_path: Path, at: str, scripts: Scripts
) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop.startswith("1.2.2."), rejects_at=at, scripts=scripts))
    outcomes = run(tmp_path, lane, BOTH)
    assert outcomes["1.2.1"].state is State.ARCHIVED
    assert outcomes["1.2.2"].state is State.FAILED
    assert "0 of its 3 images after two sends" in outcomes["1.2.2"].reason
    assert "script may reject" in outcomes["1.2.2"].reason
    assert "--accept-rejected" in outcomes["1.2.2"].hint
    assert (lane.sent.count("1.2.1"), lane.sent.count("1.2.2")) == (1, 2)
    assert not lane.xnat.waiting
    for folder in (tmp_path, tmp_path / "other machine"):
        again = run(folder, lane, BOTH)
        assert again["1.2.1"].state is State.PRESENT
        assert "not sent again" in again["1.2.2"].reason
        assert run(folder, lane, BOTH, accept=True)["1.2.2"].state is State.PRESENT
    assert lane.sent.count("1.2.2") == 2
    assert run(tmp_path / "other machine", lane, BOTH, existing=Existing.APPEND)["1.2.2"].state is State.FAILED
    assert lane.sent.count("1.2.2") == 4


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_REJECTS), ("import", SITE_REJECTS)])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("which", ["1.2.2.", "1.2."])
def test_a_series_that_is_rejected_whole_may_be_accepted(
    tmp_path: Path, at: str, scripts: Scripts, which: str, *, late: bool
) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop.startswith(which), rejects_at=at, scripts=scripts))
    if late:
        run(tmp_path, lane, BOTH)
    for _ in range(2):
        outcomes = run(tmp_path, lane, BOTH, accept=True)
        assert states(outcomes) <= {State.ARCHIVED, State.PRESENT}
        assert outcomes["1.2.2"].image_count == 0
        assert "3 of its 3 images" in "".join(outcomes["1.2.2"].notes)
        assert lane.sent.count("1.2.2") == 2
    assert not lane.xnat.waiting


def test_a_session_that_is_rejected_whole_is_not_sent_a_third_time(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda _sop: True, scripts=PROJECT_REJECTS))
    outcomes = run(tmp_path, lane, BOTH)
    assert states(outcomes) == {State.FAILED}
    assert all("the project's anonymisation script may reject" in one.reason for one in outcomes.values())
    for folder in (tmp_path, tmp_path / "other machine"):
        again = run(folder, lane, BOTH)
        assert states(again) == {State.FAILED}
        assert all("not sent again" in one.reason for one in again.values())
        assert len(lane.sent) == 4
    assert not lane.xnat.waiting
    (name,) = lane.xnat.resource_files("TCIA_PROVENANCE")
    assert name == "rejected-1.2.json"
    lane.xnat.rejects = lambda _sop: False
    lane.xnat.scripts = Scripts(template=NameTemplate("${SOPInstanceUID}"))  # nothing can reject any more
    assert states(run(tmp_path / "third", lane, BOTH)) == {State.ARCHIVED}


def test_a_member_whose_study_is_rejected_whole_has_nowhere_to_record_it_and_another_machine_tries_again(
    tmp_path: Path,
) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda _sop: True, scripts=PROJECT_REJECTS, is_of_member=True))
    for folder in (tmp_path, tmp_path, tmp_path / "other machine"):
        assert states(run(folder, lane, BOTH[:1])) == {State.FAILED}
    assert len(lane.sent) == 4


@pytest.mark.parametrize(("at", "scripts"), [("archive", PROJECT_REJECTS), ("import", SITE_REJECTS)])
def test_other_images_of_a_series_that_was_rejected_whole_are_sent(tmp_path: Path, at: str, scripts: Scripts) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop.startswith("1.2.2."), rejects_at=at, scripts=scripts))
    run(tmp_path, lane, BOTH)
    lane.xnat.rejects = lambda _sop: False
    grown = [BOTH[0], replace(BOTH[1], image_count=5)]
    assert run(tmp_path / "other machine", lane, grown)["1.2.2"].state is State.ARCHIVED
    assert states(run(tmp_path / "third", lane, grown)) == {State.PRESENT}


def test_a_failure_to_archive_is_no_rejection(tmp_path: Path) -> None:
    full: dict[str, list[Exception]] = {"archive": [XnatRefused("No space left")] * 9}
    lane = FakeLane(FakeXnat(scripts=PROJECT_REJECTS, fails=full))
    assert states(run(tmp_path, lane, BOTH, accept=True)) == {State.HELD}
    assert len(lane.xnat.waiting) == 1


def test_a_script_that_was_changed_gets_the_series_again(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(rejects=lambda sop: sop.startswith("1.2.2."), scripts=PROJECT_REJECTS))
    run(tmp_path, lane, BOTH)
    lane.xnat.scripts, lane.xnat.rejects = Scripts(template=NameTemplate("${SOPInstanceUID}")), lambda _sop: False
    assert {uid: one.state for uid, one in run(tmp_path, lane, BOTH).items()} == {
        "1.2.1": State.PRESENT,
        "1.2.2": State.ARCHIVED,
    }


def test_a_plan_that_changes_nothing_does_not_have_xnat_count(tmp_path: Path) -> None:
    lane = FakeLane(FakeXnat(changes_at="archive", scripts=PROJECT_HASHES))
    run(tmp_path, lane, BOTH)
    lane.xnat.uncounted = True
    lane.xnat.calls.clear()
    catalogue = Catalogue({one.series_instance_uid: one for one in BOTH}, {})
    expected = plan.expected_labels(catalogue, Templates())
    held = look(lane.project, catalogue, catalogue, (), may_refresh=False, expected=expected)
    assert {one.count for one in held.holdings.values()} == {3}
    assert "refresh_counts" not in lane.xnat.calls
