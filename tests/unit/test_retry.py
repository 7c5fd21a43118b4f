"""The retry policy: how often, how long, and what is not tried again."""

import pytest

from tcia_xnat.core.errors import Error, SeriesUnavailable, SourceUnreachable, Stopped
from tcia_xnat.core.retry import Patience, RetryPolicy


class Failing:
    """Fails as often as told, then returns 42."""

    def __init__(self, *errors: Error) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 42


def patience(waits: list[float], attempts: int = 3) -> Patience:
    return Patience(RetryPolicy(attempts), waits.append)


def test_what_passes_is_tried_again_until_it_works() -> None:
    waits: list[float] = []
    action = Failing(SourceUnreachable("1"), SourceUnreachable("2"))
    assert patience(waits).call(action) == 42
    assert (action.calls, len(waits)) == (3, 2)


def test_the_last_error_comes_out_when_the_tries_are_used_up() -> None:
    waits: list[float] = []
    action = Failing(*[SourceUnreachable(str(number)) for number in range(5)])
    with pytest.raises(SourceUnreachable, match=r"^2$"):
        patience(waits).call(action)
    assert (action.calls, len(waits)) == (3, 2)


def test_what_will_not_pass_is_not_tried_again() -> None:
    waits: list[float] = []
    action = Failing(SeriesUnavailable("no"))
    with pytest.raises(SeriesUnavailable):
        patience(waits).call(action)
    assert (action.calls, waits) == (1, [])


def test_waits_grow_and_are_capped() -> None:
    policy = RetryPolicy(attempts=20, base=2, cap=10)
    bounds = []
    for _ in range(6):
        policy = policy.increment()
        bounds.append(policy.delay(SourceUnreachable(""), lambda _low, high: high))
    assert bounds == [2, 4, 8, 10, 10, 10]


def test_a_server_that_names_its_wait_gets_it_up_to_five_minutes() -> None:
    policy = RetryPolicy().increment()
    assert policy.delay(SourceUnreachable("", retry_after=7)) == 7
    assert policy.delay(SourceUnreachable("", retry_after=86_400)) == 300


def test_a_policy_never_changes() -> None:
    policy = RetryPolicy()
    policy.increment()
    assert policy.used == 0


def test_a_stop_ends_the_waiting() -> None:
    def stopped(_seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Patience(RetryPolicy(3), stopped).call(Failing(SourceUnreachable("")))


def test_each_retry_is_told() -> None:
    told: list[str] = []
    one = Patience(RetryPolicy(3), lambda _seconds: None, lambda error, _delay: told.append(str(error)))
    one.call(Failing(SourceUnreachable("slow"), SourceUnreachable("slower")))
    assert told == ["slow", "slower"]
