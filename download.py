#!/usr/bin/env python3
"""The main job: the series of a manifest from IDC and TCIA into a project of XNAT, or to disk."""

if __name__ == "__main__":
    from tcia_xnat.core.installed import require_libraries

    require_libraries()  # before any of them is imported

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.cli.options import column_option, common_options, dry_run_option, source_option, view_options
from tcia_xnat.core import licenses, streams
from tcia_xnat.core.errors import ManifestError, UsageError
from tcia_xnat.core.exit_codes import exit_help

if TYPE_CHECKING:
    from tcia_xnat.jobs.tcia_to_xnat import Job, Login

READY = Path(__file__).resolve().parent / "resources" / "TCIA"
ARGUMENTS = ("manifest", "output_dir", "project", "host", "user", "password")
VARIABLES = {"host": "XNAT_HOST", "user": "XNAT_USER", "password": "XNAT_PASS"}
USAGE = "download.py MANIFEST OUTPUT_DIR [PROJECT [HOST [USER [PASSWORD]]]]"


@click.command(cls=Command, context_settings=cli.CONTEXT, epilog=exit_help())
@click.argument("given", nargs=-1, metavar=" ".join(f"[{name.upper()}]" for name in ARGUMENTS))
@dry_run_option
@click.option("--check", is_flag=True, help="Only look whether a run would succeed; every argument may be left out.")
@source_option
@click.option(
    "--query",
    default="",
    show_default=False,
    metavar="SQL",
    help="In the place of MANIFEST: SELECT SeriesInstanceUID FROM index ….",
)
@column_option
@click.option("--layout", type=click.Choice(["classic", "zips"]), help="On disk: as the NBIA Data Retriever, or zips.")
@click.option(
    "--dir-template", help="On disk: folder of a series; '' is OUTPUT_DIR.  [default: %collection_id/…, see README]"
)
@click.option("--verify", is_flag=True, help="Compare what is on disk, or in PROJECT, and move nothing.")
@click.option("--check-geometry", is_flag=True, help="With --verify on disk: whether slices make whole volumes.")
@click.option("--one-way", is_flag=True, help="With --verify: what is there beyond MANIFEST is no difference.")
@view_options
@common_options
@cli.reports_errors
def download(given: tuple[str, ...], *, dry_run: bool, check: bool, verify: bool, **options: Any) -> int:  # noqa: ANN401  click names and checks them
    """Bring the series of MANIFEST from IDC and TCIA into PROJECT of the XNAT at HOST, or to disk without a PROJECT.

    MANIFEST is a file, several with commas between, or - for stdin: a .tcia, an s5cmd list, a CSV, TSV, XLSX or JSON
    with a column of series or studies, a table of PET/CT pairs (both series of each are brought), or a list of UIDs.
    In its place: what IDC's index lists, a collection, patients, studies or series, with commas between.

    Each series is proved complete before XNAT gets it, each study is archived once, and the same command again
    continues where it was. OUTPUT_DIR keeps the state and the report. HOST, USER and PASSWORD may come from
    XNAT_HOST, XNAT_USER and XNAT_PASS, or from ~/.netrc; each option from a variable, --transfers from
    TCIA_XNAT_TRANSFERS. Without arguments the manifests at hand are listed.

    With --check: download.py --check [MANIFEST OUTPUT_DIR] [PROJECT [HOST [USER [PASSWORD]]]]; the first argument is
    taken as MANIFEST if it is a file. It stores a small file in PROJECT and removes it, and changes nothing else.
    """
    cli.warn_of_unknown_variables()
    modes = {"dry_run": dry_run, "check": check, "verify": verify}
    if check:
        return check_only(given, options, modes)
    if not given and not options["query"]:
        return list_manifests([READY, Path.cwd()])
    asked = read_arguments(given, options["query"])
    refuse_idle(asked, options, modes)
    job = read_job(asked, options, whole=not dry_run, typed=typed(given, options["query"]))
    if dry_run:
        return plan_only(job, read_login(asked) if job.project and asked.get("host") else None, options)
    if verify:
        return compare(job, asked, options)
    return carry_out(job, asked, options)


def check_only(given: Sequence[str], options: dict[str, Any], modes: Mapping[str, bool]) -> int:
    """Show what would keep a run from succeeding."""
    from tcia_xnat import preflight  # noqa: PLC0415  --help need not wait for it

    names = preflight.names(given, ARGUMENTS)
    asked = read_arguments([*[""] * ARGUMENTS.index(names[0]), *given], "")
    asked = {name: value for name, value in asked.items() if value}
    refuse_idle(asked, options, modes)
    job = read_job(asked, options, whole=False)
    findings = preflight.check_up(preflight.Asked(job, preflight.login(asked)))
    if options["format"] == "text":
        return preflight.show_lines(findings, sys.stdout)
    found = list(findings)
    click.echo(preflight.as_json(found))
    return preflight.exit_code(found)


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


def typed(given: Sequence[str], query: str) -> tuple[str, ...]:
    """Return what the command that continues needs beside MANIFEST, OUTPUT_DIR and PROJECT."""
    names = ARGUMENTS[1:] if query else ARGUMENTS
    host = [word for name, word in zip(names, given, strict=False) if name == "host"]
    return (*host, *cli.typed_options("query", "limit", "shard"))  # failed.tcia is a part already


