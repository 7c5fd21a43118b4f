#!/usr/bin/env python3
"""The main job: the series of a manifest from IDC and TCIA into a project of XNAT, or to disk."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import cli
from tcia_xnat.errors import ManifestError, UsageError
from tcia_xnat.stop import Stop

if TYPE_CHECKING:
    from tcia_xnat.job import Job, Login

READY = Path(__file__).resolve().parent / "resources" / "TCIA"
ARGUMENTS = ("manifest", "output_dir", "project", "host", "user", "password")
VARIABLES = {"host": "XNAT_HOST", "user": "XNAT_USER", "password": "XNAT_PASS"}
USAGE = "download.py MANIFEST OUTPUT_DIR [PROJECT [HOST [USER [PASSWORD]]]]"


@click.command(context_settings=cli.CONTEXT)
@click.argument("given", nargs=-1, metavar=" ".join(f"[{name.upper()}]" for name in ARGUMENTS))
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and change nothing.")
@click.option(
    "--source",
    type=click.Choice(["auto", "idc", "nbia"]),
    default="auto",
    help="Where images come from; auto asks IDC first, NBIA for the rest.",
)
@click.option(
    "--query", default="", metavar="SQL", help="In the place of MANIFEST: SELECT SeriesInstanceUID FROM index …."
)
@click.option("--layout", type=click.Choice(["classic", "zips"]), help="On disk: as the NBIA Data Retriever, or zips.")
@click.option("--dir-template", help="On disk: folder of a series.  [default: %collection_id/…, see README]")
@cli.common_options
@cli.reports_errors
def download(given: tuple[str, ...], *, dry_run: bool, quiet: bool, **options: Any) -> int:  # noqa: ANN401  click names and checks them
    """Bring the series of MANIFEST from IDC and TCIA into PROJECT of the XNAT at HOST, or to disk without a PROJECT.

    MANIFEST is a file, or what IDC's index lists: a collection, patients, studies or series, with commas between.
    Each series is proved complete before XNAT gets it, each study is archived once, and the same command again
    continues where it was. OUTPUT_DIR keeps the state and the report. HOST, USER and PASSWORD may come from
    XNAT_HOST, XNAT_USER and XNAT_PASS, or from ~/.netrc; each option from a variable, --transfers from
    TCIA_XNAT_TRANSFERS. Without arguments the manifests at hand are listed.

    Exit: 0 all series are there, 1 unexpected, 2 usage or manifest, 3 some series are not, 4 source unreachable,
    5 XNAT unreachable or login or rights refused, 6 not enough space, 130 and 143 stopped.
    """
    if not given and not options["query"]:
        return list_manifests([READY, Path.cwd()])
    asked = read_arguments(given, options["query"])
    job = read_job(asked, options, whole=not dry_run)
    if dry_run:
        return plan_only(job, read_login(asked) if job.project and asked.get("host") else None)
    return carry_out(job, asked, quiet=quiet)


def read_arguments(given: Sequence[str], query: str) -> dict[str, str]:
    """Return what stands on the command line by name; a query stands in the place of the manifest.

    Raises
    ------
    UsageError
        There is too much.
    """
    names = ARGUMENTS[1:] if query else ARGUMENTS
    if len(given) > len(names):
        raise UsageError(f"{given[len(names)]!r} is one argument too many", USAGE)
    found = {name: os.environ[variable] for name, variable in VARIABLES.items() if os.environ.get(variable)}
    return found | dict(zip(names, given, strict=False))


def list_manifests(folders: Iterable[Path]) -> int:
    """Show the manifests at hand, each with the number of its series."""
    from tcia_xnat.manifest import find  # noqa: PLC0415  --help need not wait for it

    for path in dict.fromkeys(find(folders)):
        click.echo(f"{counted(path):>15}  {path}")
    click.echo(f"Usage: {USAGE}; more with --help", err=True)
    return 0


def counted(path: Path) -> str:
    """Return how much a manifest lists; a broken one does not keep the others from being shown."""
    from tcia_xnat.manifest import read  # noqa: PLC0415  as above

    try:
        manifest = read(path)
    except ManifestError:
        return "cannot be read"
    if count := len(manifest.study_instance_uids):
        return f"{count} {'study' if count == 1 else 'studies'}"
    return f"{len(manifest.series_instance_uids) + len(manifest.crdc_series_uuids)} series"


def read_job(asked: Mapping[str, str], options: dict[str, Any], *, whole: bool) -> "Job":
    """Return the job that the command line asks for; a dry run needs no folder and no project.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.folder.job import FolderJob  # noqa: PLC0415  as above
    from tcia_xnat.folder.layout import layout_of  # noqa: PLC0415  as above
    from tcia_xnat.job import Job  # noqa: PLC0415  as above
    from tcia_xnat.plan import Existing  # noqa: PLC0415  as above

    folder, project = asked.get("output_dir"), asked.get("project")
    if whole and not folder:
        raise UsageError("OUTPUT_DIR is missing", USAGE)
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"OUTPUT_DIR {folder} is a file", USAGE)
    kind = FolderJob if folder and project is None else Job
    options |= {
        "manifest": asked.get("manifest", ""),
        "output_dir": Path(folder or "."),
        "project": "" if project is None else cli.checked_project(project),
        "shard": cli.parsed_shard(options["shard"]),
        "existing": Existing(options["existing"]),
        "layout": layout_of(options["dir_template"], options["layout"]),
    }
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in options.items() if value is not None and name in known})


def read_login(asked: Mapping[str, str]) -> "Login":
    """Return where XNAT is and who asks, from what was given, netrc or a prompt.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.job import Login  # noqa: PLC0415  as above

    host = cli.checked_host(asked.get("host"))
    return Login(host, *cli.credentials(host, asked.get("user"), asked.get("password")))


def plan_only(job: "Job", login: "Login | None") -> int:
    """Show what a run would do."""
    from tcia_xnat import job as to_xnat  # noqa: PLC0415  as above
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.folder import job as to_disk  # noqa: PLC0415  as above

    if isinstance(job, to_disk.FolderJob):
        prepared, where = to_disk.dry_run(job, Stop()), f"folder {job.output_dir}"
    else:
        prepared = to_xnat.dry_run(job, login, Stop())
        where = f"project {job.project}" if login else "a project that holds nothing yet (no XNAT was asked)"
    report.summary.console().print(report.summary.plan_summary(prepared, where))
    return report.plan_exit_code(prepared.plan)


def carry_out(job: "Job", asked: Mapping[str, str], *, quiet: bool) -> int:
    """Run the job, show how it goes and what came of it."""
    from tcia_xnat import job as to_xnat  # noqa: PLC0415  as above
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.folder import job as to_disk  # noqa: PLC0415  as above
    from tcia_xnat.progress import Lines  # noqa: PLC0415  as above

    stop = Stop()
    stop.on_signals()
    tell = Lines((lambda _line: None) if quiet else functools.partial(click.echo, err=True))
    if isinstance(job, to_disk.FolderJob):
        done = to_disk.run(job, stop, tell, report.write)
    else:
        done = to_xnat.run(job, read_login(asked), stop, tell, report.write)
    report.summary.console().print(report.summary.summary(done))
    if done.result.ended_by:
        cli.say_error(done.result.ended_by)
    return report.exit_code(done.result)


if __name__ == "__main__":
    download()
