"""Inflating as strictly as Java: every byte flipped, cut or added is either refused or does not matter."""

import zipfile
import zlib
from collections.abc import Iterator

import pytest

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.sources.inflate import inflated

CONTENT = bytes(range(256)) * 9000  # more than two chunks


def deflated(content: bytes) -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


STREAM = deflated(CONTENT)


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def info(method: int, size: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("1-1.dcm")
    made.compress_type, made.file_size = method, size
    return made


@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_a_deflated_member(piece: int) -> None:
    chunks = list(inflated(in_pieces(STREAM, piece), info(zipfile.ZIP_DEFLATED, len(CONTENT))))
    assert b"".join(chunks) == CONTENT
    assert max(map(len, chunks)) <= 1 << 20


def test_a_stored_member() -> None:
    assert b"".join(inflated(in_pieces(CONTENT, 1000), info(zipfile.ZIP_STORED, len(CONTENT)))) == CONTENT


def test_nothing() -> None:
    assert b"".join(inflated([deflated(b"")], info(zipfile.ZIP_DEFLATED, 0))) == b""


@pytest.mark.parametrize("stream", [STREAM[:-1], STREAM + b"\0", STREAM * 2, STREAM[:100], b""])
def test_a_stream_with_another_end(stream: bytes) -> None:
    with pytest.raises(SeriesDamaged):
        list(inflated([stream], info(zipfile.ZIP_DEFLATED, len(CONTENT))))


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_another_size(size: int, method: int) -> None:
    stream = STREAM if method == zipfile.ZIP_DEFLATED else CONTENT
    with pytest.raises(SeriesDamaged):
        list(inflated([stream], info(method, size)))


def test_a_bomb_is_not_unpacked() -> None:
    chunks = inflated([deflated(bytes(1 << 28))], info(zipfile.ZIP_DEFLATED, 1 << 21))
    assert len(next(chunks)) + len(next(chunks)) == 1 << 21
    with pytest.raises(SeriesDamaged):
        next(chunks)
