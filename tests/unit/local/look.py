"""A look through a tree without XNAT: which images would go under which names, and what is not sent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcia_xnat.core.model import Series, SourceName
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.source import LocalSource
from tcia_xnat.sources.local.tree import Tree, Wanted, gather
from tcia_xnat.staging.spool import Spool


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found; `lost` is what makes a run end with 3, `left` everything that is not sent, with the reasons."""

    tree: Tree
    lost: dict[str, str]
    left: dict[str, str]

    @property
    def images(self) -> dict[str, int]:
        """Number of images by SeriesInstanceUID."""
        return {uid: series.image_count for uid, series in self.tree.catalogue.series.items()}


def look(root: Path, **wanted: Any) -> Looked:  # noqa: ANN401  the fields of Wanted
    """Look through a tree, as the first step of each run does."""
    with Inventory(root.parent / f"{root.name}.sqlite", root) as inventory:
        tree = gather(Wanted(root, **wanted), inventory, lambda: None, lambda _count, _total: None)
        rows = list(inventory.passed_one_by_one())
    lost = {path: reason for path, what, reason, *_ in rows if what != "left out"}
    return Looked(tree, lost, {path: reason for path, _, reason, *_ in rows})


def sent(root: Path, **wanted: Any) -> dict[str, list[bytes]]:  # noqa: ANN401  as above
    """Return the bytes of all images that would be sent, by SeriesInstanceUID; each is proved."""
    with Inventory(root.parent / f"{root.name}.sqlite", root) as inventory, Spool() as spool:
        tree = gather(Wanted(root, **wanted), inventory, lambda: None, lambda _count, _total: None)
        source = LocalSource(inventory, tree.problems, tree.notes, 1 << 30)
        assert source.name is SourceName.LOCAL
        return {uid: _fetched(source, series, spool) for uid, series in tree.catalogue.series.items()}


def _fetched(source: LocalSource, series: Series, spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    for package in source.fetch(series, spool, lambda _count: None):
        assert all(member.compressed_size == member.size for member in package.members)
        found += [b"".join(spool.read(member.offset, member.size)) for member in package.members]
    return found
