"""Members of a zip whose bytes lie in the spool as they came, and what NBIA says of them in the zip itself."""

import csv
import io
import zipfile

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.sources.inflate import inflated
from tcia_xnat.sources.verification import Digest
from tcia_xnat.staging.spool import Spool

HASHES = "md5hashes.csv"
LOCAL_HEADER = 30  # bytes before the name; the lengths of name and extra field are its last four
_HASHES_LIMIT = 64 << 20  # a list of hashes that is larger than this is none


def data_offset(info: zipfile.ZipInfo, header: bytes) -> int:
    """Return where the bytes of a member start in its zip, from the `LOCAL_HEADER` bytes of its local header."""
    name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    return info.header_offset + LOCAL_HEADER + name + extra


def digest_of(info: zipfile.ZipInfo, spool: Spool, offset: int) -> Digest:
    """Inflate a member whose bytes lie at `offset` of the spool once, and return what it comes to.

    Raises
    ------
    SeriesDamaged
        It has another length or CRC-32 than the zip says.
    zlib.error
        It is no deflate stream.
    """
    digest = Digest()
    for chunk in inflated(spool.read(offset, info.compress_size), info):
        digest.update(chunk)
    if digest.crc32 != info.CRC:
        raise SeriesDamaged(f"{info.filename} has another CRC-32 than the zip says")
    return digest


def hashes(archive: zipfile.ZipFile) -> dict[str, str] | None:
    """Return MD5 by file name as md5hashes.csv has it, in lower case; None when the zip has no such list.

    It is what NBIA writes last, so the mark of a whole zip (tcia-nbia-and-idc.md §3.4).
    """
    try:
        info = archive.getinfo(HASHES)
    except KeyError:
        return None
    if info.file_size > _HASHES_LIMIT:
        raise SeriesDamaged(f"the list of hashes is {info.file_size} bytes long")
    rows = csv.reader(io.StringIO(archive.read(info).decode("utf-8", "replace")))
    next(rows, None)  # Filename,MD5Hash
    return {row[0]: row[1].strip().lower() for row in rows if len(row) > 1}