def refuse_idle(asked: Mapping[str, str], options: dict[str, Any], modes: Mapping[str, bool]) -> None:
    """Refuse options on the command line that cannot have an effect on what is asked for.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.jobs import effect  # noqa: PLC0415  as above

    to = effect.Destination
    destination = to.XNAT if "project" in asked else to.DISK if "output_dir" in asked else to.OPEN
    mode = effect.Mode(destination=destination, source=options["source"], zipped=options["layout"] == "zips", **modes)
    effect.refuse_idle(cli.typed_names(), mode)


def read_job(asked: Mapping[str, str], options: dict[str, Any], *, whole: bool, typed: tuple[str, ...] = ()) -> "Job":
    """Return the job that the command line asks for; a dry run needs no folder and no project.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.cli.given import source_settings  # noqa: PLC0415  as above
    from tcia_xnat.destinations.disk.layout import layout_of  # noqa: PLC0415  as above
    from tcia_xnat.jobs.tcia_to_disk import FolderJob  # noqa: PLC0415  as above
    from tcia_xnat.jobs.tcia_to_xnat import Job  # noqa: PLC0415  as above

    folder, project = asked.get("output_dir"), asked.get("project")
    if whole and not folder:
        raise UsageError("OUTPUT_DIR is missing", USAGE)
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"OUTPUT_DIR {folder} is a file", USAGE)
    settings = source_settings(options)
    what = {"manifest": asked.get("manifest", ""), "query": options["query"]}
    layout, output_dir = layout_of(options["dir_template"], options["layout"]), Path(folder or ".")
    if folder and project is None:
        return FolderJob(**settings, **what, output_dir=output_dir, layout=layout, typed=typed)
    checked = "" if project is None else cli.checked_project(project)
    return Job(**settings, **what, output_dir=output_dir, project=checked, typed=typed)


def read_login(asked: Mapping[str, str]) -> "Login":
    """Return where XNAT is and who asks; see `cli.read_login`."""
    return cli.read_login(asked.get("host"), asked.get("user"), asked.get("password"))


def plan_only(job: "Job", login: "Login | None", options: dict[str, Any]) -> int:
    """Show what a run would do."""
    from tcia_xnat import plan_view, report  # noqa: PLC0415  as above
    from tcia_xnat.console import terminal  # noqa: PLC0415  as above
    from tcia_xnat.jobs import tcia_to_disk as to_disk  # noqa: PLC0415  as above
    from tcia_xnat.jobs import tcia_to_xnat as to_xnat  # noqa: PLC0415  as above

    if isinstance(job, to_disk.FolderJob):
        prepared, where = to_disk.dry_run(job, cli.stop_of_command()), f"folder {job.output_dir}"
    else:
        prepared = to_xnat.dry_run(job, login, cli.stop_of_command())
        where = f"project {job.project}" if login else "a project that holds nothing yet (no XNAT was asked)"
    if text := licenses.warning(licenses.non_commercial(prepared.plan.send)):
        cli.say_warning(text)
    rate = options["rate"] and options["rate"] * 1e6
    if options["format"] == "json":
        click.echo(plan_view.as_json(prepared, job, asked_xnat=login is not None, rate=rate))
    else:
        tables = plan_view.as_tables(prepared, job, where, rate=rate, whole=options["all"])
        terminal.results(sys.stdout).print(tables)
    return report.plan_exit_code(prepared.plan)


def compare(job: "Job", asked: Mapping[str, str], options: dict[str, Any]) -> int:
    """Show what is there beside what was asked for."""
    from tcia_xnat.jobs.tcia_to_disk import FolderJob  # noqa: PLC0415  as above
    from tcia_xnat.verify import job as verify  # noqa: PLC0415  as above
    from tcia_xnat.verify import report  # noqa: PLC0415  as above

    stop, one_way = cli.stop_of_command(), options["one_way"]
    if isinstance(job, FolderJob):
        done = verify.verify_disk(job, stop, geometry=options["check_geometry"], one_way=one_way)
    else:
        done = verify.verify_archive(job, read_login(asked), stop, one_way=one_way, report=report.write)
    with streams.forgiving(sys.stdout):
        for line in () if options["quiet"] else report.lines(done):
            click.echo(line)
        click.echo(report.verdict(done))
    report.write(done)
    failed = report.failed_list(done)
    with streams.forgiving(sys.stdout):
        click.echo(f"Report: {job.report_dir / 'verify.html'}; verify.json and verify.csv beside it")
        if failed:
            click.echo(f"What is to be asked for again: {failed}")
    return report.exit_code(done)


def carry_out(job: "Job", asked: Mapping[str, str], options: dict[str, Any]) -> int:
    """Run the job, show how it goes and what came of it."""
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.jobs import tcia_to_disk as to_disk  # noqa: PLC0415  as above
    from tcia_xnat.jobs import tcia_to_xnat as to_xnat  # noqa: PLC0415  as above

    shown = {"quiet": options["quiet"], "log_json": options["log_json"]}
    if isinstance(job, to_disk.FolderJob):
        return cli.carry_out(lambda stop, tell: to_disk.run(job, stop, tell, report.write), **shown)
    login = read_login(asked)
    return cli.carry_out(lambda stop, tell: to_xnat.run(job, login, stop, tell, report.write), **shown)


if __name__ == "__main__":
    download()
