"""What `download.py --check` is asked to look at: the arguments of a run, or only those from PROJECT on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tcia_xnat import cli
from tcia_xnat.core.errors import Error, UsageError
from tcia_xnat.jobs.tcia_to_xnat import Login

_USAGE = "download.py --check [MANIFEST OUTPUT_DIR] [PROJECT [HOST [USER [PASSWORD]]]]"


def names(given: Sequence[str], all_names: Sequence[str]) -> Sequence[str]:
    """Return how the arguments are called: if the first is no file, so no manifest, they begin with `project`.

    Raises
    ------
    UsageError
        The first one looks like a file and is none.
    """
    without_manifest = all_names[all_names.index("project") :]
    if given and Path(given[0]).is_file():
        return all_names
    if len(given) > len(without_manifest) or (given and Path(given[0]).suffix):
        raise UsageError(f"no such manifest: {given[0]}", _USAGE)
    return without_manifest


def login(asked: Mapping[str, str]) -> Login | Error | None:
    """Return who logs in where; None when no XNAT is named, an error when nobody can log in there."""
    if not asked.get("host"):
        return None
    try:
        host = cli.checked_host(asked["host"])
        return Login(host, *cli.credentials(host, asked.get("user"), asked.get("password")))
    except UsageError as error:
        return error
