"""Series from TCIA's NBIA server: a zip that may end early and still look whole (tcia-nbia-and-idc.md §3)."""

import os
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from tcia_xnat import web
from tcia_xnat.core.dicom import read_identity
from tcia_xnat.core.errors import SeriesDamaged, SeriesIncomplete, SeriesUnavailable, SourceError
from tcia_xnat.core.foreign import files_of, parsing
from tcia_xnat.core.model import Member, Series, SeriesPackage, SourceName
from tcia_xnat.core.retry import Patience
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.nbia.client import TCIAClient, Write
from tcia_xnat.sources.nbia.series import with_numbers_of
from tcia_xnat.sources.verification import Digest, prove_count, prove_unique, proved_sop_instance_uid, stored_member
from tcia_xnat.sources.zipmember import HASHES, LOCAL_HEADER, data_offset, digest_of, hashes
from tcia_xnat.staging.spool import Spool

_LICENSE = "LICENSE"
_LICENSE_LIMIT = 1 << 20
_HEAD = 1 << 10  # bytes that tell what came in the place of a zip
_BOMB_FACTOR, _BOMB_SLACK = 2, 64 << 20  # sizes that NBIA lists may be old, but not that old
_UNLISTED_MOST = 64 << 30  # bytes of a series whose size NBIA does not list
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True, slots=True)
class _Zip:
    """What a zip of NBIA holds.

    `proved` are right by the zip's own list of hashes; `unproved` came with the MD5 given, and nothing in the zip
    says whether that is right. `problem` is empty when the list is there and agrees with all images.
    """

    proved: tuple[Member, ...]
    unproved: Mapping[str, tuple[Member, str]]
    problem: str
    licence: str = ""


