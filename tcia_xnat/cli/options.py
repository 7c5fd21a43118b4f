"""Options that the scripts share, and what their texts mean."""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import click

from tcia_xnat import __version__
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.variables import ALLOW_PRIVATE

_FACTORS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}
_FOUR_SHARDS = "write --shard 0/4, 1/4, 2/4 and 3/4 for four workers"
_PIXELS = (32, 512)  # of a picture in the report


class TypedRate(float):
    """Bytes a second that show as they were typed, so that a command can be repeated."""

    typed: str

    def __new__(cls, typed: str, value: float) -> Self:
        """Keep the text."""
        made = super().__new__(cls, value)
        made.typed = typed
        return made

    def __str__(self) -> str:
        """Return the text."""
        return self.typed


class Rate(click.ParamType[float]):
    """Bytes a second: a number, maybe with k, M or G after it."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", str(value))
        rate = float(found[1]) * _FACTORS[found[2]] if found else 0.0
        if not rate:
            self.fail(f"{value!r} is no rate: write 500k, 20M or 1.5G", param, ctx)
        return TypedRate(str(value), rate)


class FiniteRange(click.FloatRange):
    """A number that is one: nan fits every range, and nobody can wait infinitely."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401  as click has it
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class Pixels(click.ParamType[int]):
    """Pixels of the longer side of a picture, or off, which is 0."""

    name = "off|N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            return parsed_thumbnails(str(value))
        except UsageError as error:
            self.fail(f"it takes {error.hint}", param, ctx)


_RUN = (
    click.option("--transfers", type=click.IntRange(1, 64), default=4, help="Series fetched at once."),
    click.option(
        "--uploads",
        type=click.IntRange(1, 64),
        help="Series that XNAT takes at once.  [default: as many as --transfers]",
    ),
    click.option("--retries", type=click.IntRange(1, 100), default=5, help="Tries for what may pass."),
    click.option(
        "--existing",
        type=click.Choice(["skip", "append", "error"]),
        default="skip",
        help="What to do with series that the archive holds already: leave them, replace them, or refuse to run.",
    ),
    click.option("--limit", type=click.IntRange(1), help="Take only so many series, for a first try."),
    click.option(
        "--shard",
        metavar="K/N",
        help="Take the K-th (from 0) of N equal parts, cut by patient; auto/N: K is the number of this Kubernetes or "
        "Slurm task; auto: N is the size of a Slurm array 0-M as well.",
    ),
    click.option(
        "--archive/--no-archive", default=True, help="Archive complete sessions, or leave them in the prearchive."
    ),
    click.option(
        "--create-project/--no-create-project", default=True, help="Create a missing project, or refuse to run."
    ),
    click.option(
        "--accept-rejected",
        is_flag=True,
        help="Archive and count what XNAT keeps of a series when its scripts leave out images.",
    ),
    click.option("--subject-label", default="{PatientID}", help="Template of subject labels."),
    click.option("--session-label", default="{PatientID}", help="Template of session labels."),
    click.option(
        "--same-patient",
        multiple=True,
        metavar="HELD=PATIENTID",
        help="These are one patient: a subject or PatientID that XNAT holds, and a PatientID; or a CSV of such "
        "pairs. May be repeated.",
    ),
    click.option(
        "--split-session",
        is_flag=True,
        help="Put series that XNAT would not add to their session, as a PET to its CT, into one of their own.",
    ),
    click.option(
        "--spool-dir",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        help="Folder for series on their way.  [default: the system's temporary folder]",
    ),
    click.option(
        "--spool-limit", type=click.IntRange(1), help="Bytes above which a series goes in parts.  [default: 8 GB]"
    ),
    click.option(
        "--max-outage",
        type=FiniteRange(0),
        help="Seconds that an XNAT which is away is waited for.  [default: 600]",
    ),
    click.option(
        "--retry-wait",
        type=FiniteRange(0),
        help="Seconds, at the most, before the second try; doubled before each further one.  [default: 2]",
    ),
    click.option(
        "--thumbnails",
        type=Pixels(),
        default="96",
        help="Pixels of the picture of each series in the report, or off.",
    ),
)


