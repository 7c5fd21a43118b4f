"""Complete, incomplete, absent, unknown: sets before counts, and unknown is never complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.planning.completeness import Holding, State, Wanted, judge, shortages

ABC, ABD = frozenset("abc"), frozenset("abd")


@pytest.mark.parametrize(
    ("wanted", "held", "state", "words"),
    [
        (Wanted(3), None, State.ABSENT, "0 of its 3 images"),
        (Wanted(3), Holding(0), State.ABSENT, "0 of its 3 images"),
        (Wanted(3), Holding(2), State.INCOMPLETE, "2 of its 3 images"),
        (Wanted(3), Holding(3), State.COMPLETE, "3 of its 3 images"),
        (Wanted(3), Holding(4), State.COMPLETE, "4 of its 3 images"),
        (Wanted(3), Holding(None), State.UNKNOWN, "an unknown part of its 3 images: XNAT does not tell how many"),
        (Wanted(0), Holding(4), State.UNKNOWN, "a series of which nobody says how many images it has"),
        (Wanted(3, ABC), Holding(3, ABD), State.INCOMPLETE, "2 of its 3 images"),
        (Wanted(3, ABC), Holding(4, ABC | ABD), State.COMPLETE, "4 of its 3 images"),
        (Wanted(3, ABC), Holding(2, ABC), State.INCOMPLETE, "2 of its 3 images"),  # files are gone that a record names
        (Wanted(3, ABC), Holding(3), State.COMPLETE, "3 of its 3 images"),
        (Wanted(0), Holding(5, is_proved=True), State.COMPLETE, "5 of its 5 images"),
    ],
)
def test_what_is_held_beside_what_is_wanted(wanted: Wanted, held: Holding | None, state: State, words: str) -> None:
    judged = judge(wanted, held)
    assert judged.state is state
    assert str(judged) == words
    assert judged.is_complete == (state is State.COMPLETE)


_SETS = st.none() | st.frozensets(st.sampled_from("abcdef"))


@given(_SETS, _SETS, st.integers(0, 6), st.none() | st.integers(0, 6))
def test_complete_means_that_nothing_known_is_missing(
    wanted: frozenset[str] | None, held: frozenset[str] | None, count: int, counted: int | None
) -> None:
    if judge(Wanted(count, wanted), Holding(counted, held)).is_complete:
        assert counted is not None
        assert counted >= count
        assert wanted is None or held is None or wanted <= held


def test_what_is_short_is_named_and_what_is_complete_is_not() -> None:
    wanted = {"1": Wanted(3), "2": Wanted(3), "3": Wanted(3)}
    assert {uid: one.state for uid, one in shortages(wanted, {"1": Holding(3), "2": Holding(None)}).items()} == {
        "2": State.UNKNOWN,
        "3": State.ABSENT,
    }
