"""Whether a series that lies on disk is right: by what was remembered of it, or by the hashes that IDC lists."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from tcia_xnat.folder.images import Digest, digests, file_md5, files_in
from tcia_xnat.folder.kept import Kept, KeptFile, KeptSeries
from tcia_xnat.model import Series


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


def proved_again(root: Path, kept: Kept, series: Series, folder: str) -> KeptSeries | None:
    """Read the files that have changed since they were written; the entry when all are right, and remember it."""
    entry = kept.series(series.series_instance_uid)
    if entry is None or entry.folder != folder or not is_as_listed(entry, series):
        return None
    there = files_in(root / folder)
    fresh = []
    for file in kept.files(series.series_instance_uid):
        found = there.get(file.name)
        if found is None or found.st_size != file.size:
            return None
        if found.st_mtime_ns != file.mtime_ns and file_md5(root / folder / file.name) != file.md5:
            return None
        fresh.append(replace(file, mtime_ns=found.st_mtime_ns))
    if fresh:
        kept.keep(entry, fresh)
    return entry if fresh else None


def proved_by_hashes(folder: Path, hashes: Collection[str]) -> tuple[list[KeptFile], list[Digest]]:
    """Read a folder that nothing is remembered of, and compare it with the MD5s that IDC lists.

    Returns
    -------
    The files that hold the series, and the digests of its images; both empty when it is not there whole.
    """
    wanted = Counter(hashes)
    files, images = [], []
    for name, stat in sorted(files_in(folder).items()):
        try:
            found = digests(folder / name)
        except (OSError, ValueError):
            continue
        if found and all(wanted[digest.md5] > 0 for digest in found):
            wanted.subtract(digest.md5 for digest in found)
            md5 = found[0].md5 if found[0].name == name else file_md5(folder / name)
            files.append(KeptFile(name, stat.st_size, stat.st_mtime_ns, md5))
            images += found
    return ([], []) if any(wanted.values()) else (files, images)
