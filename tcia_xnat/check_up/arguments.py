"""What `download.py --check` is asked to look at: the arguments of a run, or only those from PROJECT on."""

from collections.abc import Callable
from pathlib import Path

import click
from click.core import ParameterSource

from tcia_xnat import cli
from tcia_xnat.check_up.order import Asked
from tcia_xnat.errors import Error, UsageError
from tcia_xnat.job import Job, Login

_RUN = ("manifest", "output_dir", "project", "host", "user", "password")
_WITHOUT_MANIFEST = _RUN[2:]

MakeJob = Callable[[dict[str, object]], Job]


def placed(context: click.Context) -> dict[str, str | None]:
    """Return the arguments by name.

    A first argument that is a file is a manifest, so the rest are those of a run; otherwise they begin with PROJECT.
    Variables stand for those that are not given.
    """
    given = [
        str(context.params[name]) for name in _RUN if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    is_run = bool(given) and Path(given[0]).is_file()
    names = _RUN if is_run else _WITHOUT_MANIFEST
    if len(given) > len(names) or (given and not is_run and Path(given[0]).suffix):
        raise UsageError(
            f"no such manifest: {given[0]}",
            "download.py --check [MANIFEST OUTPUT_DIR] [PROJECT [HOST [USER [PASSWORD]]]]",
        )
    inherited = {
        name: context.params[name] for name in _RUN if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    }
    return dict.fromkeys(_RUN) | inherited | dict(zip(names, given, strict=False))


def asked(context: click.Context, make_job: MakeJob) -> Asked:
    """Return what to check; `make_job` takes options to the job of a run.

    Raises
    ------
    UsageError
    """
    values = placed(context)
    manifest = Path(values["manifest"]) if values["manifest"] else None
    options = context.params | {"output_dir": Path(values["output_dir"] or "."), "project": values["project"]}
    return Asked(make_job(options | {"manifest": manifest or Path()}), manifest, _login(values))


def _login(values: dict[str, str | None]) -> Login | Error | None:
    if not values["host"]:
        return None
    try:
        host = cli.checked_host(values["host"])
        return Login(host, *cli.credentials(host, values["user"], values["password"]))
    except UsageError as error:
        return error
