"""XNAT's catalogs: XML documents that list the files of a resource."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from defusedxml import ElementTree

from sandbox.xnat.files import write_document

_NAMESPACES = 'xmlns:cat="http://nrg.wustl.edu/catalog" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@dataclass(frozen=True, slots=True)
class Entry:
    """One file; `uid` is its SOPInstanceUID when it is DICOM."""

    uri: str
    uid: str = ""
    instance_number: str = ""
    format: str = ""
    content: str = ""
    tags: str = ""
    description: str = ""
    digest: str = ""


@dataclass
class Catalog:
    """The files of a resource, by URI; `uid` is the SeriesInstanceUID of a scan."""

    uid: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Add or replace the entry of a file."""
        self.entries[entry.uri] = entry

    def write(self, path: Path) -> None:
        """Write the document."""
        kind = "DCMCatalog" if self.uid else "Catalog"
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<cat:{kind} UID={quoteattr(self.uid)} {_NAMESPACES}>'
        lines = [head, "<cat:entries>", *map(_line, self.entries.values()), "</cat:entries>", f"</cat:{kind}>", ""]
        write_document(path, "\n".join(lines))


def read_catalog(path: Path) -> Catalog:
    """Read a document; an empty catalog when there is none."""
    if not path.is_file():
        return Catalog()
    root = ElementTree.fromstring(path.read_bytes())
    entries = (
        Entry(
            uri=element.get("URI", ""),
            uid=element.get("UID", ""),
            instance_number=element.get("instanceNumber", ""),
            format=element.get("format", ""),
            content=element.get("content", ""),
            tags=element.get("tags", ""),
            description=element.get("description", ""),
            digest=element.get("digest", ""),
        )
        for element in root.iterfind("{*}entries/{*}entry")
    )
    return Catalog(root.get("UID", ""), {entry.uri: entry for entry in entries})


def sizes(folder: Path, entries: Iterable[Entry]) -> tuple[int, int]:
    """Return number and bytes of the files that are there."""
    found = [path.stat().st_size for entry in entries if (path := folder / entry.uri).is_file()]
    return len(found), sum(found)


def _line(entry: Entry) -> str:
    kind = "cat:dcmEntry" if entry.uid else "cat:entry"
    named = {
        "URI": entry.uri,
        "ID": entry.uri,
        "UID": entry.uid,
        "instanceNumber": entry.instance_number,
        "format": entry.format,
        "content": entry.content,
        "tags": entry.tags,
        "description": entry.description,
        "digest": entry.digest,
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in named.items() if value)
    return f'<cat:entry xsi:type="{kind}" {attributes}/>'
