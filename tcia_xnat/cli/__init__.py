"""Options and their environment variables, shared by the scripts; errors become one line, a hint and an exit code."""

import functools
import logging
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from netrc import NetrcParseError
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core import streams
from tcia_xnat.core.addresses import server_url
from tcia_xnat.core.cancellation import SIGNALS, SUPERVISED, Stop
from tcia_xnat.core.errors import Error, UsageError
from tcia_xnat.core.storage import FULL, storage_error
from tcia_xnat.core.unexpected import unexpected
from tcia_xnat.core.variables import PREFIX, unknown_variables

if TYPE_CHECKING:
    from tcia_xnat.core.events import Tell
    from tcia_xnat.planning.settings import Login
    from tcia_xnat.transfer.work import Run


# Every option `--like-this` can be given as the variable `TCIA_XNAT_LIKE_THIS`.
CONTEXT = {
    "auto_envvar_prefix": PREFIX,
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "show_default": True,
}

STDOUT = "-"
ENDING_SECONDS = 20.0
"""How long a stopped run may take at the most, report and summary included.

What hangs is left behind after 7 seconds (`jobs.record`); the rest is work of this machine, which may be busy.
"""
_IDLE = {SIGNALS, SUPERVISED}  # threads that end with the process, whatever they wait for
_stops: list[Stop] = []  # of the commands that run in this process: one, but for tests

_LOGGER = logging.getLogger(__name__)
_SECRET = re.compile(r"://[^/]*@")  # an address with a password in it
_PROJECT = re.compile(r"[A-Za-z0-9_-]+")  # what XNAT accepts (xnat-http.md §3.3)


def reports_errors(command: Callable[..., int]) -> Callable[..., None]:
    """Make a command end with its exit code, and an error with one line, a hint and its own code.

    A signal ends the command within seconds wherever it waits, see `Stop.supervise`.
    """

    @functools.wraps(command)
    def wrapped(*, debug: bool, **options: Any) -> None:  # noqa: ANN401  whatever the command takes
        others = threading.enumerate()
        streams.prepare()
        context = click.get_current_context(silent=True)
        stop = Stop()
        stop.on_signals()

        def run() -> int:
            with context.scope(cleanup=False) if context else nullcontext():
                code = command(**options)
            sys.stdout.flush()
            return code

        with streams.kept_terminal():
            code = _exit_code(lambda: _under(stop, run), debug=debug)
        _leave(code, others)

    return wrapped


def stop_of_command() -> Stop:
    """Return the wish to end of the command that runs, which hears the signals of the process."""
    return _stops[-1] if _stops else Stop()


def _under(stop: Stop, run: Callable[[], int]) -> int:
    _stops.append(stop)
    try:
        return stop.supervise(run)
    finally:
        _stops.remove(stop)


def _exit_code(run: Callable[[], int], *, debug: bool) -> int:
    """Return the exit code of a command; an error is told on stderr."""
    try:
        return run()
    except BrokenPipeError:  # whoever reads the results has enough of them
        streams.give_up(sys.stdout)
        return 128 + signal.SIGPIPE
    except Error as error:
        say_error(error, debug=debug)
        return error.exit_code
    except click.Abort:  # nobody answered a question
        say_error(UsageError("a question was not answered", "set XNAT_USER and XNAT_PASS, or keep them in ~/.netrc"))
        return UsageError.exit_code
    except (click.exceptions.Exit, click.ClickException):
        raise
    except Exception as error:  # noqa: BLE001  the last place before a traceback
        told = unexpected(error)
        say_error(told, debug=debug)
        return told.exit_code


