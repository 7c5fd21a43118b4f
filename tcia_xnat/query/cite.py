"""What to cite for a choice of series."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import click

from tcia_xnat.core.doi import IDC_PAPER, CitationFormat, bare_doi
from tcia_xnat.core.errors import UsageError
from tcia_xnat.query.options import Target
from tcia_xnat.report.citation import citation, datasets, entry
from tcia_xnat.sources.citations import Citations
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.selection import Selection
from tcia_xnat.sources.idc.tables import dois


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
    wanted = (*found, *((IDC_PAPER,) if with_idc else ()))
    with closing(Citations(doi_url)) as service:
        text = "\n".join(_texts(wanted, form, service))
    if service.problem:
        click.echo(f"some are not in the words of the DOI service: {service.problem}", err=True)
    if target.path is None:
        click.echo(text)
        return 0
    try:
        target.path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target.path} cannot be written: {error.strerror}", "choose another file") from error
    return 0


def _texts(wanted: Sequence[str], form: CitationFormat, service: Citations) -> Iterator[str]:
    """Yield each citation: in plain words as the report has it, other forms as the DOI service gives them.

    What the service does not give comes from IDC's index where it can.
    """
    known = datasets(wanted)
    for doi in wanted:
        if form is CitationFormat.APA and doi in known:
            yield citation(doi, known[doi])
            continue
        text = service.text(doi, form)
        is_bare = text == bare_doi(doi)
        yield entry(doi, known.get(doi)) if is_bare and form is CitationFormat.BIBTEX else text
