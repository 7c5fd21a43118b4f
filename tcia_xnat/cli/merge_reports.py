"""`merge-reports`: the reports of shards, or of several runs, as one."""

from pathlib import Path

import click

from tcia_xnat import cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.core.exit_codes import ExitCode, exit_help


@click.command(
    "merge-reports",
    cls=Command,
    context_settings=cli.CONTEXT,
    epilog=exit_help(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.MISSING,
        missing="some series are not there or a part is missing; or the code that all failed runs share",
    ),
)
@click.argument("reports", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the merged report.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@cli.reports_errors
def merge_reports(reports: tuple[Path, ...], output: Path) -> int:
    """Merge REPORTS, folders with a report.json, into one report: those of all shards, or of several runs.

    The folder gets all files of a report, and failed.tcia with what is in none of them. Of a series that several have,
    the run that ended last counts. A part of a list that is in no report is named, and its series are missing.
    """
    from tcia_xnat.report.files import write_files  # noqa: PLC0415  --help need not wait for it
    from tcia_xnat.report.merge import merge, notes, pictures_beside  # noqa: PLC0415  as above
    from tcia_xnat.report.read import read_document  # noqa: PLC0415  as above

    documents = [read_document(report) for report in reports]
    merged = merge(documents, output)
    for note in notes(documents):
        cli.say_warning(note)
    write_files(merged, output, [folder for report in reports for folder in pictures_beside(report / "report.json")])
    click.echo(merged["verdict"])
    click.echo(f"Report: {output / 'report.html'}")
    return int(merged["exit_code"])