def debugging() -> bool:
    """Whether --debug was given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.params.get("debug"))


def _leave(code: int, others: Collection[threading.Thread]) -> None:
    """End the process; threads of a stopped run that still wait for a server do not keep it.

    Python would wait for threads of pools, also for those that are daemons. `others` were there before the command.
    """
    streams.flush()
    if any(thread not in others and thread.name not in _IDLE for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)


def checked_project(project: str) -> str:
    """Return a project ID that XNAT accepts.

    Raises
    ------
    UsageError
    """
    if not _PROJECT.fullmatch(project):
        is_path = "/" in project.strip("/") or Path(project).is_dir()
        hint = "PROJECT comes after OUTPUT_DIR" if is_path else "use letters, digits, _ and - only"
        raise UsageError(f"XNAT accepts no project ID {project!r}", hint)
    return project


def checked_host(host: str | None) -> str:
    """Return the address of XNAT.

    Raises
    ------
    UsageError
        There is none, or it is no http address, or it holds a password.
    """
    if not host:
        raise UsageError("no XNAT given", "name it after PROJECT, or set XNAT_HOST, XNAT_USER and XNAT_PASS")
    host = server_url(host, "an XNAT", "https://xnat.example.org")
    parts = urlsplit(host)
    if parts.username or parts.password:
        raise UsageError("the address of XNAT holds a user or password", "give them as XNAT_USER and XNAT_PASS")
    return host


def credentials(host: str, user: str | None, password: str | None) -> tuple[str, str]:
    """Return user and password: as given, else from netrc, else asked for at a terminal.

    Raises
    ------
    UsageError
        There are none, and nobody to ask.
    """
    if user and password:
        return user, password
    from requests.utils import get_netrc_auth  # noqa: PLC0415  --help need not wait for it

    try:
        found = get_netrc_auth(host, raise_errors=True)
    except (NetrcParseError, OSError) as error:
        raise UsageError(
            f"the netrc file cannot be read: {error}", "correct it, or set XNAT_USER and XNAT_PASS"
        ) from error
    if found and user in {None, "", found[0]}:
        return found
    if not sys.stdin.isatty():
        raise UsageError("no user or no password for XNAT", "set XNAT_USER and XNAT_PASS, or keep them in ~/.netrc")
    user = user or click.prompt(f"User at {host}", err=True)
    return user, click.prompt(f"Password of {user}", hide_input=True, err=True)


def _without_line_end(value: str | None) -> str | None:
    """Drop the line break that a value has which was read from a file."""
    if value is None or value == value.rstrip("\r\n"):
        return value
    _LOGGER.debug("XNAT_HOST, XNAT_USER or XNAT_PASS ended with a line break, which was dropped")
    return value.rstrip("\r\n")


def read_login(host: str | None, user: str | None, password: str | None) -> "Login":
    """Return where XNAT is and who asks, from what was given, netrc or a prompt.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.planning.settings import Login  # noqa: PLC0415  --help need not wait for it

    host, user, password = map(_without_line_end, (host, user, password))
    host = checked_host(host)
    return Login(host, *credentials(host, user, password))


def carry_out(start: "Callable[[Stop, Tell], Run]", *, quiet: bool, log_json: str | None) -> int:
    """Have a run done, show how it goes and what came of it; return its exit code."""
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.console import terminal  # noqa: PLC0415  as above
    from tcia_xnat.core.events import Ended  # noqa: PLC0415  as above
    from tcia_xnat.progress.watch import watch  # noqa: PLC0415  as above

    stop = stop_of_command()
    stop.ending_seconds = ENDING_SECONDS
    with watch(quiet=quiet, debug=debugging(), log_json=log_json) as tell:
        done = start(stop, tell)
        result = done.result
        code = exit_code_of(done)
        tell(Ended(code, report.verdict_of(done), result.ended_by))
    stream = sys.stderr if log_json == "-" else sys.stdout
    with streams.forgiving(stream):
        terminal.results(stream).print(report.summary.summary(done), crop=False)
    say_errors_of(done)
    return code


def exit_code_of(done: "Run") -> int:
    """Return what a run came to; a report that cannot be written is no success."""
    from tcia_xnat import report  # noqa: PLC0415  as above

    return report.exit_code(done.result) or (done.unwritten.exit_code if done.unwritten else 0)


def say_errors_of(done: "Run") -> None:
    """Say what ended a run early, and what kept its report from being written."""
    for error in filter(None, (done.result.ended_by, done.unwritten)):
        say_error(error, debug=debugging())


def typed_options(*left_out: str) -> tuple[str, ...]:
    """Return the options that stand on the command line, but for some; those of variables still hold."""
    context = click.get_current_context()
    given = {
        option: context.params[option.name]
        for option in context.command.params
        if isinstance(option, click.Option) and option.name and option.name not in left_out
        if context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if not _SECRET.search(str(context.params[option.name]))
    }
    return tuple(word for option, value in given.items() for word in _as_typed(option, value))


def _as_typed(option: click.Option, value: object) -> Iterator[str]:
    if option.is_flag:
        yield (option.opts if value else option.secondary_opts)[0]
        return
    for one in value if isinstance(value, tuple) else [value]:
        yield from (option.opts[0], str(one).removesuffix(".0") if isinstance(one, float) else str(one))


def typed_names() -> set[str]:
    """Return the names of the parameters that stand on the command line."""
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def warn_of_unknown_variables() -> None:
    """Say which variables look like those of options and are none."""
    for line in unknown_variables([name for name, value in os.environ.items() if value.strip()]):
        say_warning(line)


def say_warning(text: str) -> None:
    """Say on stderr what people must know although nothing is wrong."""
    with streams.forgiving(sys.stderr):
        click.echo(f"warning: {text}", err=True)


def write_result(name: str, text: str) -> None:
    """Write a result to a file, or to stdout where its name is -.

    Raises
    ------
    UsageError
    """
    if name == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        Path(name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        if error.errno in FULL:
            raise storage_error(error) from error
        told = f"{name} cannot be written: {error.strerror}"
        raise UsageError(told, "name a file in a folder that is there") from error


def say_error(error: Error, *, debug: bool = False) -> None:
    """Say on stderr what went wrong and what to do about it, a line each."""
    from tcia_xnat.report.causes import way_out  # noqa: PLC0415  --help need not wait for it

    with streams.forgiving(sys.stderr):
        if debug:
            traceback.print_exception(error)
        click.echo(f"error: {one_line(str(error))}", err=True)
        if hint := error.hint or way_out(type(error).__name__):
            click.echo(f"hint: {one_line(hint)}", err=True)
