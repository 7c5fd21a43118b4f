"""The zip that goes to XNAT: a stream of known length over ranges of a spool file, never re-compressed.

Members keep the bytes that the source sent, deflated or stored; only the headers around them are made anew, with
CRC and sizes known. XNAT reads local headers one after another (java.util.zip.ZipInputStream) and refuses a stored
member with a data descriptor, and a small one with zip64 sizes in it (xnat-http.md §5.7): neither is ever written.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain

from tcia_xnat.core.model import Member
from tcia_xnat.core.uids import image_name
from tcia_xnat.staging.spool import Spool

_JOIN_BELOW = 1 << 16  # smaller pieces are joined, so that 10,000 small members are not 20,000 packets
_MAX32 = 0xFFFFFFFF
_MAX16 = 0xFFFF
_PLAIN, _ZIP64 = 20, 45  # "version needed to extract"
_EPOCH_DATE = 0x21  # 1980-01-01, so that the same members give the same bytes


class ZipStream:
    """The zip of `members`, read from `spool` while it is sent.

    It can be sent more than once: every iteration starts at the beginning. `requests` takes length from `len()`
    and the body from the iteration, so that no chunk is copied on its way to the socket.

    Parameters
    ----------
    spool
        Holds the bytes of the members.
    members
        What goes into the zip, in this order, each as `<SOPInstanceUID>.dcm`.
    """

    def __init__(self, spool: Spool, members: Sequence[Member]) -> None:
        self._spool = spool
        self._members = tuple(members)
        headers = [_local_header(member) for member in self._members]
        lengths = [len(header) + member.compressed_size for header, member in zip(headers, self._members, strict=True)]
        *starts, end = accumulate(lengths, initial=0)
        self._directory = _directory(self._members, starts, end)
        self._length = end + len(self._directory)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return _joined(chain(chain.from_iterable(map(self._pieces, self._members)), [self._directory]))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Do nothing: an iteration always starts at the beginning; xnatpy asks for it before each try."""
        del offset, whence
        return 0

    def _pieces(self, member: Member) -> Iterator[bytes]:
        yield _local_header(member)
        yield from self._spool.read(member.offset, member.compressed_size)


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > _JOIN_BELOW and waiting:
            yield b"".join(waiting)
            waiting, size = [], 0
        if len(piece) > _JOIN_BELOW:
            yield piece
        elif piece:
            waiting.append(piece)
            size += len(piece)
    if waiting:
        yield b"".join(waiting)


def _name(member: Member) -> bytes:
    return image_name(member.sop_instance_uid).encode("ascii")


def _is_large(member: Member) -> bool:
    return max(member.size, member.compressed_size) >= _MAX32


def _local_header(member: Member) -> bytes:
    name = _name(member)
    size, compressed_size, extra = member.size, member.compressed_size, b""
    if _is_large(member):
        extra = struct.pack("<HHQQ", 1, 16, size, compressed_size)
        size = compressed_size = _MAX32
    return (
        struct.pack(
            "<4s5H3I2H",
            b"PK\x03\x04",
            _ZIP64 if extra else _PLAIN,
            0,
            member.method,
            0,
            _EPOCH_DATE,
            member.crc32,
            compressed_size,
            size,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def _central_header(member: Member, start: int) -> bytes:
    name = _name(member)
    sizes = (member.size, member.compressed_size)
    large = _is_large(member) or start >= _MAX32
    extra = struct.pack("<HHQQQ", 1, 24, *sizes, start) if large else b""
    shown = (_MAX32, _MAX32, _MAX32) if large else (*sizes, start)
    version = _ZIP64 if large else _PLAIN
    return (
        struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            version,
            version,
            0,
            member.method,
            0,
            _EPOCH_DATE,
            member.crc32,
            shown[1],
            shown[0],
            len(name),
            len(extra),
            0,
            0,
            0,
            0,
            shown[2],
        )
        + name
        + extra
    )


def _directory(members: Sequence[Member], starts: Sequence[int], offset: int) -> bytes:
    headers = b"".join(_central_header(member, start) for member, start in zip(members, starts, strict=True))
    count, size = len(members), len(headers)
    end64 = b""
    if count >= _MAX16 or size >= _MAX32 or offset >= _MAX32:
        end64 = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, _ZIP64, _ZIP64, 0, 0, count, count, size, offset)
        end64 += struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
    shown = min(count, _MAX16)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, shown, shown, min(size, _MAX32), min(offset, _MAX32), 0)
    return headers + end64 + end
