"""What a run comes to: one sentence and one exit code (design §5)."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tcia_xnat.errors import SourceUnreachable, Stopped, XnatUnreachable
from tcia_xnat.model import Outcome, State
from tcia_xnat.plan import Plan
from tcia_xnat.transfer import TransferResult

_IN, _SOME_MISSING = 0, 3
_NOT_IN = (State.FAILED, State.UNAVAILABLE, State.NOT_STARTED, State.HELD)


def exit_code(result: TransferResult) -> int:
    """Return 0 when every series is in the archive, else the code of what kept them out.

    A source or an XNAT that cannot be reached has a code of its own, a source only when it gave nothing at all.
    """
    if result.ended_by is not None:
        return result.ended_by.exit_code
    return _missing_code(result.outcomes, gave=any(outcome.state.is_new for outcome in result.outcomes))


def plan_exit_code(plan: Plan) -> int:
    """Return 0 when every series is there or can be fetched, else the code that a run would end with."""
    return _missing_code(plan.settled, gave=bool(plan.send))


def _missing_code(outcomes: Iterable[Outcome], *, gave: bool) -> int:
    """Return the code of what is missing; `gave` says whether the sources gave, or offer, any series."""
    kinds = {outcome.kind for outcome in outcomes if outcome.state.is_missing}
    if not kinds:
        return _IN
    if XnatUnreachable.__name__ in kinds:
        return XnatUnreachable.exit_code
    if kinds == {SourceUnreachable.__name__} and not gave:
        return SourceUnreachable.exit_code
    return _SOME_MISSING


def verdict(result: TransferResult, *, archive: bool = True, place: str = "in the archive") -> str:
    """Return the sentence that people read first; `place` is where series were to go."""
    if result.ended_by and not result.outcomes:
        return f"Nothing was moved: {result.ended_by}."
    counts = state_counts(result.outcomes)
    total = len(result.outcomes) - counts[State.FILTERED]
    arrived = sum(outcome.state.is_in for outcome in result.outcomes)
    left_out = f" {counts[State.FILTERED]:,} were left out because of their licence." if counts[State.FILTERED] else ""
    if arrived == total:
        new = sum(outcome.state.is_new for outcome in result.outcomes)
        return f"All {total:,} series are {place}: {new:,} new, {total - new:,} were there.{left_out}"
    if not archive and arrived + counts[State.HELD] == total:
        return (
            f"All {total:,} series are in XNAT, {counts[State.HELD]:,} of them in the prearchive, as asked.{left_out}"
        )
    parts = [f"{counts[state]:,} {state.told}" for state in _NOT_IN if counts[state]]
    ended = (
        "" if result.ended_by is None else "Interrupted: " if isinstance(result.ended_by, Stopped) else "Ended early: "
    )
    return f"{ended}{arrived:,} of {total:,} series are {place}; {', '.join(parts)}.{left_out}"


def state_counts(outcomes: tuple[Outcome, ...]) -> Mapping[State, int]:
    """Return how many series ended in each state."""
    return Counter(outcome.state for outcome in outcomes)
