"""LICENSE: under which terms a collection is given out, kept beside its images."""

import threading
from collections.abc import Iterable
from pathlib import Path

from tcia_xnat.core.markup import doi_url
from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.disk import disk_errors, locked, replace_text
from tcia_xnat.destinations.disk.layout import Layout

_NAME = "LICENSE"
_POLICY = "https://www.cancerimagingarchive.net/data-usage-policies-and-restrictions/"
_SEPARATOR = "\n\n" + 72 * "-" + "\n\n"


class Licences:
    """The LICENSE files of an output folder; texts are added to them, and none is ever lost.

    Parameters
    ----------
    root
        The output folder.
    layout
        Says which folder belongs to a collection.
    """

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root, self._layout = root, layout
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()

    def add_listed(self, series: Iterable[Series]) -> None:
        """Add what the catalogue says of the licences of these series.

        Raises
        ------
        SpaceError, FolderError
        """
        for one in series:
            self.add(one, listed_text(one))

    def add(self, series: Series, text: str) -> None:
        """Add the text that came with a series, once.

        Raises
        ------
        SpaceError, FolderError
        """
        folder = self._layout.licence_folder(series)
        with self._lock:
            if text and (folder, text) not in self._known:
                self._append(self._root / folder / _NAME, text)
                self._known.add((folder, text))

    def _append(self, path: Path, text: str) -> None:
        with locked(self._root), disk_errors():
            before = path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
            if text not in before:
                replace_text(path, f"{before}{_SEPARATOR}{text}\n" if before else f"{text}\n")


def listed_text(series: Series) -> str:
    """Say in words what the catalogue lists: licence, its address, what to cite; empty when it lists nothing."""
    if not series.licence and not series.source_doi:
        return ""
    address = _address(series.licence)
    lines = [
        f"Collection {series.collection_id}: images are distributed under {series.licence or 'a licence not named'}"
        + (f", {address}." if address else "."),
        f"Cite {source}" if (source := doi_url(series.source_doi)) else "",
        f"TCIA's data usage policy: {_POLICY}",
    ]
    return "\n".join(filter(None, lines))


def _address(licence: str) -> str:
    """Return the page of a Creative Commons licence by its short name (tcia-nbia-and-idc.md §8)."""
    words = licence.split()
    is_known = len(words) == 3 and words[0] == "CC" and words[1].startswith("BY")  # noqa: PLR2004  CC BY-NC 4.0
    return f"https://creativecommons.org/licenses/{words[1].lower()}/{words[2]}/" if is_known else ""
