"""What to cite for a choice of series."""

from contextlib import closing

import click

from tcia_xnat.citations import Citations
from tcia_xnat.clients.database import Database
from tcia_xnat.clients.idc_selection import Selection
from tcia_xnat.clients.idc_tables import dois
from tcia_xnat.doi import IDC_PAPER, CitationFormat
from tcia_xnat.errors import UsageError
from tcia_xnat.query.options import Target

_BETWEEN = {CitationFormat.CSL_JSON: ",\n"}


def cite(  # noqa: PLR0913  what is asked, where it goes, and in which form
    database: Database,
    selection: Selection,
    target: Target,
    form: CitationFormat,
    doi_url: str,
    *,
    with_idc: bool,
) -> int:
    """Write the citation of every DOI, and of IDC's own paper, to stdout or a file of any name.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    found = [row[0] for row in database.ask(dois(selection)).rows][: target.limit]
    if not found:
        click.echo("nothing fits", err=True)
        return 0
    with closing(Citations(doi_url)) as citations:
        texts = [citations.text(doi, form) for doi in (*found, *((IDC_PAPER,) if with_idc else ()))]
    if citations.problem:
        click.echo(f"some are bare DOIs: {citations.problem}", err=True)
    text = "\n".join(texts)
    if target.path is None:
        click.echo(text)
        return 0
    try:
        target.path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target.path} cannot be written: {error.strerror}", "choose another file") from error
    return 0
