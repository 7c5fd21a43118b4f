"""Where pictures are kept between runs: a folder beside the ledger, one small WebP for each series."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_SUFFIX = ".webp"


def keep(folder: Path, series_instance_uid: str, picture: bytes) -> None:
    """Keep the picture of a series, over an older one.

    Raises
    ------
    OSError
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f"{series_instance_uid}.{os.getpid()}.part"  # two runs may keep one picture
    part.write_bytes(picture)
    part.replace(folder / (series_instance_uid + _SUFFIX))


def read_pictures(folders: Iterable[Path], series_instance_uids: Iterable[str], most_bytes: int) -> Mapping[str, bytes]:
    """Return the pictures of these series, in their order, until `most_bytes` are reached.

    The first folder that has one counts; one that cannot be read is left out.
    """
    kept = [(folder, _names(folder)) for folder in folders]
    pictures: dict[str, bytes] = {}
    for uid in series_instance_uids:
        picture = next((data for folder, names in kept if uid + _SUFFIX in names and (data := _read(folder, uid))), b"")
        if picture and len(picture) <= most_bytes:
            pictures[uid] = picture
            most_bytes -= len(picture)
    return pictures


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208  names are all that is needed of 10,000 files
    except OSError:
        return frozenset()


def _read(folder: Path, series_instance_uid: str) -> bytes:
    try:
        return (folder / (series_instance_uid + _SUFFIX)).read_bytes()
    except OSError:
        return b""
