"""Options that cannot have an effect: the table of what belongs to which job."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from tcia_xnat.core.errors import UsageError


class Destination(StrEnum):
    """Where a job of download.py puts series."""

    DISK = "disk"
    XNAT = "xnat"
    OPEN = "open"  # a plan or a check that names none


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What a command line asks for, as far as options depend on it."""

    destination: Destination
    source: str = "auto"
    zipped: bool = False
    dry_run: bool = False
    check: bool = False
    verify: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """Options, by the names of their parameters, and when they have no effect."""

    options: str
    idle: Callable[[Mode], bool]
    reason: str
    way_out: str


_RULES = (
    _Rule(
        "uploads archive create_project accept_rejected subject_label session_label same_patient split_session",
        lambda mode: mode.destination is Destination.DISK,
        "has no effect on a run to disk",
        "name a PROJECT after OUTPUT_DIR, or leave it out",
    ),
    _Rule(
        "layout dir_template",
        lambda mode: mode.destination is Destination.XNAT,
        "has no effect on a run to XNAT",
        "leave PROJECT out to have files on disk, or leave the option out",
    ),
    _Rule(
        "check_geometry one_way", lambda mode: not mode.verify, "belongs to --verify", "add --verify: it moves nothing"
    ),
    _Rule(
        "check_geometry",
        lambda mode: mode.destination is Destination.XNAT,
        "has no effect on a project of XNAT: it reads files on disk",
        "leave PROJECT out, or leave the option out",
    ),
    _Rule(
        "format",
        lambda mode: not (mode.dry_run or mode.check),
        "belongs to --dry-run and --check",
        "add one of them; a run writes report.json, and its events with --log-json",
    ),
    _Rule("all rate", lambda mode: not mode.dry_run, "belongs to --dry-run", "add --dry-run, or leave it out"),
    _Rule("nbia_url", lambda mode: mode.source == "idc", "has no effect with --source idc", "leave one of them out"),
    _Rule("idc_url", lambda mode: mode.source == "nbia", "has no effect with --source nbia", "leave one of them out"),
    _Rule(
        "spool_limit",
        lambda mode: mode.zipped and mode.destination is Destination.DISK,
        "has no effect with --layout zips: a zip is written in one piece",
        "leave one of them out",
    ),
)


def refuse_idle(given: Collection[str], mode: Mode) -> None:
    """Refuse options that cannot have an effect.

    Parameters
    ----------
    given
        Names of the parameters that stand on the command line; variables may be set for other runs.

    Raises
    ------
    UsageError
        Names the option and why.
    """
    modes = [name for name in ("check", "dry_run", "verify") if getattr(mode, name)]
    if len(modes) > 1:
        first, second = (_option(name) for name in modes[:2])
        raise UsageError(f"{first} and {second} exclude each other", "leave one of them out")
    for rule in _RULES:
        idle = [name for name in rule.options.split() if name in given]
        if idle and rule.idle(mode):
            raise UsageError(f"{_option(idle[0])} {rule.reason}", rule.way_out)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
