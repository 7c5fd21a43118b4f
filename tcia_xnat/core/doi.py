"""DOIs, and the forms in which what they stand for can be cited."""

from enum import StrEnum

DOI_URL = "https://doi.org"
IDC_PAPER = "10.1148/rg.230180"
"""What IDC asks to be cited beside the collections (tcia-nbia-and-idc.md §7.3)."""


class CitationFormat(StrEnum):
    """The forms that can be asked for."""

    APA = "apa"
    BIBTEX = "bibtex"
    CSL_JSON = "csl-json"
    TURTLE = "turtle"

    @property
    def media_type(self) -> str:
        """What the DOI service is asked for (content negotiation, §7.3)."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    CitationFormat.APA: "text/x-bibliography; style=apa; locale=en-US",
    CitationFormat.BIBTEX: "application/x-bibtex",
    CitationFormat.CSL_JSON: "application/vnd.citationstyles.csl+json",
    CitationFormat.TURTLE: "text/turtle",
}


def bare_doi(doi: str) -> str:
    """Return a DOI as IDC writes it: lower case, without the resolver's address (tcia-nbia-and-idc.md §8)."""
    return doi.strip().lower().split("doi.org/")[-1].removeprefix("doi:")
