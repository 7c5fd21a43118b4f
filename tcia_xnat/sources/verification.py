"""What every source must show before a series counts as fetched."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from isal import isal_zlib

from tcia_xnat.core.dicom import Identity, read_identity
from tcia_xnat.core.errors import SeriesDamaged, SeriesIncomplete
from tcia_xnat.core.model import Member, Series
from tcia_xnat.core.uids import DicomUid, checked_uid
from tcia_xnat.staging.spool import Spool

STORED = 0


class Digest:
    """MD5, CRC-32 and length of bytes that pass by."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.crc32 = 0
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self._md5.update(chunk)
        self.crc32 = isal_zlib.crc32(chunk, self.crc32)
        self.size += len(chunk)

    @property
    def md5(self) -> str:
        """MD5 in lower-case hex digits."""
        return self._md5.hexdigest()


def stored_member(series: Series, spool: Spool, offset: int, digest: Digest, name: str) -> Member:
    """Return the DICOM file that lies plain in the spool at `offset`, its identity proved.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, or says that it belongs elsewhere.
    """
    with spool.open_range(offset, digest.size) as file:
        sop_instance_uid = proved_sop_instance_uid(series, read_identity(file, name), name)
    return Member(sop_instance_uid, offset, digest.size, digest.size, digest.crc32, STORED)


def proved_sop_instance_uid(series: Series, identity: Identity, name: str) -> DicomUid:
    """Return the SOPInstanceUID of a file that belongs to `series`.

    XNAT needs SOP class and instance (xnat-http.md §5.7), and tells sessions apart by StudyInstanceUID (§7.1).

    Raises
    ------
    SeriesDamaged
    """
    checked_uid(identity.sop_class_uid, "SOPClassUID", name)
    sop_instance_uid = checked_uid(identity.sop_instance_uid, "SOPInstanceUID", name)
    for what, says, should in (
        ("SeriesInstanceUID", identity.series_instance_uid, series.series_instance_uid),
        ("StudyInstanceUID", identity.study_instance_uid, series.study_instance_uid),
    ):
        if says != should:
            raise SeriesDamaged(f"{name} says {what} {says or '(none)'}, which is not the one asked for")
    return sop_instance_uid


def prove_unique(members: Iterable[Member]) -> None:
    """Raise SeriesDamaged when the same instance is there twice."""
    counted = Counter(member.sop_instance_uid for member in members)
    twice = [uid for uid, count in counted.items() if count > 1]
    if twice:
        raise SeriesDamaged(f"{len(twice)} images came twice under the same SOPInstanceUID, first {twice[0]}")


def prove_count(arrived: int, expected: int) -> None:
    """Raise SeriesIncomplete or SeriesDamaged when more or fewer images arrived than there should be."""
    if arrived < expected:
        raise SeriesIncomplete(f"{arrived} of {expected} images are there")
    if arrived > expected:
        raise SeriesDamaged(f"{arrived} images, although the catalogue lists {expected}")