class NbiaSource:
    """Fetches series from NBIA v4.

    Proof of a series: `md5hashes.csv` is there, names every image and every image it names is there with that
    hash; their number is NBIA's ImageCount; each is DICOM of this series; no instance comes twice. A zip that
    falls short is repaired image by image before the series is asked for again.

    Parameters
    ----------
    client
        Speaks to NBIA.
    patience
        How a series is tried again.
    """

    name = SourceName.NBIA

    def __init__(self, client: TCIAClient, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series as one package, proved; see `Source.fetch`."""
        uid = series.series_instance_uid
        expected = self._patience.call(lambda: self._as_nbia_counts(series), uid)
        members, licence = self._patience.call(lambda: self._try(expected, spool, on_bytes), uid)
        arrived = sum(member.size for member in members)
        notes = (f"{arrived} bytes arrived, NBIA lists {expected.byte_count}",)
        yield SeriesPackage(series, self.name, members, notes if arrived != expected.byte_count else (), licence)

    def _as_nbia_counts(self, series: Series) -> Series:
        """Return the series with NBIA's own numbers: IDC may hold another version of it."""
        if not series.is_in_idc:
            return series
        answer = self._client.series_rows([series.series_instance_uid])
        if not (rows := answer.rows.get(series.series_instance_uid)):
            raise SeriesUnavailable("NBIA does not offer this series to the public")
        return with_numbers_of(series, rows)

    def _try(self, series: Series, spool: Spool, on_bytes: OnBytes) -> tuple[tuple[Member, ...], str]:
        spool.clear()
        write = _bounded(series, spool, on_bytes)
        self._client.get_image(series.series_instance_uid, write)
        content = _read_zip(series, spool)
        members = content.proved
        if content.problem or len(members) < series.image_count:
            members = self._repaired(series, content, spool, write)
        prove_count(len(members), series.image_count)
        prove_unique(members)
        return members, content.licence

    def _repaired(self, series: Series, content: _Zip, spool: Spool, write: Write) -> tuple[Member, ...]:
        """Prove or fetch one by one the images that the zip did not prove (§11.8)."""
        have = {member.sop_instance_uid: member for member in content.proved}
        listed = self._client.get_sop_instance_uids(series.series_instance_uid)
        short = f"{len(have)} of {series.image_count} images ({content.problem or 'the zip holds no more'})"
        if set(have) - set(listed) or len(listed) != series.image_count:
            raise SeriesIncomplete(f"{short}, and NBIA lists {len(listed)} to repair it")
        for uid in listed:
            if uid not in have:
                try:
                    have[uid] = self._repaired_member(series, uid, content, spool, write)
                except SourceError as error:
                    raise SeriesIncomplete(f"{short}, and image {uid} cannot be had alone: {error}") from error
        return tuple(have.values())

    def _repaired_member(
        self, series: Series, sop_instance_uid: str, content: _Zip, spool: Spool, write: Write
    ) -> Member:
        should = self._client.get_md5_hash_for_image(sop_instance_uid)
        member, md5 = content.unproved.get(sop_instance_uid, (None, ""))
        if member is not None and should and md5 == should:
            return member
        return self._single_image(series, sop_instance_uid, should, spool, write)

    def _single_image(self, series: Series, sop_instance_uid: str, should: str, spool: Spool, write: Write) -> Member:
        digest, offset = Digest(), spool.size

        def take(chunk: bytes) -> None:
            write(chunk)
            digest.update(chunk)

        self._client.stream_single_image(series.series_instance_uid, sop_instance_uid, take)
        if should and digest.md5 != should:
            raise SeriesDamaged(f"its MD5 is {digest.md5}, NBIA lists {should}")
        member = stored_member(series, spool, offset, digest, sop_instance_uid)
        if member.sop_instance_uid != sop_instance_uid:
            raise SeriesDamaged(f"it says that it is {member.sop_instance_uid}")
        return member


def _bounded(series: Series, spool: Spool, on_bytes: OnBytes) -> Write:
    """Return what puts the zip and the single images of a series into the spool, all together within its bound."""
    most = _most_bytes(series, spool)

    def write(chunk: bytes) -> None:
        if spool.size + len(chunk) > most:
            raise SeriesDamaged(f"NBIA sends more than {most} bytes, it lists {series.byte_count}")
        spool.write_at(spool.size, chunk)
        on_bytes(len(chunk))

    return write


def _most_bytes(series: Series, spool: Spool) -> int:
    """Return how long NBIA's zip may be at the most; where no size is listed, half of the free disk bounds it."""
    if series.byte_count:
        return _BOMB_FACTOR * series.byte_count + _BOMB_SLACK
    disk = os.fstatvfs(spool.fileno())
    return min(_UNLISTED_MOST, disk.f_bavail * disk.f_frsize // 2)


def _read_zip(series: Series, spool: Spool) -> _Zip:
    """Prove what a zip holds; members keep their compressed bytes in the spool.

    Raises
    ------
    SeriesDamaged
        It is no zip, is cut off, or holds what no zip of NBIA may hold.
    """
    try:
        with parsing(ValueError), zipfile.ZipFile(spool.open_range(0, spool.size)) as archive:
            return _prove(series, archive, spool)
    except (OSError, ValueError) as error:
        head = spool.size and b"".join(spool.read(0, min(spool.size, _HEAD)))
        said = "" if not head or head.startswith(b"PK") else web.shown(head.decode("utf-8", "replace"))
        told = f"NBIA sent {spool.size} bytes that are no whole zip ({error})"
        raise SeriesDamaged(web.with_words(told, said)) from error


def _prove(series: Series, archive: zipfile.ZipFile, spool: Spool) -> _Zip:
    images = _images(archive)
    _refuse_bomb(images.values(), series)
    listed = hashes(archive)
    proved: list[Member] = []
    unproved: dict[str, tuple[Member, str]] = {}
    for name, info in images.items():
        try:
            with parsing(SeriesDamaged):
                member, md5 = _read_member(series, archive, info, spool)
        except SeriesDamaged:
            continue  # an image that cannot be read is one that is missing
        if listed is not None and listed.get(name) == md5:
            proved.append(member)
        else:
            unproved[member.sop_instance_uid] = member, md5
    return _Zip(tuple(proved), unproved, _problem(images, listed, len(proved)), _licence(archive))


def _problem(images: Collection[str], listed: Mapping[str, str] | None, proved: int) -> str:
    if listed is None:
        return f"the zip holds {len(images)} and no md5hashes.csv, the mark of a whole one"
    if set(listed) != set(images):
        return f"the zip holds {len(images)} images, its md5hashes.csv lists {len(listed)}"
    return "" if proved == len(images) else f"{len(images) - proved} of {len(images)} are not what md5hashes.csv says"


def _licence(archive: zipfile.ZipFile) -> str:
    """Return the text of LICENSE (§3.4); empty when it is missing or cannot be read: no image depends on it."""
    try:
        with parsing(ValueError), archive.open(_LICENSE) as file:
            return file.read(_LICENSE_LIMIT).decode("utf-8", "replace").strip()
    except ValueError:
        return ""


def _images(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Return the images by name; refuse names and methods that NBIA's zips never hold (§11.15)."""
    infos = files_of(archive)
    for name, count in Counter(info.filename for info in infos).items():
        if count > 1:
            raise SeriesDamaged(f"NBIA's zip holds {name!r} twice")
        if "/" in name or "\\" in name or name.startswith("."):
            raise SeriesDamaged(f"NBIA's zip holds {name!r}, which is no plain file name")
    if wrong := next((info for info in infos if info.compress_type not in _METHODS or info.flag_bits & 1), None):
        raise SeriesDamaged(f"NBIA's zip holds {wrong.filename!r} encrypted or by method {wrong.compress_type}")
    return {info.filename: info for info in infos if info.filename not in {_LICENSE, HASHES}}


def _refuse_bomb(infos: Iterable[zipfile.ZipInfo], series: Series) -> None:
    """Refuse a zip that would unpack to far more than NBIA lists; no more than these sizes say is inflated."""
    total = sum(info.file_size for info in infos)
    if series.byte_count and total > _BOMB_FACTOR * series.byte_count + _BOMB_SLACK:
        raise SeriesDamaged(f"NBIA's zip would unpack to {total} bytes, NBIA lists {series.byte_count}")


def _read_member(series: Series, archive: zipfile.ZipFile, info: zipfile.ZipInfo, spool: Spool) -> tuple[Member, str]:
    """Inflate one image once, to prove and hash it, and read what it says it is."""
    offset = data_offset(info, b"".join(spool.read(info.header_offset, LOCAL_HEADER)))
    digest = digest_of(info, spool, offset)
    with archive.open(info) as file:
        uid = proved_sop_instance_uid(series, read_identity(cast("BinaryIO", file), info.filename), info.filename)
    return Member(uid, offset, info.compress_size, digest.size, digest.crc32, info.compress_type), digest.md5
