"""What a command line asks for, as one list of series: files, stdin, manifests elsewhere, whole studies and folders."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tcia_xnat import manifest as manifests
from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.retry import Patience
from tcia_xnat.manifest import Manifest
from tcia_xnat.manifest.columns import heading
from tcia_xnat.request import remote_list
from tcia_xnat.request.addresses import is_address, is_doi, names_of
from tcia_xnat.request.resolve import resolve
from tcia_xnat.request.selection import Known, Selector
from tcia_xnat.sources.idc.index import IdcIndex

Fetch = Callable[[str], bytes]
"""Returns what is at an address."""

_SUFFIXES = {".tcia", ".csv", ".tsv", ".txt", ".xlsx", ".xls", ".json", ".xml", ".s5cmd"}


def _nowhere(_series_instance_uids: Sequence[str]) -> frozenset[str]:
    return frozenset()


def read_asked(  # noqa: PLR0913  what is asked for, and what may change how it is read
    text: str,
    idc_index: str | Path | None,
    patience: Patience,
    *,
    query: str = "",
    elsewhere: Known = _nowhere,
    column: str = "",
) -> Manifest:
    """Return the series that a command line asks for, each once.

    Parameters
    ----------
    text
        A file, `-` for stdin, an identifier that the index lists, an address, or several of them with commas between;
        a file of that very name wins.
    idc_index
        Parquet of the index that knows the series of folders and studies; None is the embedded one.
    patience
        How manifests at other addresses are waited for.
    query
        A SELECT on the index in the place of `text`.
    elsewhere
        Asked for series that are named by themselves and that the index does not list.
    column
        Heading of the column of tables that names what is meant; empty leaves it to the headings.

    Raises
    ------
    ManifestError
        Something cannot be used, is ambiguous or unknown, or names studies only, of which the index knows none.
    SourceUnreachable
        An address of a manifest does not answer.
    """
    with closing(Selector(idc_index, elsewhere)) as selector:
        if query:
            return selector.ask(query)
        files, words = _sorted_out(text, selector)
        read = [_complete(_read(file, column), selector.index, patience, column) for file in files]
        return _with_column(manifests.merge([*read, *([selector.select(words)] if words else [])]), column)


def parts(text: str) -> list[str]:
    """Return the files that a text of a command line names, one by one."""
    return [text] if "," not in text or _exists(text) else [part.strip() for part in text.split(",") if part]


def read_each(named: Sequence[str], idc_index: str | Path | None, patience: Patience, *, column: str = "") -> Manifest:
    """Return the series of several files, as `read_asked` does.

    Raises
    ------
    ManifestError, SourceUnreachable
    """
    with closing(IdcIndex(idc_index)) as index:
        read = [_complete(_read(part, column), index, patience, column) for part in named]
        return _with_column(manifests.merge(read), column)


def _with_column(manifest: Manifest, column: str) -> Manifest:
    """Refuse a column that was chosen and that nothing has: it would have no effect."""
    if column and not any(heading(one.column) == heading(column) for one in manifest.readings):
        raise ManifestError(f"no list has a column {column}", "leave --column out: it is for tables")
    return manifest


def _read(name: str, column: str) -> Manifest:
    """Return the list in a file; an address stands for itself until it is followed."""
    if is_address(name):
        return Manifest(remote_list.file_name(name), addresses=(name,))
    return manifests.read(Path(name), column)


def _complete(manifest: Manifest, index: IdcIndex, patience: Patience, column: str) -> Manifest:
    def fetch(address: str) -> bytes:
        return patience.call(lambda: remote_list.fetch(address))

    return resolve(_followed(manifest, fetch, column), index)


def _sorted_out(text: str, selector: Selector) -> tuple[list[str], list[str]]:
    """Return the files and addresses, and the identifiers in a text; a file that is lost counts as one."""
    files, words = list[str](), list[str]()
    for part in _parts(text, selector):
        if not _is_file(part) and is_address(part):
            names = names_of(part)
            words += names
            files += [] if names else [part]
        elif _is_file(part) or (_looks_like_file(part) and not is_doi(part) and not selector.knows(part)):
            files.append(part)
        else:
            words.append(part)
    return files, words


def _parts(text: str, selector: Selector) -> list[str]:
    if "," not in text or _is_file(text) or selector.knows(text):
        return [text]
    if is_address(text):
        return re.split(r"\s*,\s*(?=https?://)", text.strip(), flags=re.IGNORECASE)  # a query may have commas
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_file(part: str) -> bool:
    return part == str(manifests.STDIN) or (_exists(part) and not Path(part).is_dir())


def _exists(part: str) -> bool:
    try:
        return Path(part).exists()
    except OSError:  # many UIDs with commas are longer than any path
        return False


def _looks_like_file(part: str) -> bool:
    return "/" in part or Path(part).suffix.lower() in _SUFFIXES or (_exists(part) and Path(part).is_dir())


def _followed(manifest: Manifest, fetch: Fetch, column: str) -> Manifest:
    """Return a manifest with those in it that its addresses point at (tcia-nbia-and-idc.md §1.2, XML wrapper)."""
    if not manifest.addresses:
        return manifest
    parts = [_read_remote(address, fetch(address), column) for address in manifest.addresses]
    if any(part.addresses for part in parts):
        raise ManifestError(
            f"{manifest.name} points at a manifest that points elsewhere", "fetch that one and give it by itself"
        )
    whole = manifests.merge([replace(manifest, addresses=()), *parts])
    return replace(whole, name=manifest.name)


def _read_remote(address: str, content: bytes, column: str) -> Manifest:
    """Read what an address answered; an error says nothing of it, as only we may be able to ask there.

    Raises
    ------
    ManifestError
    """
    try:
        return manifests.parse(content, remote_list.file_name(address), column)
    except ManifestError as error:
        raise ManifestError(
            f"what {address} answers is no manifest", "fetch it by hand, and look whether it is the right file"
        ) from error
