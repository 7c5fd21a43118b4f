"""One immutable retry policy for everything that may pass: attempts, full-jitter backoff, Retry-After."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from tcia_xnat.core.errors import Error

Result = TypeVar("Result")

RETRY_WAIT = 2.0  # seconds, the longest first wait
_RETRY_AFTER_CAP = 300.0  # a server that asks for more is treated as one that asks for this


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently something is tried again.

    Parameters
    ----------
    attempts
        Tries in all, the first included.
    base
        Upper bound in seconds of the first wait; it doubles with every try.
    cap
        Upper bound in seconds of any wait that the server did not ask for.
    used
        Tries that are behind us.
    """

    attempts: int = 5
    base: float = RETRY_WAIT
    cap: float = 120.0
    used: int = 0

    def increment(self) -> "RetryPolicy":
        """Return the policy with one more try used."""
        return replace(self, used=self.used + 1)

    def allows(self, error: Error) -> bool:
        """Whether `error` may pass and a try is left."""
        return error.retryable and self.used < self.attempts

    def delay(self, error: Error, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds to wait before the next try: what the server asked for, else full jitter.

        `uniform` draws the jitter; tests pass their own.
        """
        if error.retry_after is not None:
            return min(error.retry_after, _RETRY_AFTER_CAP)
        return uniform(0, min(self.cap, self.base * 2 ** max(self.used - 1, 0)))


@dataclass(frozen=True, slots=True)
class Patience:
    """A policy together with the ways to wait and to tell.

    Parameters
    ----------
    policy
        How often and how long.
    wait
        Waits so many seconds; raises `Stopped` when the run is to end.
    on_retry
        Told each error that is about to be tried again, and the seconds of the wait before it.
    outlast
        Called after that wait; waits on while what failed is not there at all, or raises.
    """

    policy: RetryPolicy
    wait: Callable[[float], None]
    on_retry: Callable[[Error, float], None] = lambda _error, _delay: None
    outlast: Callable[[Error], None] = lambda _error: None

    def call(self, action: Callable[[], Result], series_instance_uid: str = "") -> Result:
        """Return what `action` returns, tried again as the policy says.

        Parameters
        ----------
        series_instance_uid
            The series that it is done for, if it is one: its errors tell.

        Raises
        ------
        Error
            The last one, when the policy allows no further try.
        """
        policy = self.policy
        while True:
            policy = policy.increment()
            try:
                return action()
            except Error as error:
                error.attempt, error.series_instance_uid = policy.used, series_instance_uid
                if not policy.allows(error):
                    raise
                failed, delay = error, policy.delay(error)
            self.on_retry(failed, delay)
            self.wait(delay)
            self.outlast(failed)
