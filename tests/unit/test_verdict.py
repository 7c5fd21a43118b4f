"""Exit codes and the sentence that people read first."""

from dataclasses import replace

import pytest

from tcia_xnat.core.errors import Error, LoginRefused, SpaceError, Stopped
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.planning.left_out import accepted_note
from tcia_xnat.planning.plan import Plan, StudyPlan
from tcia_xnat.report.asked import Request, joined
from tcia_xnat.report.verdict import exit_code, plan_exit_code, verdict
from tcia_xnat.transfer.scheduler import TransferResult


def result(*states: State, kind: str = "", ended_by: Error | None = None) -> TransferResult:
    outcomes = [Outcome(str(n), state, kind="" if state.is_in else kind) for n, state in enumerate(states)]
    return TransferResult(tuple(outcomes), ended_by)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (result(State.ARCHIVED, State.PRESENT), 0),
        (result(), 0),
        (result(State.ARCHIVED, State.HELD), 3),
        (result(State.FAILED, kind="SeriesDamaged"), 3),
        (result(State.UNAVAILABLE, kind="SeriesUnavailable"), 3),
        (result(State.FAILED, kind="SourceUnreachable"), 4),
        (result(State.FAILED, State.PRESENT, kind="SourceUnreachable"), 4),
        (result(State.FAILED, State.ARCHIVED, kind="SourceUnreachable"), 3),
        (result(State.FAILED, State.ARCHIVED, kind="XnatUnreachable"), 5),
        (result(State.ARCHIVED, State.FAILED, ended_by=LoginRefused("no")), 5),
        (result(State.FAILED, ended_by=SpaceError("full")), 6),
        (result(State.FAILED, ended_by=Stopped(143)), 143),
        (result(State.NOT_STARTED, kind="Stopped"), 3),
    ],
)
def test_exit_codes(given: TransferResult, code: int) -> None:
    assert exit_code(given) == code


def test_a_plan_ends_as_a_run_would() -> None:
    away = Outcome("1", State.FAILED, kind="SourceUnreachable")
    study = StudyPlan("2", Label("P", "P"), (Series("2.1", "2", "P"),))
    assert plan_exit_code(Plan((), (away,))) == 4
    assert plan_exit_code(Plan((study,), (away,))) == 3
    assert plan_exit_code(Plan((), (Outcome("1", State.UNAVAILABLE, kind="SeriesUnavailable"),))) == 3
    assert plan_exit_code(Plan((study,), ())) == 0


@pytest.mark.parametrize(
    ("given", "archive", "words"),
    [
        (result(State.ARCHIVED, State.PRESENT), True, "All 2 series are in the archive: 1 new, 1 were there."),
        (
            result(*[State.ARCHIVED] * 1200, *[State.FAILED] * 1000),
            True,
            "1,200 of 2,200 series are in the archive; 1,000 failed.",
        ),
        (result(State.HELD, State.HELD), False, "All 2 series are in XNAT, 2 of them in the prearchive, as asked."),
        (
            result(State.ARCHIVED, State.FAILED, State.UNAVAILABLE, State.HELD),
            True,
            "1 of 4 series are in the archive; 1 failed, 1 not offered, 1 waiting in the prearchive.",
        ),
        (
            result(State.ARCHIVED, State.NOT_STARTED, State.NOT_STARTED, State.HELD, ended_by=Stopped()),
            True,
            "Interrupted: 1 of 4 series are in the archive; 2 not started, 1 waiting in the prearchive.",
        ),
        (
            result(State.ARCHIVED, State.NOT_STARTED, ended_by=SpaceError("full")),
            True,
            "Ended early: 1 of 2 series are in the archive; 1 not started.",
        ),
    ],
)
def test_the_verdict(given: TransferResult, archive: bool, words: str) -> None:  # noqa: FBT001  a parameter
    assert verdict(given, archive=archive) == words


def tree(number: int, left_out: str, series: int = 2, *, digest: str = "") -> Request:
    return Request("DICOM", digest or f"{number}{left_out}", series, tree=str(number), left_out=left_out)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([tree(1, "Left out: 1 other file: left_out.csv.")], " Left out: 1 other file: left_out.csv."),
        ([tree(1, "A."), tree(2, "B.")], " A. B."),
        ([tree(1, "A."), tree(2, "A.")], " A."),
        ([tree(1, "A."), tree(1, "B.")], " B."),
        ([tree(1, "A."), tree(1, "", 3)], ""),
        ([tree(1, "A."), tree(1, "B.", 1)], " A. B."),
        ([tree(1, "", digest="x"), tree(1, "A.", digest="y"), tree(1, "", digest="x")], ""),
    ],
)
def test_what_was_left_out_of_trees_stays_in_the_verdict_of_all_runs(asked: list[Request], words: str) -> None:
    said = verdict(result(State.ARCHIVED), asked=joined(asked))
    assert said == f"1 series is in the archive: 1 new, 0 were there.{words}"


ALL_OF_PART = "that is all of this part."
LIST = Request("CMB-AML.tcia", "d" * 16, 52, not_taken=tuple(f"x{n}" for n in range(50)))


@pytest.mark.parametrize(
    ("asked", "given", "words"),
    [
        (
            replace(LIST, shards=((0, 3), (1, 3))),
            result(State.STORED, State.PRESENT),
            f"2 of the 52 series of CMB-AML.tcia (shards 0, 1 of 3) are on disk: 1 new, 1 were there; {ALL_OF_PART}",
        ),
        (
            replace(LIST, limit=2),
            result(State.STORED, State.FAILED),
            "1 of the 52 series of CMB-AML.tcia (--limit 2) are on disk; 1 failed.",
        ),
        (replace(LIST, not_taken=()), result(State.STORED), "1 series is on disk: 1 new, 0 were there."),
        (
            replace(LIST, manifest="failed.tcia", left_of="CMB-AML.tcia", not_taken=()),
            result(State.STORED, State.STORED),
            "All 2 series of failed.tcia, the rest of CMB-AML.tcia, are on disk: 2 new, 0 were there.",
        ),
        (
            replace(LIST, not_taken=()),
            result(State.STORED, State.FILTERED, State.FILTERED),
            "1 series is on disk: 1 new, 0 were there. 2 series were left out because of their licence.",
        ),
    ],
)
def test_of_a_part_nothing_says_all(asked: Request, given: TransferResult, words: str) -> None:
    assert verdict(given, place="on disk", asked=[asked]) == words


def test_series_that_count_without_all_images_are_named() -> None:
    accepted = Outcome("1", State.ARCHIVED, image_count=2, notes=(accepted_note(2, 3),))
    said = verdict(TransferResult((accepted, Outcome("2", State.PRESENT))))
    assert said.endswith("Of 1 of them XNAT left out images, which --accept-rejected allows.")
