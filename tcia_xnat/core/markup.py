"""Texts of others in files that are read as Markdown, BibTeX or HTML: shown as they are, and nothing more."""

import re
from urllib.parse import quote, urlsplit

from tcia_xnat.core.tables import printable

_MARKDOWN = re.compile(r"([\\|\[\]`])")
_BIBTEX = re.compile(r"([&%$#_{}])")
_DOI = re.compile(r"10\.\d+/\S+")
_ADDRESSES = {"http", "https"}


def markdown(text: str) -> str:
    """Return a text as one line of Markdown without tables, links, code or HTML in it."""
    return _MARKDOWN.sub(r"\\\1", _line(text)).replace("<", "&lt;")


def bibtex(text: str) -> str:
    """Return a text as one line in the braces of a field of BibTeX."""
    return _BIBTEX.sub(r"\\\1", _line(text).replace("\\", r"\textbackslash "))


def web_address(text: str) -> str:
    """Return an address that may be a link: http or https with a host; empty for anything else."""
    if re.search(r"[\s<>\"'`\\^{|}\x00-\x1f\x7f-\x9f]", text):
        return ""
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in _ADDRESSES and bool(parts.hostname) and not (parts.username or parts.password)
    except ValueError:
        return ""
    return text if is_fine else ""


def is_doi(text: str) -> bool:
    """Whether a text is a DOI, without the resolver's address."""
    return _DOI.fullmatch(text) is not None and text.isprintable()


def doi_url(doi: str) -> str:
    """Return the address of a DOI, or of the page that a catalog names in the place of one; empty for anything else."""
    return f"https://doi.org/{quote(doi, safe='/:;')}" if is_doi(doi) else web_address(doi)


def _line(text: str) -> str:
    return " ".join(printable(text).split())
