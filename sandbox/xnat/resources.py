"""Resources of projects, sessions and scans, and the files in them (xnat-http.md §4)."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.xnat.answers import Refused
from sandbox.xnat.catalog import Catalog, Entry, read_catalog, sizes
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store, remove
from sandbox.xnat.uploads import Upload

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Owner:
    """What a resource belongs to.

    Attributes
    ----------
    key
        `projects/P`, `experiments/E` or `scans/NUMBER`: how the database names it.
    uri
        Where it is found, from /data on.
    folder
        Holds its resources.
    category, cat_id, cat_desc
        How listings name it.
    """

    key: str
    uri: str
    project: str
    folder: Path
    category: str
    cat_id: str
    cat_desc: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; its catalog lists its files."""

    id: int
    owner: Owner
    label: str
    folder: Path
    catalog: Path
    fields: Mapping[str, Any]

    def read_catalog(self) -> Catalog:
        """Read the list of files."""
        return read_catalog(self.catalog)


class Resources:
    """All resources of the archive."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._writing = threading.Lock()

    def of(self, owner: Owner) -> list[Resource]:
        """Return the resources of an owner."""
        rows = self._store.rows("SELECT * FROM resources WHERE owner = ? ORDER BY id", owner.key)
        return [self._resource(owner, row) for row in rows]

    def find(self, owner: Owner, label: str) -> Resource | None:
        """Return a resource by label, or by number when the label has only digits (§4.1)."""
        column = "id" if label.isdigit() else "label"
        row = self._store.row(f"SELECT * FROM resources WHERE owner = ? AND {column} = ?", owner.key, label)  # noqa: S608
        return self._resource(owner, row) if row else None

    def create(self, owner: Owner, label: str, fields: Mapping[str, str]) -> Resource:
        """Create a resource; the one that is there when it exists."""
        folder = _inside(owner.folder, label)
        with self._store.lock:
            if found := self.find(owner, label):
                return found
            self._store.insert(
                "resources",
                owner=owner.key,
                label=label,
                folder=str(folder.relative_to(self._store.directory)),
                catalog=f"{label}_catalog.xml",
                format=fields.get("format", ""),
                content=fields.get("content", ""),
                tags=fields.get("tags", ""),
                description=fields.get("description", ""),
                file_count=0,
                file_size=0,
            )
            created = self.find(owner, label)
        if created is None:
            raise Refused(500, "The resource could not be created.")
        created.read_catalog().write(created.catalog)
        return created

    def delete(self, resource: Resource) -> None:
        """Delete a resource with its files."""
        self._store.run("DELETE FROM resources WHERE id = ?", resource.id)
        remove([resource.folder])

    def put(self, resource: Resource, upload: Upload, name: str, fields: Mapping[str, str]) -> str:
        """Store a file; return its name when it was there already and `overwrite` is not set (§4.3)."""
        path = _inside(resource.folder, name)
        with self._writing:
            if path.exists() and fields.get("overwrite") != "true":
                return name
            digest = _write(path, upload)
            catalog = resource.read_catalog()
            kept = {key: fields.get(key, "") for key in ("format", "content", "tags", "description")}
            catalog.add(Entry(name, digest=digest, **kept))
            catalog.write(resource.catalog)
            self.count(resource)
        return ""

    def remove_file(self, resource: Resource, name: str) -> bool:
        """Delete a file, or a folder with all files in it; whether it was there."""
        with self._writing:
            catalog = resource.read_catalog()
            kept = {
                uri: entry for uri, entry in catalog.entries.items() if uri != name and not uri.startswith(f"{name}/")
            }
            if len(kept) == len(catalog.entries):
                return False
            catalog.entries = kept
            catalog.write(resource.catalog)
            remove([resource.folder / name])
            self.count(resource)
            return True

    def count(self, resource: Resource) -> None:
        """Note number and bytes of the files (§10.4)."""
        count, size = sizes(resource.folder, resource.read_catalog().entries.values())
        statement = "UPDATE resources SET file_count = ?, file_size = ? WHERE id = ?"
        self._store.run(statement, count, size, resource.id)

    def files(self, resource: Resource) -> Iterator[tuple[Entry, Path]]:
        """Yield the files of a resource that are there."""
        for entry in resource.read_catalog().entries.values():
            path = resource.folder / entry.uri
            if path.is_file():
                yield entry, path

    def file_row(self, resource: Resource, entry: Entry, path: Path) -> dict[str, Any]:
        """Return the row of a file in a listing (§4.4)."""
        digest = (entry.digest or _digest(path)) if self._settings.checksums else ""
        return {
            "Name": path.name,
            "Size": path.stat().st_size,
            "URI": f"{resource.owner.uri}/resources/{resource.id}/files/{entry.uri}",
            "collection": resource.label,
            "file_tags": entry.tags,
            "file_format": entry.format,
            "file_content": entry.content,
            "cat_ID": resource.id,
            "digest": digest,
        }

    def _resource(self, owner: Owner, row: Mapping[str, Any]) -> Resource:
        folder = self._store.directory / row["folder"]
        return Resource(row["id"], owner, row["label"], folder, folder / row["catalog"], row)


def resource_row(resource: Resource) -> dict[str, Any]:
    """Return the row of a resource in a listing (§4.2)."""
    fields, owner = resource.fields, resource.owner
    return {
        "xnat_abstractresource_id": resource.id,
        "label": resource.label,
        "element_name": "xnat:resourceCatalog",
        "category": owner.category,
        "cat_id": owner.cat_id,
        "cat_desc": owner.cat_desc,
        "file_count": fields["file_count"],
        "file_size": fields["file_size"],
        "tags": fields["tags"],
        "content": fields["content"],
        "format": fields["format"],
    }


def duplicates(names: list[str]) -> str:
    """Return the body that tells of files that were there already (§4.3)."""
    return json.dumps({"duplicates": names})


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise Refused(400, f"Invalid file name: {name}")
    return path


def _write(path: Path, upload: Upload) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while piece := upload.file.read(_PIECE):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
