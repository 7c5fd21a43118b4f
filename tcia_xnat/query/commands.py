"""The commands of query.py; what they ask is in `clients/idc_tables.py`, where the answer goes in `output.py`."""

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcia_xnat import __version__, cli
from tcia_xnat.core.doi import DOI_URL, CitationFormat
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.exit_codes import ExitCode, exit_help
from tcia_xnat.core.variables import PREFIX
from tcia_xnat.query.group import Commands
from tcia_xnat.query.options import Place, Target, asks
from tcia_xnat.sources.idc.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcia_xnat.sources.idc.database import Database
    from tcia_xnat.sources.idc.questions import Query

_SEARCHED = ("collection_id", "PatientID", "Modality", "SeriesDescription", "instanceCount", "bytes")
_LISTED = ("PatientID", "StudyDate", "Modality", "SeriesNumber", "SeriesDescription", "instanceCount")


@click.group(
    cls=Commands,
    context_settings=cli.CONTEXT | {"auto_envvar_prefix": None},
    epilog=exit_help(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.SOURCE,
        done="answered, also when nothing fits all filters together",
        usage="usage, or a value that no series has",
        source="TCIA's server unreachable",
    ),
)
@click.version_option(__version__, prog_name="xnat-tcia-download")
def query() -> None:
    """Find series at IDC and TCIA: tables, lists for download.py, what to cite.

    IDC's index is embedded: it answers in a second, without a network. Answers go to a table on a terminal, to -o FILE
    by its ending, or down a pipe as a list:

    \b
        query.py search --collection CPTAC-CCRCC --modality CT --age-max 50
        query.py search -c lidc_idri --limit 10 | download.py - output PROJECT
    """  # noqa: D301  \b is click's sign for lines to leave as they are


@query.command()
@asks()
def collections(selection: Selection, place: Place, target: Target) -> int:
    """List collections: what they hold, their modalities, licences and DOIs."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  --help need not wait for DuckDB
    from tcia_xnat.sources.idc.questions import Query  # noqa: PLC0415  as above

    if place.source == "nbia" and selection.is_empty:
        return _show(lambda _chosen: Query("FROM collections_index ORDER BY ALL"), (), selection, place, target)

    def named(chosen: Selection) -> "Query":
        join = "AS counted LEFT JOIN collections_index AS named USING (collection_id) ORDER BY collection_id"
        return idc_tables.collections(chosen).within(
            "SELECT collection_id, collection_name, counted.* EXCLUDE (collection_id)", join
        )

    shown = ("collection_id", "patients", "studies", "series", "bytes", "modalities", "licences")
    return _show(named, ("collection_id",), selection, place, target, shown, is_information=True)


@query.command()
@asks()
def patients(selection: Selection, place: Place, target: Target) -> int:
    """List patients, each with what there is of them."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    return _show(idc_tables.patients, ("collection_id", "PatientID"), selection, place, target)


@query.command()
@asks()
def studies(selection: Selection, place: Place, target: Target) -> int:
    """List studies, each patient's in the order of their dates."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    shown = ("PatientID", "StudyInstanceUID", "StudyDate", "StudyDescription", "series", "bytes", "modalities")
    return _show(idc_tables.studies, ("StudyInstanceUID",), selection, place, target, shown)


@query.command()
@asks()
def series(selection: Selection, place: Place, target: Target) -> int:
    """List series as they follow in their studies."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    shown = (*_LISTED, "SeriesInstanceUID")
    return _show(idc_tables.series, ("SeriesInstanceUID",), selection, place, target, shown)


@query.command()
@asks()
def search(selection: Selection, place: Place, target: Target) -> int:
    """Find series by any combination of filters."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    shown = (*_SEARCHED, "SeriesInstanceUID")
    return _show(idc_tables.series, ("SeriesInstanceUID",), selection, place, target, shown)


@query.command()
@asks()
def sizes(selection: Selection, place: Place, target: Target) -> int:
    """Say how much it is, by collection and all together."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    return _show(idc_tables.sizes, (), selection, place, target)


@query.command()
@asks()
def licences(selection: Selection, place: Place, target: Target) -> int:
    """List the licences, with the DOIs to cite."""
    from tcia_xnat.sources.idc import tables as idc_tables  # noqa: PLC0415  as above

    return _show(idc_tables.licences, (), selection, place, target)


