"""The numbers that XNAT's workflow shows: a series counts once, only a planned one counts, and 100 % is never told."""

import pytest

from tcia_xnat.core.events import Event, Planned, SeriesImported, SeriesSettled, SessionArchived
from tcia_xnat.core.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.xnat.workflow import WorkflowProgress

LABEL = Label("P", "P")
PLANNED = Planned(2, 200, {"1.1": 100, "1.2": 100}, {"1.1": "1", "1.2": "1"})


def imported(uid: str) -> SeriesImported:
    return SeriesImported(Series(uid, "1", "P"), LABEL, SourceName.IDC, 1, 100, 1.0)


def settled(uid: str, state: State) -> SeriesSettled:
    return SeriesSettled(Outcome(uid, state, reason="r", kind="K" if state is not State.ARCHIVED else ""))


@pytest.mark.parametrize(
    ("events", "percentage", "step"),
    [
        ([], "0", "planning"),
        ([PLANNED], "0", "0 of 2 series in, 0 sessions archived"),
        (
            [PLANNED, *(settled(f"9.{number}", State.UNAVAILABLE) for number in range(3))],
            "0",
            "0 of 2 series in, 0 sessions archived",
        ),
        (
            [*(settled(f"9.{number}", State.UNAVAILABLE) for number in range(3)), PLANNED],
            "0",
            "0 of 2 series in, 0 sessions archived",
        ),
        ([PLANNED, imported("1.1"), settled("1.1", State.HELD)], "50", "1 of 2 series in, 0 sessions archived"),
        ([PLANNED, imported("1.1"), imported("1.1")], "50", "1 of 2 series in, 0 sessions archived"),
        ([PLANNED, settled("1.1", State.FAILED)], "50", "0 of 2 series in, 1 failed, 0 sessions archived"),
        (
            [PLANNED, imported("1.1"), settled("1.1", State.FAILED)],
            "50",
            "0 of 2 series in, 1 failed, 0 sessions archived",
        ),
        ([PLANNED, settled("1.1", State.PRESENT)], "50", "1 of 2 series in, 0 sessions archived"),
        (
            [
                PLANNED,
                imported("1.1"),
                imported("1.2"),
                SessionArchived(LABEL, "/archive/1", 2),
                settled("1.1", State.ARCHIVED),
            ],
            "99",
            "2 of 2 series in, 1 session archived",
        ),
    ],
)
def test_what_xnat_is_told(events: list[Event], percentage: str, step: str) -> None:
    workflow = WorkflowProgress("7")
    for event in events:
        workflow(event)
    assert list(workflow.fields().values()) == [percentage, step]
