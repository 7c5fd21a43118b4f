"""Licences and citations that follow the data: a table of series, a text for people, entries for bibliographies."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tcia_xnat.core.doi import IDC_PAPER
from tcia_xnat.core.licenses import UNKNOWN, is_non_commercial
from tcia_xnat.core.markup import doi_url, markdown, web_address
from tcia_xnat.core.model import SourceName, State
from tcia_xnat.report import citation
from tcia_xnat.sources.idc.index import Dataset

COLUMNS = (
    "SeriesInstanceUID",
    "collection_id",
    "licence",
    "non_commercial",
    "source_DOI",
    "citation",
    "source",
    "idc_version",
)
"""Of licences.csv; `source` and `idc_version` are empty for a series that an earlier run brought."""

Row = Mapping[str, Any]

_WITH_DATA = {State.ARCHIVED, State.STORED, State.PRESENT, State.HELD}
_DUTIES = """\
Keep this page with the images, also when they are copied on. TCIA and IDC ask everybody who uses them

- not to try to find out who the patients are, nor to contact them,
- to name and cite the collections, with their DOIs, in every publication and presentation,
- to pass these terms on with the data; the page of each collection, at its DOI, has the last word.
"""
_HEADING = "What is to be cited for these images; LICENSES.md has the licences.\n"  # no entry, so a comment


def licences(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each series that is there, with the columns of licences.csv.

    Parameters
    ----------
    rows
        Those of report.csv.
    """
    return [_licence(row) for row in rows if State(row["state"]) in _WITH_DATA]


def _licence(row: Row) -> Row:
    licence, doi, source = row["licence"], row["source_DOI"], row["source"]
    values = (
        row["SeriesInstanceUID"],
        row["collection_id"],
        licence,
        "yes" if is_non_commercial(licence) else "no" if licence else "",
        doi,
        doi_url(doi),
        source,
        row["idc_version"],
    )
    return dict(zip(COLUMNS, values, strict=True))


def as_markdown(rows: Sequence[Row], datasets: Mapping[str, Dataset]) -> str:
    """Return LICENSES.md: what may be done with the series of each collection, and what to cite."""
    counted: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        counted[row["licence"] or UNKNOWN, row["collection_id"], row["source_DOI"]] += 1
    lines = ["# Licences and citations", "", _DUTIES]
    if forbidden := sorted({licence for licence, *_ in counted if is_non_commercial(licence)}):
        lines += [f"**Not for commercial use: {markdown(', '.join(forbidden))}.**", ""]
    lines += ["| licence | collection | DOI | series |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| {markdown(licence)} | {markdown(name)} | {_link(doi)} | {count} |"
        for (licence, name, doi), count in sorted(counted.items())
    ]
    lines += ["", "## The licences", ""]
    lines += [
        f"- {markdown(licence)}{_address(licence, datasets.values())}"
        for licence in sorted({key[0] for key in counted})
    ]
    lines += ["", "## To cite", ""]
    lines += [f"- {markdown(citation.citation(doi, datasets.get(doi)))}" for doi in _dois(rows)]
    return "\n".join([*lines, ""])


def as_bibtex(rows: Sequence[Row], datasets: Mapping[str, Dataset]) -> str:
    """Return CITATION.bib: an entry for each DOI, and IDC's own paper when series came from there."""
    known, dois = dict(datasets), _dois(rows)
    if any(row["source"] == SourceName.IDC for row in rows):
        dois, known = [*dois, IDC_PAPER], known | citation.datasets([IDC_PAPER])
    return "\n".join([_HEADING, *(citation.entry(doi, known.get(doi)) for doi in dois)])


def _dois(rows: Iterable[Row]) -> list[str]:
    return sorted({row["source_DOI"] for row in rows if row["source_DOI"]})


def _link(doi: str) -> str:
    address = doi_url(doi)
    return f"[{markdown(doi)}]({address})" if address else markdown(doi) or UNKNOWN


def _address(licence: str, datasets: Iterable[Dataset]) -> str:
    found = next((one for one in datasets if one.licence == licence and one.licence_url), None)
    return f": {markdown(found.licence_name)}, {markdown(web_address(found.licence_url))}" if found else ""
