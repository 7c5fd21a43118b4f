"""How a data set is cited: the one text that report.html, LICENSES.md, CITATION.bib and `query.py citations` show."""

import html
import re
from collections.abc import Iterable
from contextlib import closing

from tcia_xnat.core.doi import IDC_PAPER
from tcia_xnat.core.markup import bibtex, doi_url, is_doi
from tcia_xnat.core.tables import printable
from tcia_xnat.sources.idc.index import Dataset, IdcIndex

_TITLE = (
    "National Cancer Institute Imaging Data Commons: Toward Transparency, Reproducibility, and Scalability in "
    "Imaging Artificial Intelligence"
)
_AUTHORS = "Fedorov, A., Longabaugh, W. J. R., Pot, D., Clunie, D. A., Pieper, S. D., Gibbs, D. L., … Kikinis, R."
_PAPER = Dataset(
    IDC_PAPER,
    _TITLE,
    f"{_AUTHORS} (2023). {_TITLE}. RadioGraphics, 43(12), e230180. https://doi.org/{IDC_PAPER}",
    "",
    "",
    "",
)


def datasets(dois: Iterable[str]) -> dict[str, Dataset]:
    """Return what is known of these DOIs without a network: what IDC's embedded index has, and IDC's paper."""
    wanted = set(dois)
    found: dict[str, Dataset] = {}
    if asked := wanted - {IDC_PAPER}:
        with closing(IdcIndex()) as index:
            found = index.datasets(asked)
    by_doi = {doi: found[doi.lower()] for doi in wanted if doi.lower() in found}
    return by_doi | ({IDC_PAPER: _PAPER} if IDC_PAPER in wanted else {})


def citation(doi: str, dataset: Dataset | None) -> str:
    """Return how to cite what a DOI stands for; the address alone when no more is known of it."""
    if dataset and dataset.citation:
        # IDC keeps citations with the markup of a page
        return " ".join(html.unescape(re.sub(r"</?[a-z]+>", "", printable(dataset.citation))).split())
    return doi_url(doi) or printable(doi)


def entry(doi: str, dataset: Dataset | None) -> str:
    """Return an entry of BibTeX."""
    fields = {"title": f"{{{bibtex(dataset.title if dataset else doi)}}}"}
    if is_doi(doi):
        fields["doi"] = doi_url(doi).removeprefix("https://doi.org/")
    if address := doi_url(doi):
        fields["url"] = address
    if dataset and dataset.citation:
        fields["note"] = bibtex(citation(doi, dataset))
    inner = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{re.sub(r'[^A-Za-z0-9.-]', '_', doi)},\n{inner}}}\n"