class LicenceNames(click.ParamType[str]):
    """Names of licences, with commas between; of a variable all of it is one value, as names have spaces."""

    name = "names"

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the value of a variable as it is."""
        return [rv]


_SOURCES = (
    click.option(
        "--licence-filter",
        "--license-filter",
        multiple=True,
        type=LicenceNames(),
        metavar="NAMES",
        help="Take only series under these licences, with commas between: 'CC BY', 'CC BY 4.0', 'CC BY*', commercial.",
    ),
    click.option(
        "--bwlimit",
        type=Rate(),
        help="Bytes a second that are fetched by all transfers together, such as 20M.  [default: no limit]",
    ),
    click.option(
        "--source-timeout",
        type=FiniteRange(0, min_open=True),
        help="Seconds that IDC or NBIA may say nothing.  [default: 300]",
    ),
    click.option("--nbia-url", metavar="URL", help="NBIA's services, the part before /v4/.  [default: TCIA's]"),
    click.option("--idc-url", metavar="URL", help="S3 endpoint of IDC's buckets, path style.  [default: Amazon's]"),
    click.option("--idc-index", metavar="FILE", help="Another parquet in the place of IDC's embedded index."),
    click.option(
        "--allow-private-hosts",
        is_flag=True,
        expose_value=False,
        callback=lambda _context, _option, given: os.environ.update({ALLOW_PRIVATE: "1"} if given else {}),
        help="Let manifests that point elsewhere lead to this machine and its network, also by plain http.",
    ),
)


_SHOWN = (
    click.option("--quiet", is_flag=True, help="Only the result, no progress."),
    click.option("--debug", is_flag=True, help="Show each step, each retry with its reason, and tracebacks."),
    click.option(
        "--log-json", metavar="FILE", help="Append what happens as JSON lines; - is stdout, the result then on stderr."
    ),
    click.version_option(__version__, prog_name="xnat-tcia-download"),
)


_VIEW = (
    click.option(
        "--format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How --dry-run and --check show what they found.",
    ),
    click.option("--all", is_flag=True, help="With --dry-run: show all patients, however many."),
    click.option(
        "--rate",
        metavar="MB/S",
        type=FiniteRange(0, min_open=True),
        help="With --dry-run: megabytes per second from which the time is estimated.  [default: that of the last run]",
    ),
)


dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and change nothing.")
source_option = click.option(
    "--source",
    type=click.Choice(["auto", "idc", "nbia"]),
    default="auto",
    help="Where images come from; auto asks IDC first, NBIA for the rest.",
)

column_option = click.option(
    "--column",
    default="",
    show_default=False,
    metavar="HEADING",
    help="Column of a table that names series, studies or patients, where its headings do not say it.",
)


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the plan and the checks."""
    for option in reversed(_VIEW):
        command = option(command)
    return command


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a run against XNAT, and those of IDC and NBIA."""
    return _added(_RUN + _SOURCES + _SHOWN, command)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every run against XNAT has."""
    return _added(_RUN + _SHOWN, command)


def _added(options: Sequence[Callable[..., Any]], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def parsed_thumbnails(text: str) -> int:
    """Return how many pixels the longer side of a picture has; 0 for `off`.

    Raises
    ------
    UsageError
    """
    if text.strip().lower() in {"off", "0"}:
        return 0
    if not text.isdecimal() or not _PIXELS[0] <= int(text) <= _PIXELS[1]:
        raise UsageError(f"--thumbnails is {text!r}", f"off, or pixels from {_PIXELS[0]} to {_PIXELS[1]}")
    return int(text)


def parsed_shard(text: str | None, environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Return `K/N` as two numbers; `auto/N` takes K from the scheduler's variables, `auto` N as well.

    Raises
    ------
    UsageError
        The part does not exist, or the scheduler does not say which part this is.
    """
    if not text:
        return None
    number, _, of = text.partition("/")
    if text == "auto":
        number, of = _task_number(environment), _task_count(environment)
    elif number == "auto":
        number = _task_number(environment)
    if not (number.isdecimal() and of.isdecimal() and int(of)):
        raise UsageError(f"{text!r} is not a shard", _FOUR_SHARDS)
    if int(number) >= int(of):
        raise UsageError(f"shard {number} of {of} does not exist", f"shards are numbered from 0 to {int(of) - 1}")
    return int(number), int(of)


def _task_number(environment: Mapping[str, str]) -> str:
    """Return the number of this task, which counts from 0: of an Indexed Job of Kubernetes, or of a Slurm array.

    Raises
    ------
    UsageError
        No scheduler gives one.
    """
    found = environment.get("JOB_COMPLETION_INDEX") or environment.get("SLURM_ARRAY_TASK_ID", "")
    if not found:
        raise UsageError(
            "no scheduler says which part this is",
            "--shard auto/4 needs JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID; --shard auto needs an array of Slurm",
        )
    return found


def _task_count(environment: Mapping[str, str]) -> str:
    """Return the number of tasks of a whole Slurm array: one that is submitted in part does not tell it.

    Raises
    ------
    UsageError
        The array does not begin at 0, or has gaps.
    """
    first, last, count = (environment.get(f"SLURM_ARRAY_TASK_{what}", "") for what in ("MIN", "MAX", "COUNT"))
    if not (first == "0" and last.isdecimal() and count.isdecimal() and int(count) == int(last) + 1):
        raise UsageError(
            "--shard auto does not know the number of parts: only a Slurm array 0-M without gaps tells it",
            "name it, --shard auto/8 for eight parts; tasks of any array then take the parts of their numbers",
        )
    return count
