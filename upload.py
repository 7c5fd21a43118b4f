#!/usr/bin/env python3
"""DICOM that is on disk, as trees of folders or zips, into a project of XNAT."""

if __name__ == "__main__":
    from tcia_xnat.core.installed import require_libraries

    require_libraries()  # before any of them is imported

import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.cli.options import run_options
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.exit_codes import ExitCode, exit_help

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcia_xnat.jobs.disk_to_xnat import Upload
    from tcia_xnat.planning.settings import Login
    from tcia_xnat.sources.local.choice import Filters
    from tcia_xnat.sources.local.model import PassedOver
    from tcia_xnat.sources.local.tree import Tree
    from tcia_xnat.transfer.work import Prepared

_USAGE = "upload.py ROOT PROJECT [HOST [USER [PASSWORD]]], or upload.py HOST USER PASSWORD PROJECT ROOT"
_ALL = 5  # arguments
_WHO = ("XNAT_HOST", "XNAT_USER", "XNAT_PASS")


@click.command(
    cls=Command,
    context_settings=cli.CONTEXT,
    epilog=exit_help(*(code for code in ExitCode if code is not ExitCode.SOURCE)),
)
@click.argument("arguments", nargs=-1, metavar="ROOT PROJECT [HOST [USER [PASSWORD]]]")
@click.option("--dry-run", "-n", is_flag=True, help="Show which folder becomes what, and change nothing.")
@click.option(
    "--layout",
    type=click.Choice(["folders", "zips", "headers", "mapping"]),
    help="Where names come from: ROOT/subject/session/…, img.zip as downloaders leave them, headers, or a mapping."
    "  [default: what the tree looks like]",
)
@click.option(
    "--mapping",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="CSV of path, subject, session; paths as they are below ROOT.",
)
@click.option(
    "--zipmode",
    type=click.Choice(["nozip", "asis", "process"]),
    help="Zips: left out, sent with all that is in them, or opened and filtered as other files."
    "  [default: nozip where folders name sessions, else process]",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help='JSON as {"Exclude": ["Localizers"]}: names of folders below the session.',
)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Leave out: a path, one of its names, or a SeriesDescription."
)
@click.option("--include", multiple=True, metavar="PATTERN", help="Take only what one of these fits.")
@click.option("--modality", multiple=True, metavar="CT[,MR…]", help="Take only these.")
@click.option(
    "--allow-unmatched",
    is_flag=True,
    help="Go on although an --exclude, --include, --modality or name of --config fits nothing.",
)
@click.option("--partial", is_flag=True, help="Leave out what the mapping does not name; else that ends with 3.")
@click.option("--keep-paths", is_flag=True, help="Keep paths and names of files in XNAT, too; else on disk alone.")
@click.option("--follow-links", is_flag=True, help="Follow links that lead out of ROOT; else they are named and left.")
@click.option(
    "--workdir",
    type=click.Path(file_okay=False, path_type=Path),
    default="xnat-upload",
    help="Folder of the state and the report.",
)
@run_options
@cli.reports_errors
def upload(arguments: Sequence[str], *, dry_run: bool, **options: Any) -> int:  # noqa: ANN401  click names and checks them
    """Bring the DICOM files of the tree ROOT into PROJECT of the XNAT at HOST.

    HOST USER PASSWORD PROJECT ROOT is understood as well. HOST, USER and PASSWORD may come from XNAT_HOST, XNAT_USER
    and XNAT_PASS, or from ~/.netrc; each option from a variable, --transfers from TCIA_XNAT_TRANSFERS. ROOT is a
    folder, a zip, or a CSV of path, subject and session beside what it names; nothing in it is changed. The same
    command again continues where it was.
    """
    cli.warn_of_unknown_variables()
    warnings.filterwarnings("ignore", module="pydicom")  # what is odd in a header is said once, in the report
    root, project, *who = _in_order(arguments)
    host, user, password = (given or os.environ.get(name) for given, name in zip(who, _WHO, strict=True))
    asked = read_upload(root, project, who[0], options, whole=not dry_run)
    if dry_run:
        return plan_only(
            asked, cli.read_login(host, user, password) if host and project else None, quiet=options["quiet"]
        )
    return carry_out(asked, cli.read_login(host, user, password), options)


