#!/usr/bin/env python3
"""TCIA's NBIA server from the shell, a command per question; and `TCIAClient`, as the old SDK had it, to import."""

if __name__ == "__main__":
    from tcia_xnat.core.installed import require_libraries

    require_libraries()  # before any of them is imported

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import __version__, cli
from tcia_xnat.cli.command_list import CommandList
from tcia_xnat.cli.options import FiniteRange
from tcia_xnat.cli.tcia_commands import DOWNLOADS, OPTIONS, QUERIES, Download, Query, not_there
from tcia_xnat.core.errors import SeriesUnavailable
from tcia_xnat.core.exit_codes import ExitCode, exit_help
from tcia_xnat.core.tables import TableWriter

if TYPE_CHECKING:
    from tcia_xnat.core.retry import Patience
    from tcia_xnat.sources.nbia import client as tcia
    from tcia_xnat.sources.nbia.sdk import TCIAClient

__all__ = ["TCIAClient", "main"]

_WIDE = 1000  # columns of a table that nobody looks at
_CONNECTION = (
    click.option(
        "--nbia-url",
        metavar="URL",
        envvar="TCIA_XNAT_NBIA_URL",
        help="NBIA's services, the part before /v4/.  [default: TCIA's]",
    ),
    click.option(
        "--retries",
        type=click.IntRange(1, 100),
        default=5,
        envvar="TCIA_XNAT_RETRIES",
        help="Tries for what may pass.",
    ),
    click.option(
        "--retry-wait",
        type=FiniteRange(0),
        default=2,
        envvar="TCIA_XNAT_RETRY_WAIT",
        help="Seconds, at the most, before the second try; doubled before each further one.",
    ),
    click.option(
        "--source-timeout",
        type=FiniteRange(0, min_open=True),
        default=300,
        envvar="TCIA_XNAT_SOURCE_TIMEOUT",
        help="Seconds that NBIA may say nothing.",
    ),
    click.option("--debug", is_flag=True, help="Show tracebacks."),
)
_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="The main columns as a table for people, or all columns.",
)


def __getattr__(name: str) -> object:
    """Return `TCIAClient`, which takes time to import that `--help` need not wait for."""
    if name != "TCIAClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tcia_xnat.sources.nbia.sdk import TCIAClient  # noqa: PLC0415  as said above

    return TCIAClient


@click.group(
    cls=CommandList,
    context_settings=cli.CONTEXT | {"auto_envvar_prefix": None},
    epilog=exit_help(
        *(code for code in ExitCode if code is not ExitCode.XNAT),
        done="answered, also when no filter fits anything",
        usage="usage",
        missing="NBIA refuses, or has not all that was named",
        source="NBIA unreachable",
    ),
)
@click.version_option(__version__, prog_name="xnat-tcia-download")
def main() -> None:
    """Ask TCIA's NBIA server; COMMAND --help shows what each question takes.

    Results go to stdout, errors to stderr.
    """


def query_command(name: str, query: Query) -> Callable[..., None]:
    """Return the command that shows what NBIA answers."""

    def run(client: "tcia.TCIAClient", patience: "Patience", form: str = "", **asked: Any) -> int:  # noqa: ANN401  as the client takes them
        found = patience.call(lambda: getattr(client, _method(name))(**asked))
        if query.columns:
            show(_rows(found, query.columns), query.columns, form)
        else:
            click.echo(found.rstrip("\n"))
        if lost := not_there(name, asked, found):
            click.echo(lost, err=True)
            return SeriesUnavailable.exit_code
        return 0

    return _command(run, query.needed, query.may, *([_FORMAT] if query.columns else []))


def download_command(name: str, download: Download) -> Callable[..., None]:
    """Return the command that saves a file."""

    def run(
        client: "tcia.TCIAClient",
        patience: "Patience",
        download_path: Path,
        file_name: str | None = None,
        **asked: Any,  # noqa: ANN401  as the client takes them
    ) -> int:
        from tcia_xnat.sources.nbia import series_zip  # noqa: PLC0415  --help need not wait for it

        uids = [asked.pop(one) for one in download.needed]
        ending = ".dcm" if download.function == "save_image" else ".zip"
        path = download_path / (file_name or f"{uids[-1]}{ending}")
        if download.function == "save_zip":
            stream = functools.partial(getattr(client, _method(name)), **asked)
            series_zip.save_zip(stream, uids[0], path, patience)
        else:
            getattr(series_zip, download.function)(client, *uids, path, patience)
        click.echo(path)
        return 0

    return _command(run, download.needed, (*download.may, "download_path", "file_name"))


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str) -> None:
    """Write rows to stdout: as csv and json with all columns, those given first; as table with those given."""
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif form == "csv":
        every = dict.fromkeys([*columns, *(name for row in rows for name in row)])
        TableWriter(sys.stdout, list(every)).mappings(rows)
    elif rows:
        _print_table(rows, columns)
    else:
        click.echo("NBIA has nothing of that kind.", err=True)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich import box  # noqa: PLC0415  as above
    from rich.console import Console  # noqa: PLC0415  as above
    from rich.table import Table  # noqa: PLC0415  as above
    from rich.text import Text  # noqa: PLC0415  as above

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = all(isinstance(row.get(column, 0), int) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        cells = (row.get(column) for column in columns)
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in cells))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n"))


def _rows(found: Any, columns: Sequence[str]) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401  what a method returns
    """Return rows of what the client returned: rows, values of one column, or pairs."""
    if isinstance(found, dict):
        return [dict(zip(columns, pair, strict=True)) for pair in found.items()]
    return [row if isinstance(row, dict) else {columns[0]: row} for row in found]


def _command(
    run: Callable[..., int], needed: Sequence[str], may: Sequence[str], *more: Callable[..., Any]
) -> Callable[..., None]:
    @cli.reports_errors
    def answered(*, nbia_url: str | None, retries: int, retry_wait: float, source_timeout: float, **asked: Any) -> int:  # noqa: ANN401  click names and checks them
        given = {name: value for name, value in asked.items() if value is not None}
        with _connected(nbia_url, retries, retry_wait, source_timeout) as (client, patience):
            return run(client, patience, **given)

    command: Callable[..., None] = answered
    options = [OPTIONS[name](required=name in needed) for name in (*needed, *may)]
    for option in reversed((*options, *more, *_CONNECTION)):
        command = option(command)
    return command


@contextmanager
def _connected(
    nbia_url: str | None, retries: int, retry_wait: float, source_timeout: float
) -> "Iterator[tuple[tcia.TCIAClient, Patience]]":
    from tcia_xnat.core.retry import Patience, RetryPolicy  # noqa: PLC0415  as above
    from tcia_xnat.sources.nbia.client import TCIAClient  # noqa: PLC0415  as above
    from tcia_xnat.sources.nbia.connection import services_url  # noqa: PLC0415  as above

    patience = Patience(
        RetryPolicy(retries, retry_wait),
        cli.stop_of_command().wait,
        lambda error, delay: click.echo(f"{error}; tried again in {delay:.0f} s", err=True),
    )
    with TCIAClient(services_url(nbia_url), source_timeout) as client:
        yield client, patience


def _method(name: str) -> str:
    return name.replace("-", "_")


for _name, _query in QUERIES.items():
    main.command(_name, help=_query.help)(query_command(_name, _query))
for _name, _download in DOWNLOADS.items():
    main.command(_name, help=_download.help)(download_command(_name, _download))

if __name__ == "__main__":
    main()
