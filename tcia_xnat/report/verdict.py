"""What a run comes to: one sentence and one exit code."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tcia_xnat.core.errors import Error, SourceUnreachable, Stopped, XnatUnreachable
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.model import Outcome, State
from tcia_xnat.planning.left_out import is_accepted
from tcia_xnat.planning.plan import Plan
from tcia_xnat.progress import counted
from tcia_xnat.report.asked import Request, left_out, named, request_of
from tcia_xnat.report.causes import is_file
from tcia_xnat.transfer.scheduler import TransferResult
from tcia_xnat.transfer.work import Run

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
        return ExitCode.DONE
    if XnatUnreachable.__name__ in kinds:
        return XnatUnreachable.exit_code
    if kinds == {SourceUnreachable.__name__} and not gave:
        return SourceUnreachable.exit_code
    return ExitCode.MISSING


def verdict_of(run: Run) -> str:
    """Return the sentence that people read first of a run."""
    return verdict(run.result, archive=run.job.archive, place=run.job.place, asked=[request_of(run)])


def verdict(
    result: TransferResult, *, archive: bool = True, place: str = "in the archive", asked: Sequence[Request] = ()
) -> str:
    """Return the sentence that people read first: of a part it never says "All".

    Parameters
    ----------
    place
        Where series were to go, in words.
    asked
        The lists that were asked for, and which part of them was taken; none when that is not known.
    """
    series = tuple(one for one in result.outcomes if not is_file(one.series_instance_uid, one.kind))
    counts, has_files = state_counts(series), len(series) < len(result.outcomes)
    total = len(series) - counts[State.FILTERED]
    arrived = sum(outcome.state.is_in for outcome in result.outcomes)
    new = sum(outcome.state.is_new for outcome in result.outcomes)
    of, is_part = _of(result.outcomes, asked)
    if arrived == total and not has_files:
        said = _all(total, of, f"{place}: {new:,} new, {total - new:,} were there", is_part=is_part)
    elif not archive and arrived + counts[State.HELD] == total and not has_files:
        held = f"in XNAT, {counts[State.HELD]:,} of them in the prearchive, as asked"
        said = _all(total, of, held, is_part=is_part)
    else:
        left = _left(counts, has_files=has_files)
        said = f"{_ended(result.ended_by)}{arrived:,} of {of or f'{total:,} series'} are {place}; {left}."
    lacking = sum(outcome.state.is_in and is_accepted(outcome.notes) for outcome in result.outcomes)
    said += _filtered(counts[State.FILTERED]) + _lacking(lacking)
    return " ".join(filter(None, (said, left_out(asked))))


def _of(outcomes: Sequence[Outcome], asked: Sequence[Request]) -> tuple[str, bool]:
    """Return the lists that were not taken whole, or are the rest of another, in words; and whether series are left."""
    taken = {outcome.series_instance_uid for outcome in outcomes}
    beyond = {uid for request in asked for uid in request.not_taken} - taken
    if beyond:
        return f"the {counted(len(taken | beyond), 'series', 'series')} of {', '.join(map(named, asked))}", True
    if len(asked) == 1 and asked[0].left_of:
        return f"the {counted(len(taken), 'series', 'series')} of {named(asked[0])}", False
    return "", False


def _all(total: int, of: str, where: str, *, is_part: bool) -> str:
    if not total:
        return f"No series of {of} was taken." if of else "No series was taken."
    if is_part:
        return f"{total:,} of {of} {_are(total)} {where}; that is all of this part."
    subject = "1 series" if total == 1 else f"All {of.removeprefix('the ')}" if of else f"All {total:,} series"
    return f"{subject} {_are(total)} {where}."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _ended(error: Error | None) -> str:
    return "" if error is None else "Interrupted: " if isinstance(error, Stopped) else "Ended early: "


def _left(counts: Mapping[State, int], *, has_files: bool) -> str:
    left = [f"{counts[state]:,} {state.told}" for state in _NOT_IN if counts[state]]
    return ", ".join([*left, "files that are, or may be, images were not sent"] if has_files else left)


def _filtered(count: int) -> str:
    if not count:
        return ""
    were, their = ("series was", "its") if count == 1 else ("series were", "their")
    return f" {count:,} {were} left out because of {their} licence."


def _lacking(count: int) -> str:
    """Say that not all images are there although all series count."""
    return f" Of {count:,} of them XNAT left out images, which --accept-rejected allows." if count else ""


def state_counts(outcomes: tuple[Outcome, ...]) -> Mapping[State, int]:
    """Return how many series ended in each state."""
    return Counter(outcome.state for outcome in outcomes)
