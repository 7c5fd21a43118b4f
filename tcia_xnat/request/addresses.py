"""Addresses and DOIs in the place of a list: what the page of a collection, a DOI or a viewer stands for."""

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from tcia_xnat.core.doi import bare_doi
from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.uids import is_uid

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PAGES = re.compile(r"/(?:collections?|analysis-results?)/(?P<name>[^/]+)/?")
_SLIDES = re.compile(r"/slim/studies/(?P<study>[^/]+)(?:/series/(?P<series>[^/]+))?/?")
_ONE = "name the series, or the study for all of its series"


def is_address(text: str) -> bool:
    """Whether a text begins as an address of the web."""
    return text.lower().startswith(("https://", "http://"))


def is_doi(text: str) -> bool:
    """Whether a text is a DOI, bare or behind `doi:`."""
    return _DOI.fullmatch(text.strip().lower().removeprefix("doi:")) is not None


def names_of(address: str) -> tuple[str, ...]:
    """Return the identifiers that a page stands for; none when it is a file that is to be fetched.

    Raises
    ------
    ManifestError
        A page that names nothing for certain.
    """
    try:
        split = urlsplit(address)
        host = (split.hostname or "").removeprefix("www.")
    except ValueError as error:
        raise ManifestError(f"{address!r} is not an address", "write https://HOST/NAME.tcia") from error
    reader = _SITES.get(host)
    return tuple(reader(split)) if reader else ()


def _of_doi(address: SplitResult) -> Sequence[str]:
    return [bare_doi(unquote(address.path).strip("/"))]


def _of_page(address: SplitResult) -> Sequence[str]:
    found = _PAGES.fullmatch(address.path)
    if not found and re.search(r"\.\w{2,5}$", address.path):
        return []  # a file: TCIA keeps its manifests under wp-content
    if not found:
        raise ManifestError(
            f"{address.geturl()} is a page, not a list of series",
            "name its collection, as query.py collections writes it, or the address of its .tcia",
        )
    return [unquote(found["name"])]


def _of_viewer(address: SplitResult) -> Sequence[str]:
    if slides := _SLIDES.fullmatch(address.path):
        return _checked([slides["series"] or slides["study"]], address)
    asked = parse_qs(address.query)
    if "initialSeriesInstanceUID" in asked and "SeriesInstanceUIDs" not in asked:
        raise ManifestError(f"{address.geturl()} shows one series of a study: it is not certain which is meant", _ONE)
    return _checked(_values(asked, "SeriesInstanceUIDs") or _values(asked, "StudyInstanceUIDs"), address)


def _values(asked: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [uid for text in asked.get(name, ()) for uid in text.split(",") if uid]


def _checked(uids: Sequence[str], address: SplitResult) -> Sequence[str]:
    if not uids or not all(map(is_uid, uids)):
        raise ManifestError(f"{address.geturl()} names no series and no study", _ONE)
    return uids


_SITES: Mapping[str, Callable[[SplitResult], Sequence[str]]] = {
    "doi.org": _of_doi,
    "dx.doi.org": _of_doi,
    "cancerimagingarchive.net": _of_page,
    "portal.imaging.datacommons.cancer.gov": _of_page,
    "viewer.imaging.datacommons.cancer.gov": _of_viewer,
}
