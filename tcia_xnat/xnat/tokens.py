"""Alias tokens: short-lived logins, such as XNAT gives to containers (xnat-http.md §1.11, §1.12)."""

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tcia_xnat.core.errors import XnatUnreachable
from tcia_xnat.core.foreign import parse_json

_PARTS = ("alias", "secret", "estimatedExpirationTime")
ISSUE = "/data/services/tokens/issue"

_ALIAS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SHARE_OF_LIFE = 1 / 3  # when the next one is asked for: two more tries fit before the end
_LEAST_SECONDS, _MOST_SECONDS = 1.0, 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Token:
    """A login of its own, good for so many seconds."""

    alias: str
    secret: str = field(repr=False)
    seconds: float = 0.0


def is_alias(user: str) -> bool:
    """Whether a user name is the alias of a token."""
    return bool(_ALIAS.fullmatch(user))


def parse(text: str) -> Token:
    """Read what XNAT says of a token that it issued.

    Raises
    ------
    XnatUnreachable
        It is none.
    """
    try:
        issued = parse_json(text)
        alias, secret, ends = (issued[key] for key in _PARTS) if isinstance(issued, dict) else ("", "", 0)
        seconds = float(ends) / 1000 - time.time()
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise XnatUnreachable("XNAT sent something that is no token") from error
    if not (isinstance(alias, str) and is_alias(alias) and isinstance(secret, str) and math.isfinite(seconds)):
        raise XnatUnreachable("XNAT sent something that is no token")
    return Token(alias, secret, seconds)


class Keeper:
    """Has a token replaced again and again, before each is too old.

    Parameters
    ----------
    renew
        Replaces the token; returns the life of the new one in seconds, 0 when that failed.
    """

    def __init__(self, renew: Callable[[], float]) -> None:
        self._renew = renew
        self._closed = threading.Event()
        self._pause = _pause(renew())
        self._thread = threading.Thread(target=self._keep, name="token", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Keep no more."""
        self._closed.set()

    def _keep(self) -> None:
        while not self._closed.wait(self._pause):
            self._pause = _pause(self._renew())


def _pause(seconds: float) -> float:
    return min(max(seconds * _SHARE_OF_LIFE, _LEAST_SECONDS), _MOST_SECONDS)
