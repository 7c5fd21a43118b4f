"""`convert`: lists of series of any form, several at once too, into one of the forms that other programs read."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from tcia_xnat import cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.cli.options import column_option
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.words import counted

_FORMS = (".tcia", ".csv", ".s5cmd")


@click.command(cls=Command, context_settings=cli.CONTEXT)
@click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True)
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--idc-index", metavar="FILE", help="Another parquet in the place of IDC's embedded index.")
@column_option
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@cli.reports_errors
def convert(manifests: Sequence[str], output: Path, *, idc_index: str | None, column: str) -> int:
    """Write the series of all MANIFESTs to OUTPUT, each once, in the form of its ending.

    .tcia is for TCIA's retrievers, .csv has what IDC's index knows of each series, .s5cmd are the commands that copy
    them from IDC. Studies and folders become their series. Series that IDC's index does not list are in a .tcia and
    a .csv by their UID, and named in comments of an .s5cmd.
    """
    from tcia_xnat.core.retry import Patience, RetryPolicy  # noqa: PLC0415  as above
    from tcia_xnat.manifest import passed_over, write_tcia  # noqa: PLC0415  as above
    from tcia_xnat.request.requested import parts, read_each  # noqa: PLC0415  --help need not wait for it

    if output.suffix.lower() not in _FORMS:
        raise UsageError(f"{output} ends with none of {', '.join(_FORMS)}", "the ending says which form is written")
    listed = [part for manifest in manifests for part in parts(manifest)]
    asked = read_each(listed, idc_index, Patience(RetryPolicy(), time.sleep), column=column)
    uids, unknown = asked.series_instance_uids, (*asked.crdc_series_uuids, *asked.study_instance_uids)
    is_tcia = output.suffix.lower() == ".tcia"
    cli.write_result(str(output), write_tcia(uids, output.name) if is_tcia else as_table(uids, output, idc_index))
    left_out = (f"{uid} is not in IDC's index, and left out" for uid in unknown)
    for line in (*(one.text for one in asked.read), *passed_over(asked.rejected), *left_out):
        click.echo(line, err=True)
    click.echo(f"{len(uids)} series in {output}, {counted(asked.duplicates, 'line')} named one of them again", err=True)
    return ExitCode.MISSING if unknown else ExitCode.DONE


def as_table(uids: Sequence[str], output: Path, idc_index: str | None) -> str:
    """Return series with what the index knows of them, in the form of the output's ending."""
    from tcia_xnat.core.model import Series  # noqa: PLC0415  as above
    from tcia_xnat.manifest import write_csv, write_s5cmd  # noqa: PLC0415  as above
    from tcia_xnat.sources.idc.client import IDCClient  # noqa: PLC0415  as above

    with closing(IDCClient(index=idc_index)) as idc:
        known = {series.series_instance_uid: series for series in idc.find_series(uids)}
    series = [known.get(uid, Series(uid, "", "")) for uid in uids]
    return write_csv(series) if output.suffix.lower() == ".csv" else write_s5cmd(series)
