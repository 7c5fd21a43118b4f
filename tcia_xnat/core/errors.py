"""Everything that can go wrong, in one tree.

    Error                        exit   retryable
    ├── UsageError                2               an option, an argument or a variable is wrong
    │   └── ManifestError         2               the list of series cannot be used
    ├── SourceError                               what IDC or NBIA did
    │   ├── SourceUnreachable     4     yes       no connection, a stall, 429 or 5xx
    │   ├── SeriesUnavailable                     the source does not offer this series
    │   ├── SeriesIncomplete            yes       fewer images than the source says there are
    │   └── SeriesDamaged               yes       an image with other bytes than it should have
    ├── XnatError                                 what XNAT did
    │   ├── XnatUnreachable       5     yes       no connection, a stall, 429 or 5xx
    │   ├── XnatBusy                    yes       the session is locked by other work
    │   ├── LoginRefused          5               wrong password, expired token, session cap
    │   ├── RightsRefused         5               the user may not do this
    │   ├── XnatRefused                           XNAT does not take it, and says why
    │   └── ArchiveConflict                       the archive holds something that is in the way
    ├── FolderError               3               the disk does not take or give a file
    ├── SpaceError                6               not enough room on a disk
    └── Stopped                   130/143/129     Ctrl-C, SIGTERM or SIGHUP

One series' failure never ends a run: the lane turns it into an `Outcome`. Those of `FATAL` end it.
"""

from typing import ClassVar

from tcia_xnat.core.exit_codes import ExitCode


class Error(Exception):
    """Base of all errors that we raise on purpose.

    Parameters
    ----------
    message
        One line that says what happened, without credentials.
    hint
        One line that says what to do about it; may be empty.
    retry_after
        Seconds that a server asked us to wait (header Retry-After); None when it did not.

    Attributes
    ----------
    attempt
        Which try it ended, from 1; 0 when it was not tried with patience.
    series_instance_uid
        The series that was on its way, as far as that is known.
    """

    retryable: ClassVar[bool] = False
    exit_code: int = ExitCode.UNEXPECTED
    attempt: int = 0
    series_instance_uid: str = ""

    def __init__(self, message: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.retry_after = retry_after


class UsageError(Error):
    """An option, an argument or a variable is wrong."""

    exit_code = ExitCode.USAGE


class ManifestError(UsageError):
    """The list of series cannot be used."""


class SourceError(Error):
    """IDC or NBIA did not deliver."""

    exit_code = ExitCode.MISSING


class SourceUnreachable(SourceError):
    """No connection, a stall, or an answer that says "later"."""

    retryable = True
    exit_code = ExitCode.SOURCE


class SeriesUnavailable(SourceError):
    """The source does not offer this series to the public."""


class SeriesIncomplete(SourceError):
    """Fewer images arrived than the source says there are."""

    retryable = True


class SeriesDamaged(SourceError):
    """An image arrived with other bytes than it should have."""

    retryable = True


class XnatError(Error):
    """XNAT did not do what was asked."""

    exit_code = ExitCode.MISSING


class XnatUnreachable(XnatError):
    """No connection, a stall, or an answer that says "later"."""

    retryable = True
    exit_code = ExitCode.XNAT


class XnatGarbled(XnatUnreachable):
    """XNAT answers, and one of its answers cannot be read however often it is asked for."""

    exit_code = ExitCode.MISSING


class XnatBusy(XnatError):
    """The session is locked by other work; it passes."""

    retryable = True


class LoginRefused(XnatError):
    """Wrong password, expired token, or too many sessions."""

    exit_code = ExitCode.XNAT


class RightsRefused(XnatError):
    """The user may not do this."""

    exit_code = ExitCode.XNAT


class XnatRefused(XnatError):
    """XNAT does not take it, and asking again changes nothing."""


class ArchiveConflict(XnatError):
    """The archive holds something that is in the way; the session stays in the prearchive."""


class FolderError(Error):
    """The disk does not take or give a file."""

    exit_code = ExitCode.MISSING


class SpaceError(Error):
    """Not enough room on the disk that holds the spool, or on that of the output folder."""

    exit_code = ExitCode.SPACE


class Stopped(Error):
    """Ctrl-C, SIGTERM or SIGHUP: the report is written and the same command continues."""

    def __init__(self, exit_code: int = ExitCode.INTERRUPT) -> None:
        super().__init__("stopped on request", "the same command continues where this run ended")
        self.exit_code = exit_code


FATAL = (UsageError, LoginRefused, RightsRefused, SpaceError, Stopped)
"""What makes going on with other series pointless."""
