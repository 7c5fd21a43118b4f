"""The zip that goes to XNAT, read by others: zipfile, and a reader of local headers alone."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.model import Member
from tcia_xnat.staging import zipstream
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream

STORED, DEFLATED = 0, 8
Files = dict[str, tuple[bytes, int]]

files = st.dictionaries(
    st.from_regex(r"[12](\.[1-9][0-9]{0,4}){1,5}", fullmatch=True),
    st.tuples(st.binary(max_size=3000), st.sampled_from([STORED, DEFLATED])),
    max_size=12,
)


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def put(spool: Spool, content: Files) -> list[Member]:
    """Write files into the spool with rubbish between them, as the headers of a source's own zip are."""
    members = []
    for uid, (data, method) in content.items():
        offset = spool.size + 7
        packed = data if method == STORED else deflated(data)
        spool.write_at(offset, packed)
        members.append(Member(uid, offset, len(packed), len(data), zlib.crc32(data), method))
    return members


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(files)
def test_any_files_come_out_as_they_went_in_and_the_length_is_known_before(content: Files) -> None:
    with Spool() as spool:
        stream = ZipStream(spool, put(spool, content))
        data = b"".join(stream)
    assert len(data) == len(stream)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"{uid}.dcm": file for uid, (file, _) in content.items()
        }


def test_members_keep_the_compressed_bytes_of_the_source(spool: Spool) -> None:
    data = bytes(range(256)) * 40
    members = put(spool, {"1.2": (data, DEFLATED)})
    assert deflated(data) in b"".join(ZipStream(spool, members))


def test_local_headers_alone_tell_everything(spool: Spool) -> None:
    """XNAT reads a zip as java.util.zip.ZipInputStream does: no central directory, and no descriptors for stored."""
    content: Files = {"1.2": (b"a" * 1000, STORED), "1.3": (b"b" * 1000, DEFLATED)}
    data = b"".join(ZipStream(spool, put(spool, content)))
    at = 0
    for uid, (file, method) in content.items():
        mark, _, flags, stored_as, _, _, crc, packed, size, name, extra = struct.unpack_from("<4s5H3I2H", data, at)
        assert (mark, flags, stored_as, crc, size, extra) == (b"PK\x03\x04", 0, method, zlib.crc32(file), len(file), 0)
        at += 30
        assert data[at : at + name] == f"{uid}.dcm".encode()
        at += name + packed
    assert data[at : at + 4] == b"PK\x01\x02"


def test_it_can_be_sent_twice_with_the_same_bytes(spool: Spool) -> None:
    stream = ZipStream(spool, put(spool, {"1.2": (b"x" * 200_000, STORED), "1.3": (b"y", STORED)}))
    assert b"".join(stream) == b"".join(stream)


def test_more_members_than_a_plain_zip_can_count(spool: Spool) -> None:
    spool.write_at(0, b"!")
    members = [Member(f"1.2.{number}", 0, 1, 1, zlib.crc32(b"!"), STORED) for number in range(65_536)]
    data = b"".join(ZipStream(spool, members))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == 65_536
        assert archive.read("1.2.65535.dcm") == b"!"


def test_a_member_of_more_than_four_gigabytes_has_zip64_sizes_in_its_headers(spool: Spool) -> None:
    size = 5 << 30
    member, after = Member("1.2", 0, size, size, 1, STORED), Member("1.3", 0, 1, 1, zlib.crc32(b"!"), STORED)
    stream = ZipStream(spool, [member, after])
    pieces = iter(stream._pieces(member))
    header = next(pieces)
    assert struct.unpack_from("<II", header, 18) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert struct.unpack("<HHQQ", header[-20:]) == (1, 16, size, size)
    listed = zipfile.ZipFile(_Tail(len(stream), stream._directory))
    assert [(info.file_size, info.header_offset) for info in listed.infolist()] == [(size, 0), (1, size + 57)]


MAX32, MAX16 = 0xFFFFFFFF, 0xFFFF
PLAIN, ZIP64 = 20, 45