def read_upload(root: str, project: str, host: str, options: dict[str, Any], *, whole: bool) -> "Upload":
    """Return the upload that the command line asks for; a dry run needs no project.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.cli.given import run_settings  # noqa: PLC0415  --help need not wait for it
    from tcia_xnat.jobs.disk_to_xnat import Upload  # noqa: PLC0415  as above
    from tcia_xnat.sources.local.choice import ZipMode  # noqa: PLC0415  as above
    from tcia_xnat.sources.local.layout import Layout  # noqa: PLC0415  as above

    if whole and not project:
        raise UsageError("PROJECT is missing", _USAGE)
    zip_mode, layout = options["zipmode"], options["layout"]
    return Upload(
        **run_settings(options),
        root=Path(root),
        project=cli.checked_project(project) if project else "",
        output_dir=options["workdir"],
        layout=Layout(layout) if layout else None,
        zip_mode=ZipMode(zip_mode) if zip_mode else None,
        mapping=options["mapping"],
        filters=read_filters(options),
        follow_links=options["follow_links"],
        partial=options["partial"],
        allow_unmatched=options["allow_unmatched"],
        keep_paths=options["keep_paths"],
        typed=(root, project, *filter(None, [host]), *cli.typed_options()),
    )


def read_filters(options: dict[str, Any]) -> "Filters":
    """Return what is to be left out.

    Raises
    ------
    UsageError
    """
    from tcia_xnat.sources.local.choice import Filters, read_excluded_folders  # noqa: PLC0415  as above

    return Filters(
        read_excluded_folders(options["config"]) if options["config"] else (),
        options["exclude"],
        options["include"],
        tuple(_modality(one) for given in options["modality"] for one in given.split(",") if one.strip()),
    )


def _modality(name: str) -> str:
    """Return a modality as DICOM calls it: PET is PT."""
    upper = name.strip().upper()
    return "PT" if upper == "PET" else upper


def plan_only(upload: "Upload", login: "Login | None", *, quiet: bool) -> int:
    """Show what an upload would do."""
    from tcia_xnat.console.terminal import results  # noqa: PLC0415  as above
    from tcia_xnat.jobs.disk_to_xnat import dry_run  # noqa: PLC0415  as above
    from tcia_xnat.plan_view import upload as upload_plan  # noqa: PLC0415  as above
    from tcia_xnat.progress.watch import watch  # noqa: PLC0415  as above

    codes: list[int] = []

    def show(prepared: "Prepared", tree: "Tree", passed_over: "Iterable[PassedOver]") -> None:
        shown = upload_plan.plan_summary(prepared, tree, passed_over, upload.project, asked_xnat=login is not None)
        results(sys.stdout).print(shown)
        codes.append(upload_plan.exit_code(prepared, tree))

    with watch(quiet=quiet, debug=cli.debugging()) as tell:
        dry_run(upload, login, cli.stop_of_command(), tell, show)
    return codes[0]


def carry_out(upload: "Upload", login: "Login", options: dict[str, Any]) -> int:
    """Do the upload, show how it goes and what came of it."""
    from tcia_xnat import report  # noqa: PLC0415  as above
    from tcia_xnat.jobs.disk_to_xnat import run  # noqa: PLC0415  as above

    return cli.carry_out(
        lambda stop, tell: run(upload, login, stop, tell, report.write),
        quiet=options["quiet"],
        log_json=options["log_json"],
    )


def _in_order(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return ROOT, PROJECT, HOST, USER, PASSWORD, those that are not given empty.

    Raises
    ------
    UsageError
    """
    given = list(arguments)
    if given and re.match(r"https?://", given[0]):
        if len(given) != _ALL:
            raise UsageError("after an address come USER, PASSWORD, PROJECT and ROOT", _USAGE)
        host, user, password, project, root = given
        return root, project, host, user, password
    if not given or len(given) > _ALL:
        raise UsageError("too many arguments" if given else "ROOT and PROJECT are missing", _USAGE)
    return tuple([*given, *[""] * _ALL][:_ALL])


if __name__ == "__main__":
    upload()