@query.command()
@click.option(
    "--style", type=click.Choice([form.value for form in CitationFormat]), default="apa", help="In which form."
)
@click.option("--doi-url", metavar="URL", default=DOI_URL, envvar=f"{PREFIX}_DOI_URL", help="Where DOIs are resolved.")
@asks()
def citations(selection: Selection, place: Place, target: Target, style: str, doi_url: str) -> int:
    """Cite: in the words of the report, or in the form that the DOI service gives.

    Plain citations, and BibTeX without a network, come from IDC's index.
    """
    from tcia_xnat.query.cite import cite  # noqa: PLC0415  as above

    _some(selection)
    with _opened(place, selection, None) as (database, chosen):
        return cite(database, chosen, target, CitationFormat(style), doi_url, with_idc=place.source == "idc")


@query.command()
@click.argument("uids", nargs=-1, metavar="[UID]...")
@asks()
def viewer(uids: tuple[str, ...], selection: Selection, place: Place, target: Target) -> int:
    """Show in a browser: addresses of studies or series by UID, or of the studies selected."""
    from tcia_xnat.query.output import Table, part_of, put_out  # noqa: PLC0415  as above
    from tcia_xnat.query.view import literal, viewers  # noqa: PLC0415  as above

    if place.source == "nbia":
        raise UsageError("TCIA has no viewer for what is not at IDC", "leave --source nbia out")
    if not uids:
        _some(selection)
    with _opened(place, selection, part_of(target.path)) as (database, chosen):
        found = viewers(database, chosen, uids)
        if target.path or target.form:
            table = literal(("StudyInstanceUID", "SeriesInstanceUID", "address"), found)
            return put_out(database, Table(table), target)
    for *_, address in found[: target.limit]:
        click.echo(address)
    return 0


@query.command()
@click.argument("select")
@asks(selects=False)
def sql(select: str, selection: Selection, place: Place, target: Target) -> int:
    """Answer one SELECT on the tables of IDC.

    They are index, prior_versions_index, collections_index, analysis_results_index and version_metadata_index; `schema`
    has their columns. Nothing can be changed, and no other file read.
    """
    from tcia_xnat.query.output import SERIES, Table, part_of, put_out  # noqa: PLC0415  as above

    if place.source == "nbia":
        raise UsageError("TCIA's server takes no SQL", "leave --source nbia out")
    with _opened(place, selection, part_of(target.path)) as (database, _chosen):
        asked = database.asked_by_user(select)
        found = database.ask(asked.within("SELECT *", "LIMIT 0")).columns
        return put_out(database, Table(asked, (SERIES,) if SERIES in found else ()), target)


@query.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@asks(selects=False)
def schema(tables: tuple[str, ...], selection: Selection, place: Place, target: Target) -> int:
    """Describe the tables that `sql` can ask, and their columns."""
    from tcia_xnat.query.view import described  # noqa: PLC0415  as above

    return _show(lambda _chosen: described(tables), (), selection, place, target)


def _show(  # noqa: PLR0913, PLR0917  what every command has
    table: "Callable[[Selection], Query]",
    keys: tuple[str, ...],
    selection: Selection,
    place: Place,
    target: Target,
    shown: tuple[str, ...] = (),
    **settings: Any,  # noqa: ANN401  of `Table`
) -> int:
    from tcia_xnat.query.output import Table, part_of, put_out  # noqa: PLC0415  as above

    with _opened(place, selection, part_of(target.path)) as (database, chosen):
        return put_out(database, Table(table(chosen), keys, chosen.where(), shown, **settings), target)


@contextmanager
def _opened(place: Place, selection: Selection, writable: Path | None) -> "Iterator[tuple[Database, Selection]]":
    """Open the tables of IDC, or what NBIA lists of the choice, and name its collections as there."""
    from tcia_xnat.sources.idc.index import IdcIndex  # noqa: PLC0415  as above

    if place.source == "nbia":
        from tcia_xnat.query.nbia import fetched  # noqa: PLC0415  as above

        database, chosen = fetched(place.nbia_url, selection, writable)
        with closing(database):
            _warn(database, chosen)
            yield database, chosen
    else:
        with closing(IdcIndex(place.idc_index, writable)) as index:
            chosen = index.resolved(selection)
            _warn(index.database, chosen)
            yield index.database, chosen


def _warn(database: "Database", selection: Selection) -> None:
    from tcia_xnat.query.idle import idle_values  # noqa: PLC0415  as above

    for said in idle_values(database, selection):
        cli.say_warning(said)


def _some(selection: Selection) -> None:
    if selection.is_empty:
        raise UsageError("nothing is selected", "name a --collection, --patient, --study or another filter")