@pytest.mark.parametrize(
    ("size", "packed", "is_zip64"),
    [
        (MAX32 - 1, MAX32 - 1, False),
        (MAX32, 100, True),  # as a plain size it would say "see the zip64 extra field"
        (MAX32, MAX32, True),
        (100, MAX32, True),
        (MAX32 + 1, MAX32 + 1, True),
    ],
)
def test_sizes_are_zip64_from_the_largest_plain_one_on(spool: Spool, size: int, packed: int, *, is_zip64: bool) -> None:
    member = Member("1.2", 0, packed, size, 1, DEFLATED)
    stream = ZipStream(spool, [member])
    version, *_, shown_packed, shown, _name, extra = struct.unpack_from("<4x5H3I2H", next(stream._pieces(member)))
    assert (version, extra) == ((ZIP64, 20) if is_zip64 else (PLAIN, 0))
    assert (shown, shown_packed) == ((MAX32, MAX32) if is_zip64 else (size, packed))
    (info,) = zipfile.ZipFile(_Tail(len(stream), stream._directory)).infolist()
    assert (info.file_size, info.compress_size, info.header_offset) == (size, packed, 0)
    assert info.extract_version == version


@pytest.mark.parametrize(("start", "is_zip64"), [(MAX32 - 1, False), (MAX32, True), (MAX32 + 1, True)])
def test_places_are_zip64_from_the_largest_plain_one_on(spool: Spool, start: int, *, is_zip64: bool) -> None:
    before = Member("1.2", 0, start - 37, start - 37, 1, STORED)  # its header has 37 bytes
    stream = ZipStream(spool, [before, Member("1.3", 0, 1, 1, 1, STORED)])
    infos = zipfile.ZipFile(_Tail(len(stream), stream._directory)).infolist()
    assert [info.header_offset for info in infos] == [0, start]
    assert [info.extract_version for info in infos] == [PLAIN, ZIP64 if is_zip64 else PLAIN]


def end_of(stream: ZipStream) -> tuple[bool, int, int, int]:
    """Return whether there is a zip64 end of the directory, and count, size and place as the plain end shows them."""
    count, size, place = struct.unpack_from("<HII", stream._directory, len(stream._directory) - 12)
    return stream._directory[-42:-38] == b"PK\x06\x07", count, size, place


@pytest.mark.parametrize(("place", "is_zip64"), [(MAX32 - 1, False), (MAX32, True), (MAX32 + 1, True)])
def test_the_directory_is_zip64_from_the_largest_plain_place_on(spool: Spool, place: int, *, is_zip64: bool) -> None:
    stream = ZipStream(spool, [Member("1.2", 0, place - 37, place - 37, 1, STORED)])
    assert len(stream) - len(stream._directory) == place
    found, _, _, shown = end_of(stream)
    assert (found, shown) == (is_zip64, min(place, MAX32))


@pytest.mark.parametrize(("count", "is_zip64"), [(MAX16 - 1, False), (MAX16, True)])
def test_the_directory_is_zip64_from_the_largest_plain_count_on(spool: Spool, count: int, *, is_zip64: bool) -> None:
    stream = ZipStream(spool, [Member("1.2", 0, 1, 1, 1, STORED)] * count)
    assert end_of(stream)[:2] == (is_zip64, count)


@pytest.mark.parametrize(("beyond", "is_zip64"), [(0, True), (1, False)])
def test_the_directory_is_zip64_from_the_largest_plain_length_on(
    monkeypatch: pytest.MonkeyPatch, beyond: int, *, is_zip64: bool
) -> None:
    """A directory of 4 GiB has 80 million members: here the limit is small."""
    members = [Member("1.2", 0, 1, 1, 1, STORED)] * 10
    length = 10 * (46 + len("1.2.dcm"))  # longer than what lies before it
    monkeypatch.setattr(zipstream, "_MAX32", length + beyond)
    directory = zipstream._directory(members, [0] * 10, 10 * 38)
    assert (b"PK\x06\x06" in directory) == is_zip64


def test_many_small_members_are_few_chunks(spool: Spool) -> None:
    members = put(spool, {f"1.2.{number}": (b"z" * 100, STORED) for number in range(1, 2000)})
    assert sum(1 for _ in ZipStream(spool, members)) < 20


def test_a_spool_that_is_too_short_is_an_error_and_no_short_zip(spool: Spool) -> None:
    spool.write_at(0, b"abc")
    with pytest.raises(EOFError):
        b"".join(ZipStream(spool, [Member("1.2", 0, 10, 10, 0, STORED)]))


class _Tail(io.BytesIO):
    """A huge file of which only the end exists."""

    def __init__(self, length: int, tail: bytes) -> None:
        super().__init__(tail)
        self._before = length - len(tail)

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(offset, whence) + self._before if whence else super().seek(offset - self._before)

    def tell(self) -> int:
        return super().tell() + self._before
