"""Several manifests in one zip, as people send them by mail."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.foreign import files_of, parsing
from tcia_xnat.manifest.merge import merge
from tcia_xnat.manifest.model import Manifest

_WORKBOOK = "[Content_Types].xml"  # what every XLSX begins with
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_FILES = 1000
_BYTES = 256 << 20  # unpacked, all together


def is_archive(content: bytes) -> bool:
    """Whether a zip is none of a workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _WORKBOOK not in archive.namelist()
    except Exception:  # noqa: BLE001  a broken zip: the reader of workbooks says what is wrong
        return False


def parse_archive(content: bytes, name: str, parse: Callable[[bytes, str], Manifest]) -> Manifest:
    """Read every file of a zip as a list of series.

    Raises
    ------
    ManifestError
        One of them is no list, or they are too large.
    """
    with parsing(lambda said: ManifestError(f"{name} cannot be read as a zip: {said}", "unpack it, name its files")):
        parts = _parts(content, name)
    if not parts:
        raise ManifestError(f"{name} is a zip without a manifest", "look whether it is the right file")
    return replace(merge([parse(inner, part) for part, inner in parts]), name=name)


def _parts(content: bytes, name: str) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in files_of(archive) if not _is_junk(info.filename)]
        if len(infos) > _FILES or sum(info.file_size for info in infos) > _BYTES:
            raise ManifestError(f"{name} is too large to be a zip of manifests", "unpack it, name its files")
        if any(info.filename.lower().endswith(".zip") for info in infos):
            raise ManifestError(f"{name} has a zip within", "unpack it, name its files")
        return [(f"{name}, {PurePosixPath(info.filename).name}", _unpacked(archive, info)) for info in infos]


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as file:
        return file.read(_BYTES)


def _is_junk(path: str) -> bool:
    name = PurePosixPath(path.replace("\\", "/")).name
    return path.startswith(_JUNK) or name in _JUNK or name.startswith("._")
