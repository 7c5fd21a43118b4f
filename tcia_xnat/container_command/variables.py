"""Options of the XNAT command: the Container Service gives them as variables (xnat-container-command.md §3.1).

Each option of download.py is either heeded, by the same parser, or refused by name; none is ignored.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tcia_xnat.cli.options import column_option, common_options, dry_run_option, source_option
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.variables import OF_XNAT_COMMAND, PREFIX, unknown_variables

_UNRESOLVED = re.compile(r"#.+#")
_WHOLE = re.compile(r"(\d+)\.0+")  # XNAT's form also sends 4.0 for a number
_NOT_FOR_XNAT = "remove it: this command puts series into a project of XNAT, never on disk"
_NO_COMPARISON = "remove it: compare with download.py --verify"
_PLAN_IS_TEXT = "remove it: a dry run writes its plan as text, and the whole of it to plan.txt in the report"
REFUSED: Mapping[str, str] = {
    "query": "remove it: the manifest is a file of the project's resource TCIA",
    "create_project": "remove it: this command never creates a project",
    "log_json": "remove it: XNAT keeps the log of the container, and the report has the results as JSON",
    "check": "remove it: launch a dry run (TCIA_XNAT_DRY_RUN), or use download.py --check",
    "layout": _NOT_FOR_XNAT,
    "dir_template": _NOT_FOR_XNAT,
    "verify": _NO_COMPARISON,
    "check_geometry": _NO_COMPARISON,
    "one_way": _NO_COMPARISON,
    "format": _PLAN_IS_TEXT,
    "all": _PLAN_IS_TEXT,
    "rate": _PLAN_IS_TEXT,
}
"""Options of download.py that make no sense here, with the hint."""


@click.command()
@dry_run_option
@source_option
@column_option
@common_options
def _heeded() -> None:
    """Carry the options; nobody calls this."""


COMMAND: click.Command = _heeded
OPTIONS: tuple[click.Option, ...] = tuple(
    option
    for option in COMMAND.params
    if isinstance(option, click.Option) and not option.is_eager and option.name not in REFUSED
)
"""The options that are heeded."""


def variable_of(name: str) -> str:
    """Return the variable of an option, by the name of its parameter."""
    return f"{PREFIX}_{name.upper()}"


def given_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are set: blank ones are not, nor those that were left as `#KEY#` (RS-2)."""
    stripped = {name: value.strip() for name, value in environment.items()}
    return {name: value for name, value in stripped.items() if value and not _UNRESOLVED.fullmatch(value)}


def unknown(values: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each variable that looks like one of this command's and is none."""
    names = (*OF_XNAT_COMMAND, *REFUSED, *(str(option.name) for option in OPTIONS))
    return unknown_variables(values, {variable_of(name) for name in names})


def read_options(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the options by the names of their parameters, as click returns those of download.py.

    Raises
    ------
    UsageError
        A value is not valid, or an option makes no sense here; the message names the variable.
    """
    for name, hint in REFUSED.items():
        if variable_of(name) in values:
            raise UsageError(f"the XNAT command does not take {variable_of(name)}", hint)
    words = [word for option in OPTIONS for word in _words(option, values.get(variable_of(str(option.name))))]
    try:
        return COMMAND.make_context("ingest", words).params
    except click.BadParameter as error:
        raise _refusal(error.param, values, error.message) from error


def _words(option: click.Option, value: str | None) -> Iterator[str]:
    """Yield the words of a command line that stand for the value of a variable."""
    if value is None:
        return
    if not option.is_flag:
        yield f"{option.opts[0]}={_as_typed(option, value)}"
        return
    try:
        names = option.opts if click.BOOL(value) else option.secondary_opts
    except click.BadParameter as error:
        raise UsageError(f"{variable_of(str(option.name))} is {value!r}", "write true or false") from error
    yield from names[:1]


def _as_typed(option: click.Option, value: str) -> str:
    if isinstance(option.type, click.Choice):
        return value.lower()
    whole = _WHOLE.fullmatch(value)
    return whole[1] if whole and isinstance(option.type, click.types.IntParamType) else value


def _refusal(option: click.Parameter | None, values: Mapping[str, str], message: str) -> UsageError:
    variable = variable_of(str(option.name)) if option else PREFIX
    return UsageError(f"{variable} is {values.get(variable)!r}", message)
