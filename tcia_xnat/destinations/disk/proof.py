"""Whether what was remembered of a series still says that it is right, so that its files need not be read again."""

from collections.abc import Collection
from pathlib import Path

from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.images import files_in
from tcia_xnat.destinations.disk.kept import KeptFile, KeptSeries


def is_unchanged(root: Path, entry: KeptSeries, files: Collection[KeptFile]) -> bool:
    """Whether every file of a series has the size and the time of change that it was written with."""
    there = files_in(root / entry.folder)
    return bool(files) and all(
        (found := there.get(file.name)) is not None and (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns)
        for file in files
    )


def is_as_listed(entry: KeptSeries, series: Series) -> bool:
    """Whether the catalogue still says of a series what it said when it was stored: else it is another version."""
    versions = {series.crdc_series_uuid, entry.crdc_series_uuid} - {""}
    return series.image_count == entry.listed and len(versions) <= 1
