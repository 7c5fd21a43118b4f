#!/usr/bin/env python3
"""The main job: the series of a manifest from IDC and TCIA into a project of XNAT."""

import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import cli
from tcia_xnat.errors import UsageError
from tcia_xnat.stop import Stop

if TYPE_CHECKING:
    from tcia_xnat.job import Job, Login

READY = Path(__file__).resolve().parent / "resources" / "TCIA"


@click.command(context_settings=cli.CONTEXT)
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@click.argument("output_dir", required=False)
@click.argument("project", required=False)
@click.argument("host", required=False, envvar="XNAT_HOST")
@click.argument("user", required=False, envvar="XNAT_USER")
@click.argument("password", required=False, envvar="XNAT_PASS")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--check", is_flag=True, help="Only look whether a run would succeed; every argument may be left out.")
@click.option(
    "--source",
    type=click.Choice(["auto", "idc", "nbia"]),
    default="auto",
    help="Where images come from; auto asks IDC first, NBIA for the rest.",
)
@cli.view_options
@cli.common_options
@cli.reports_errors
def download(manifest: Path | None, *, dry_run: bool, check: bool, quiet: bool, **options: Any) -> int:  # noqa: ANN401  click names and checks them
    """Bring the series of MANIFEST from IDC and TCIA into PROJECT of the XNAT at HOST.

    Each series is proved complete before XNAT gets it, each study is archived once, and the same command again
    continues where it was. OUTPUT_DIR keeps the state and the report. HOST, USER and PASSWORD may come from
    XNAT_HOST, XNAT_USER and XNAT_PASS, or from ~/.netrc; each option from a variable, --transfers from
    TCIA_XNAT_TRANSFERS. Without arguments the manifests at hand are listed.

    With --check: download.py --check [MANIFEST OUTPUT_DIR] [PROJECT [HOST [USER [PASSWORD]]]]; the first argument is
    taken as MANIFEST if it is a file. It stores a small file in PROJECT and removes it, and changes nothing else.

    Exit: 0 all series are in the archive, 1 unexpected, 2 usage or manifest, 3 some series are not in, 4 source
    unreachable, 5 XNAT unreachable or login or rights refused, 6 not enough space, 130 and 143 stopped.
    """
    if check:
        return check_only(options["format"])
    if manifest is None:
        return list_manifests([READY, Path.cwd()])
    host, user, password = (options.pop(name) for name in ("host", "user", "password"))
    job = read_job(manifest, options, whole=not dry_run)
    if dry_run:
        return plan_only(job, read_login(host, user, password) if host and job.project else None, options)
    return carry_out(job, read_login(host, user, password), quiet=quiet, log_json=options["log_json"])


def check_only(output_format: str) -> int:
    """Show what would keep a run from succeeding."""
    from tcia_xnat import check_up  # noqa: PLC0415  as below

    asked = check_up.asked(click.get_current_context(), lambda options: read_job(Path(), options, whole=False))
    findings = check_up.check_up(asked)
    if output_format == "text":
        return check_up.show_lines(findings, sys.stdout)
    found = list(findings)
    click.echo(check_up.as_json(found))
    return check_up.exit_code(found)


def list_manifests(folders: Iterable[Path]) -> int:
    """Show the manifests at hand, each with the number of its series."""
    from tcia_xnat.manifest import find, read  # noqa: PLC0415  --help need not wait for it

    for path in dict.fromkeys(find(folders)):
        click.echo(f"{len(read(path).series_instance_uids):>8} series  {path}")
    click.echo("Usage: download.py MANIFEST OUTPUT_DIR PROJECT [HOST [USER [PASSWORD]]]; more with --help", err=True)
    return 0


def read_job(manifest: Path, options: dict[str, Any], *, whole: bool) -> "Job":
    """Return the job that the command line asks for; a dry run needs no folder and no project.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.job import Job  # noqa: PLC0415  as above
    from tcia_xnat.plan import Existing  # noqa: PLC0415  as above

    if whole and not (options["output_dir"] and options["project"]):
        raise UsageError(
            "OUTPUT_DIR and PROJECT are missing", "download.py MANIFEST OUTPUT_DIR PROJECT [HOST [USER [PASSWORD]]]"
        )
    if Path(options["output_dir"] or "").is_file():
        raise UsageError(f"OUTPUT_DIR {options['output_dir']} is a file", "name a folder, there or not")
    options |= {
        "manifest": manifest,
        "output_dir": Path(options["output_dir"] or ""),
        "project": cli.checked_project(options["project"]) if options["project"] else "",
        "shard": cli.parsed_shard(options["shard"]),
        "existing": Existing(options["existing"]),
    }
    known = {field.name for field in fields(Job)}
    return Job(**{name: value for name, value in options.items() if value is not None and name in known})


def read_login(host: str | None, user: str | None, password: str | None) -> "Login":
    """Return where XNAT is and who asks, from what was given, netrc or a prompt.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.job import Login  # noqa: PLC0415  as above

    host = cli.checked_host(host)
    return Login(host, *cli.credentials(host, user, password))


def plan_only(job: "Job", login: "Login | None", options: dict[str, Any]) -> int:
    """Show what a run would do."""
    from tcia_xnat import plan_view, report  # noqa: PLC0415  as above
    from tcia_xnat.job import dry_run  # noqa: PLC0415  as above

    prepared = dry_run(job, login, Stop())
    shown: dict[str, Any] = {"asked_xnat": login is not None, "rate": options["rate"] and options["rate"] * 1e6}
    if options["format"] == "json":
        click.echo(plan_view.as_json(prepared, job, **shown))
    else:
        tables = plan_view.as_tables(prepared, job, **shown, whole=options["all"])
        report.summary.console(sys.stdout).print(tables)
    return report.plan_exit_code(prepared.plan)


def carry_out(job: "Job", login: "Login", *, quiet: bool, log_json: str | None) -> int:
    """Run the job, show how it goes and what came of it."""
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.events import Ended  # noqa: PLC0415  as above
    from tcia_xnat.job import run  # noqa: PLC0415  as above
    from tcia_xnat.progress.watch import watch  # noqa: PLC0415  as above

    stop = Stop()
    stop.on_signals()
    with watch(quiet=quiet, debug=cli.debugging(), log_json=log_json) as tell:
        done = run(job, login, stop, tell, report.write)
        code = report.exit_code(done.result)
        tell(Ended(code, report.verdict(done.result, archive=job.archive), done.result.ended_by))
    report.summary.console(sys.stderr if log_json == "-" else sys.stdout).print(report.summary.summary(done))
    if done.result.ended_by:
        cli.say_error(done.result.ended_by)
    return code


if __name__ == "__main__":
    download()
