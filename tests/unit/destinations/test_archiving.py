"""The steps of one session, with an XNAT in memory: what is compared before it is archived, and what follows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tcia_xnat.core.errors import ArchiveConflict, Stopped, XnatBusy, XnatRefused, XnatUnreachable
from tcia_xnat.core.model import Label, Series
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat.archive import SessionSteps
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.planning.completeness import State
from tcia_xnat.xnat.scripts import NameTemplate, Scripts
from tests.fakes import QUICK, FakeXnat, Session, changed, images, series

LABEL = Label("PAT", "PAT_1")
ONE, TWO = series(1), series(2)


def shipped(*members: Series) -> Mapping[str, Shipment]:
    return {
        one.series_instance_uid: Shipment(one.series_number, "idc", one.image_count, UidSet.of(images(one)))
        for one in members
    }


def steps(xnat: FakeXnat, *members: Series, holds: Iterable[str] | None = None, **more: Any) -> SessionSteps:  # noqa: ANN401  the fields of SessionSteps
    """Return the steps of a session to which series were sent; `holds` is what XNAT has of the first."""
    first, *others = members
    url = xnat.take(first, LABEL, images(first) if holds is None else holds)
    for one in others:
        xnat.take(one, LABEL, images(one))
    return SessionSteps(xnat.as_project, [url], LABEL, shipped(*members), **more)


def test_a_whole_session_is_built_archived_and_confirmed() -> None:
    xnat, told = FakeXnat(), list[str]()
    finished = steps(xnat, ONE, TWO, at_step=told.append).run()
    assert finished.is_whole
    assert not finished.is_changed
    assert told == ["build", "archive", "confirm"]
    assert not xnat.waiting
    assert xnat.archived[LABEL].images == {"1": images(ONE), "2": images(TWO)}
    assert xnat.archived[LABEL].note == ""


def test_without_archiving_it_stays_in_the_prearchive() -> None:
    xnat = FakeXnat()
    finished = steps(xnat, ONE).run(archive=False)
    assert (finished.uri, finished.short) == ("", {})
    assert xnat.waiting
    assert "archive" not in xnat.calls


def test_a_session_that_lacks_an_image_is_not_archived() -> None:
    xnat = FakeXnat()
    finished = steps(xnat, ONE, TWO, holds=sorted(images(ONE))[:2]).run()
    assert {uid: (judged.state, judged.held) for uid, judged in finished.short.items()} == {
        "1.2.1": (State.INCOMPLETE, 2)
    }
    assert "archive" not in xnat.calls


def test_what_it_lacks_may_be_in_the_archive_already() -> None:
    xnat = FakeXnat()
    xnat.archive(xnat.take(ONE, LABEL, images(ONE)), LABEL, overwrite=False)
    xnat.calls.clear()
    finished = steps(xnat, ONE, holds=sorted(images(ONE))[:2]).run()
    assert finished.is_whole
    assert "archive" not in xnat.calls
    assert not xnat.waiting  # the archive has all of the copy


def put_beside(xnat: FakeXnat, other: Series, count: int) -> None:
    xnat.take(other, LABEL, sorted(images(other))[:count])


@pytest.mark.parametrize(("count", "is_archived"), [(2, False), (3, True)])
def test_the_rest_of_a_broken_upload_is_not_archived_along(count: int, *, is_archived: bool) -> None:
    xnat = FakeXnat()
    run = steps(xnat, ONE, listed=lambda uids: dict.fromkeys(uids, 3))
    put_beside(xnat, TWO, count)
    if is_archived:
        assert run.run().is_whole
    else:
        with pytest.raises(ArchiveConflict, match=r"also holds 2 of its 3 images, of series 1\.2\.2"):
            run.run()
    assert ("archive" in xnat.calls) == is_archived


def test_of_what_nobody_lists_nothing_is_known_to_be_broken() -> None:
    xnat = FakeXnat()
    run = steps(xnat, ONE)
    put_beside(xnat, TWO, 1)
    assert run.run().is_whole


def test_what_an_option_leaves_out_is_not_archived_along() -> None:
    xnat = FakeXnat()
    run = steps(xnat, ONE, unwanted=frozenset({"1.2.2"}))
    put_beside(xnat, TWO, 3)
    with pytest.raises(ArchiveConflict, match=r"also holds images of series 1\.2\.2, from an earlier run"):
        run.run()
    assert "archive" not in xnat.calls


def archiving_fails(error: Exception, *, after: bool = False, status: str = "") -> tuple[FakeXnat, SessionSteps]:
    xnat = FakeXnat(fails={"archived" if after else "archive": [error]})
    run = steps(xnat, ONE)
    if status:
        xnat.waiting[run.urls[0]].status = status
    return xnat, run


@pytest.mark.parametrize("error", [XnatUnreachable("504"), XnatBusy("locked"), XnatRefused("500")])
def test_after_an_answer_that_leaves_it_open_a_session_that_has_left_is_not_archived_again(error: Exception) -> None:
    xnat, run = archiving_fails(error, after=True)
    assert run.run().is_whole
    assert xnat.calls.count("archive") == 1


@pytest.mark.parametrize("error", [XnatUnreachable("504"), XnatBusy("locked")])
def test_a_session_that_is_still_there_is_archived_again(error: Exception) -> None:
    xnat, run = archiving_fails(error)
    assert run.run().is_whole
    assert xnat.calls.count("archive") == 2


def test_what_xnat_refuses_is_said_with_its_log() -> None:
    xnat, run = archiving_fails(XnatRefused("500: no"), status="ERROR")
    with pytest.raises(ArchiveConflict, match=r"500: no \(log of /prearchive") as raised:
        run.run()
    assert "the session waits in the prearchive" in raised.value.hint
    assert xnat.waiting


def test_a_session_that_xnat_works_on_is_waited_for() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 6:
            xnat.waiting[url].status = "READY"
            xnat.archive(url, LABEL, overwrite=False)

    xnat, run = archiving_fails(XnatUnreachable("504"), status="_ARCHIVING")
    xnat.patience, url = replace(QUICK, wait=wait), run.urls[0]
    assert run.run().is_whole
    assert [seconds for seconds in waits if seconds][:4] == [0.5, 1.0, 2.0, 4.0]
    assert xnat.calls.count("archive") == 2  # one of them is the other run's


def test_a_session_that_xnat_works_on_for_ever_is_given_up_in_the_end() -> None:
    waits: list[float] = []
    xnat, run = archiving_fails(XnatRefused("500"), status="_ARCHIVING")
    xnat.patience = replace(QUICK, wait=waits.append)
    with pytest.raises(XnatRefused, match="500"):
        run.run()
    assert max(waits) == 10
    assert 3_600 < sum(waits) < 2 * 3_600


def test_a_conflict_with_what_is_archived_whole_is_none() -> None:
    xnat = FakeXnat()
    xnat.archive(xnat.take(ONE, LABEL, images(ONE)), LABEL, overwrite=False)
    xnat.fails["archive"] = [ArchiveConflict("Session already exists with matching files.")]
    assert steps(xnat, ONE).run().is_whole
    assert not xnat.waiting


def test_a_conflict_with_something_else_leaves_the_session_where_it_is() -> None:
    xnat = FakeXnat(fails={"archive": [ArchiveConflict("no")]})
    run = steps(xnat, ONE)
    with pytest.raises(ArchiveConflict) as raised:
        run.run()
    assert "settle the cause in XNAT" in raised.value.hint
    assert list(xnat.waiting) == list(run.urls)


def test_the_end_of_a_run_is_seen_before_anything_begins() -> None:
    def stopped(_seconds: float) -> None:
        raise Stopped

    xnat = FakeXnat()
    run = steps(xnat, ONE)
    xnat.patience = replace(QUICK, wait=stopped)
    with pytest.raises(Stopped):
        run.run()
    assert "build" not in xnat.calls


@pytest.mark.parametrize(("number", "goes"), [(3, True), (4, False)])
def test_a_second_copy_goes_only_if_the_archive_has_all_of_it(number: int, *, goes: bool) -> None:
    xnat = FakeXnat(scripts=Scripts(template=NameTemplate("${SOPInstanceUID}")))
    run = steps(xnat, ONE)
    assert run.run().is_whole
    copy = xnat.take(ONE, LABEL, [f"1.2.1.{number}"])
    replace(run, urls=[copy]).tidy()
    assert (copy not in xnat.waiting) == goes


@pytest.mark.parametrize("error", [XnatBusy("locked"), XnatRefused("400"), ArchiveConflict("no")])
def test_a_copy_that_cannot_be_built_stays(error: Exception) -> None:
    xnat = FakeXnat()
    run = steps(xnat, ONE)
    assert run.run().is_whole
    copy = xnat.take(ONE, LABEL, images(ONE))
    xnat.fails["build"] = [error]
    replace(run, urls=["/prearchive/gone", copy]).tidy()
    assert copy in xnat.waiting


@pytest.mark.parametrize(("there", "is_replaced"), [("", True), ("seen by A. N. Other", False)])
def test_the_note_of_people_is_not_replaced(there: str, *, is_replaced: bool) -> None:
    xnat = FakeXnat()
    xnat.archive(xnat.take(TWO, LABEL, images(TWO)), LABEL, overwrite=False, note=there)
    steps(xnat, ONE, study=("PAT", "1.2"), may_change_uids=True).run()
    assert (xnat.archived[LABEL].note != there) == is_replaced


def test_a_note_is_added_to_the_one_of_an_earlier_run() -> None:
    xnat = FakeXnat(changes_at="archive")
    for one in (ONE, TWO):
        assert steps(xnat, one, study=("PAT", "1.2"), may_change_uids=True).run().is_changed
    first = FakeXnat(changes_at="archive")
    steps(first, ONE, TWO, study=("PAT", "1.2"), may_change_uids=True).run()
    assert xnat.archived[LABEL].note == first.archived[LABEL].note


def test_provenance_that_cannot_be_kept_is_said_and_changes_nothing_else() -> None:
    xnat = FakeXnat(fails={"put_session_file": [XnatRefused("no")] * 3})
    finished = steps(xnat, ONE, study=("PAT", "1.2")).run()
    assert finished.is_whole
    assert "could not be kept" in finished.notes[0]


def with_a_scan_of_another_series(**more: Any) -> FakeXnat:  # noqa: ANN401  the fields of FakeXnat
    """Return an XNAT whose session has, under a changed UID, a series of the same number and count as the first."""
    before = Session(changed("1.2"), LABEL)
    before.add(changed("1.2.9"), ONE.series_number, map(changed, images(series(9))))
    return FakeXnat(changes_at="archive", archived={LABEL: before}, **more)


def test_a_scan_that_was_there_before_is_not_taken_for_a_series_that_xnat_refuses() -> None:
    xnat = with_a_scan_of_another_series(fails={"archive": [ArchiveConflict("no")]})
    run = steps(xnat, ONE, may_change_uids=True)
    with pytest.raises(ArchiveConflict):
        run.run()
    assert list(xnat.waiting) == list(run.urls)


def test_a_scan_that_was_there_before_is_not_taken_for_a_series_that_xnat_drops() -> None:
    xnat = with_a_scan_of_another_series(rejects=lambda sop: sop.startswith("1.2.1."))
    assert set(steps(xnat, ONE, TWO, may_change_uids=True).run().short) == {"1.2.1"}


def test_numbers_recognize_nothing_where_no_script_changes_uids() -> None:
    assert set(steps(FakeXnat(changes_at="archive"), ONE).run().short) == {"1.2.1"}


@pytest.mark.parametrize("overwrite", [True, False])
def test_xnat_overwrites_only_when_asked_to(*, overwrite: bool) -> None:
    asked: list[bool] = []

    class Asked(FakeXnat):
        def archive(self, url: str, label: Label, *, overwrite: bool, note: str = "") -> None:
            asked.append(overwrite)
            super().archive(url, label, overwrite=overwrite, note=note)

    assert steps(Asked(), ONE, overwrite=overwrite).run().is_whole
    assert asked == [overwrite]
