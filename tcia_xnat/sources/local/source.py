"""Series from files on disk: read once into the spool, so that what is proved is what is sent."""

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.dicom import read_whole
from tcia_xnat.core.errors import Error, SeriesDamaged, SeriesIncomplete
from tcia_xnat.core.foreign import parsing
from tcia_xnat.core.model import Member, Series, SeriesPackage, SourceName
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.local.inventory import Inventory, storable
from tcia_xnat.sources.local.model import LOOSE, File, Place, is_zip
from tcia_xnat.sources.local.packed import member_of, unpacked
from tcia_xnat.sources.verification import STORED, Digest, prove_count, proved_sop_instance_uid
from tcia_xnat.sources.zipmember import LOCAL_HEADER, data_offset, digest_of, hashes
from tcia_xnat.staging.spool import Spool

_CHUNK = 1 << 20
_AGAIN = "run the same command again when nobody writes there"


class LocalSource:
    """Fetches series of a tree.

    Proof of a series: every file is what it was when it was planned; each image is DICOM of this series up to its last
    value; what comes twice is the same; their number is that of the plan. In zips every member unpacks to its CRC-32,
    and where there is an md5hashes.csv, all that it lists is there and has its hash.

    Parameters
    ----------
    inventory
        Knows where the images lie.
    problems
        By SeriesInstanceUID why a series cannot be sent.
    notes
        By SeriesInstanceUID what is worth reporting.
    spool_limit
        Bytes above which a series goes in several packages.
    """

    name = SourceName.LOCAL

    def __init__(
        self,
        inventory: Inventory,
        problems: Mapping[str, SeriesDamaged],
        notes: Mapping[str, tuple[str, ...]],
        spool_limit: int,
    ) -> None:
        self._inventory = inventory
        self._problems = problems
        self._notes = notes
        self._spool_limit = spool_limit

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series, proved; see `Source.fetch`."""
        uid = series.series_instance_uid
        if problem := self._problems.get(uid):
            raise problem
        with _Reader(series, spool, on_bytes, self._inventory.name_of) as reader:
            for part in _parts(self._instances(series), self._spool_limit):
                spool.clear()
                yield SeriesPackage(series, self.name, tuple(reader.read(part)), self._notes.get(uid, ()))

    def _instances(self, series: Series) -> list[list[Place]]:
        """Return the places of each image, in the order of the first of them."""
        instances: dict[str, list[Place]] = {}
        for place in self._inventory.places(series.series_instance_uid):
            instances.setdefault(place.sop_instance_uid, []).append(place)
        prove_count(len(instances), series.image_count)
        return list(instances.values())


def _parts(instances: Iterable[list[Place]], limit: int) -> Iterator[list[list[Place]]]:
    """Cut the images into runs of at most `limit` bytes, one image at least."""
    part: list[list[Place]] = []
    size = 0
    for places in instances:
        if part and size + places[0].size > limit:
            yield part
            part, size = [], 0
        part.append(places)
        size += places[0].size
    yield part


class _Reader(Closing):
    """Reads images of a series into the spool, and proves them."""

    def __init__(self, series: Series, spool: Spool, on_bytes: OnBytes, name: Callable[[Place], str]) -> None:
        self._series = series
        self._name = name
        self._spool = spool
        self._on_bytes = on_bytes
        self._zip: _Zip | None = None  # the last one: images lie there one after another
        self._file: _File | None = None  # as the zip: a tar has many

    def read(self, instances: Iterable[Sequence[Place]]) -> Iterator[Member]:
        """Yield each image; the further places of an image must hold the same."""
        offset = 0
        for first, *copies in instances:
            member, md5 = self._proved(first, offset)
            offset += member.compressed_size
            for copy in copies:
                if self._proved(copy, offset)[1] != md5:  # read behind it, where the next image goes
                    raise SeriesDamaged(
                        f"{self._name(first)} and {self._name(copy)} are the same instance with different content",
                        "leave one of them out with --exclude",
                    )
            yield member

    def _proved(self, place: Place, offset: int) -> tuple[Member, str]:
        """Read an image to `offset`; return it with its MD5."""
        try:
            with parsing(lambda said: SeriesDamaged(f"{self._name(place)} does not unpack: {said}")):
                member, md5 = self._zipped(place, offset) if is_zip(place.file.path) else self._plain(place, offset)
        except OSError as error:
            raise SeriesDamaged(f"{self._name(place)} cannot be read: {error.strerror or error}") from error
        except _Changed as error:
            raise SeriesDamaged(f"{self._name(place)} has changed since it was looked at", _AGAIN) from error
        if member.sop_instance_uid != place.sop_instance_uid:
            raise SeriesDamaged(f"{self._name(place)} is another image than when it was looked at", _AGAIN)
        return member, md5

    def _plain(self, place: Place, offset: int) -> tuple[Member, str]:
        """Read an image that is a file, or lies plain in the stream of one."""
        if self._file is None or self._file.file != place.file:
            self.close()
            self._file = _File(place.file)
        digest = Digest()
        self._copy(_digested(iter(partial(self._file.image(place).read, _CHUNK), b""), digest), offset)
        self._file.prove()
        with self._spool.open_range(offset, digest.size) as copied:
            uid = self._uid(copied, digest.size, place)
        return Member(uid, offset, digest.size, digest.size, digest.crc32, STORED), digest.md5

    def _zipped(self, place: Place, offset: int) -> tuple[Member, str]:
        if self._zip is None or self._zip.file != place.file:
            self.close()
            self._zip = _Zip(place.file)
        info = self._zip.info(place)
        self._copy(self._zip.pieces(info), offset)
        digest = digest_of(info, self._spool, offset)
        with self._zip.archive.open(info) as content:
            uid = self._uid(cast("BinaryIO", content), info.file_size, place)
        self._zip.prove(info, digest.md5, self._name(place))
        return Member(uid, offset, info.compress_size, digest.size, digest.crc32, info.compress_type), digest.md5

    def _copy(self, chunks: Iterable[bytes], offset: int) -> None:
        for chunk in chunks:
            self._spool.write_at(offset, chunk)
            self._on_bytes(len(chunk))
            offset += len(chunk)

    def _uid(self, content: BinaryIO, size: int, place: Place) -> str:
        name = self._name(place)
        identity = read_whole(content, size, name)
        if storable(identity.patient_id) != place.patient_id:  # its subject and session were made of that one
            raise SeriesDamaged(f"{name} names another PatientID than when it was looked at", _AGAIN)
        return proved_sop_instance_uid(self._series, identity, name)

    def close(self) -> None:
        """Close the zip and the file that were read last."""
        if self._zip is not None:
            self._zip.close()
            self._zip = None
        if self._file is not None:
            self._file.close()
            self._file = None


def _digested(chunks: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


class _Changed(Error):
    """A file is not what it was when it was looked at."""


class _File:
    """A file on disk: an image, or a stream of them."""

    def __init__(self, file: File) -> None:
        self.file = file
        with ExitStack() as opening:
            self._opened = opening.enter_context(Path(file.path).open("rb"))
            self.prove()
            self._stream = unpacked(self._opened, file.size)
            self._open = opening.pop_all()

    def image(self, place: Place) -> BinaryIO:
        """Return what lies at a place, from its beginning."""
        if place.place != LOOSE:
            return member_of(self._stream, place.place, place.size)
        self._stream.seek(0)
        return self._stream

    def prove(self) -> None:
        """Prove that the file is what it was when it was looked at."""
        _prove_unchanged(self._opened, self.file)

    def close(self) -> None:
        self._open.close()


class _Zip:
    """A zip on disk that is read member by member."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._open = ExitStack()
        with ExitStack() as opening:
            self._opened = opening.enter_context(Path(file.path).open("rb"))
            _prove_unchanged(self._opened, file)
            self.archive = opening.enter_context(zipfile.ZipFile(self._opened))
            self._open = opening.pop_all()
        self._infos = {info.header_offset: info for info in self.archive.infolist()}
        self._hashes = hashes(self.archive) or {}
        self._lacking = self._hashes.keys() - set(self.archive.namelist())

    def info(self, place: Place) -> zipfile.ZipInfo:
        return self._infos[place.place]

    def pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a member as they lie in the zip."""
        at = data_offset(info, os.pread(self._opened.fileno(), LOCAL_HEADER, info.header_offset))
        end = at + info.compress_size
        while at < end:
            chunk = os.pread(self._opened.fileno(), min(_CHUNK, end - at), at)
            if not chunk:
                raise EOFError("it ends early")
            yield chunk
            at += len(chunk)

    def prove(self, info: zipfile.ZipInfo, md5: str, name: str) -> None:
        """Prove that a member is what md5hashes.csv says, that all it lists is there, and the zip what it was."""
        if self._lacking:
            listed = len(self._hashes)
            raise SeriesIncomplete(f"the zip of {name} lacks {len(self._lacking)} of {listed} files that it lists")
        if self._hashes.get(info.filename, md5) != md5:
            raise SeriesDamaged(f"{name} has another MD5 than its md5hashes.csv says")
        _prove_unchanged(self._opened, self.file)

    def close(self) -> None:
        self._open.close()


def _prove_unchanged(opened: BinaryIO, file: File) -> None:
    status = os.fstat(opened.fileno())
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        raise _Changed("it changed")
