"""A member of a zip, inflated as strictly as Java does it: what XNAT cannot unpack is not proved here."""

import zipfile
from collections.abc import Iterable, Iterator

from isal import isal_zlib

from tcia_xnat.core.errors import SeriesDamaged

_CHUNK = 1 << 20


def inflated(pieces: Iterable[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member in chunks of at most 1 MiB, never more of it than the zip says.

    zipfile is content with a deflate stream whose last block is not marked; java.util.zip is not
    (xnat-http.md §5.7), and the bytes go to XNAT as they came.

    Parameters
    ----------
    pieces
        The member's bytes as they lie in the zip, `info.compress_size` of them.
    info
        What the zip's directory says of the member; its CRC is left to the caller.

    Raises
    ------
    SeriesDamaged
        It is no deflate stream, or longer or shorter than the zip says.
    """
    size = 0
    for chunk in pieces if info.compress_type == zipfile.ZIP_STORED else _inflated(pieces, info.filename):
        size += len(chunk)
        if size > info.file_size:
            break
        yield chunk
    if size != info.file_size:
        raise SeriesDamaged(f"{info.filename} does not unpack to the {info.file_size} bytes that the zip says")


def _inflated(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    inflater = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS)
    left = b""
    try:
        for piece in pieces:
            left = piece
            while left and not inflater.eof:
                yield inflater.decompress(left, _CHUNK)
                left = inflater.unconsumed_tail
        yield inflater.flush()
    except isal_zlib.error as error:  # type: ignore[misc]  # isal's stubs take the class for an instance
        raise SeriesDamaged(f"{name} cannot be unpacked: {error}") from error
    if not inflater.eof or left or inflater.unused_data:
        raise SeriesDamaged(f"{name} does not end where the zip says")
