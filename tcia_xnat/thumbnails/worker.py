"""The process that draws: it gets a spool and where its images lie, and answers with a picture, or with nothing.

It belongs to one run and ends with it: the other end of its socket closes. What foreign images do to it is caught by
`Painter`, which waits for a time and starts another one.
"""

import io
import os
import resource
import signal
import socket
import sys
import zlib
from contextlib import suppress
from typing import BinaryIO

from tcia_xnat.staging.spool import open_range
from tcia_xnat.thumbnails.middle import HEAD_BYTES, middle, of_slide, place
from tcia_xnat.thumbnails.protocol import LENGTH, Range, Request, decoded, framed, receive_exactly
from tcia_xnat.thumbnails.render import render

_MEMORY_BYTES = 4 << 30  # of addresses; a frame and its copies need a tenth
_INFLATED_BYTES = 128 << 20  # a deflated image has to be unpacked from its beginning
_STORED = 0
_NICE = 5  # transfers first


def draw(descriptor: int, request: Request) -> bytes:
    """Return the picture of the series whose images lie in a file; nothing when there is none to be had."""
    chosen = request.images[_chosen(descriptor, request)]
    file = _opened(descriptor, chosen)
    return render(file, request.size) if file else b""


def _chosen(descriptor: int, request: Request) -> int:
    heads = [_head(descriptor, image) for image in request.images]
    if request.modality == "SM":
        return of_slide(heads, [image.size for image in request.images])
    return middle([place(head) for head in heads])


def _head(descriptor: int, image: Range) -> bytes:
    data = os.pread(descriptor, min(HEAD_BYTES, image.compressed_size), image.offset)
    return data if image.method == _STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, HEAD_BYTES)


def _opened(descriptor: int, image: Range) -> BinaryIO | None:
    file = open_range(descriptor, image.offset, image.compressed_size)
    if image.method == _STORED:
        return file
    if image.size > _INFLATED_BYTES:
        return None
    return io.BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), image.size))


def serve(end: socket.socket) -> None:
    """Draw what is asked for until the other side is gone."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(end, LENGTH, 1)
        if not descriptors:
            return
        try:
            request = decoded(receive_exactly(end, int.from_bytes(head, "big")))
            picture = draw(descriptors[0], request)
        except Exception:  # noqa: BLE001  a broken image has no picture, whatever broke
            picture = b""
        finally:
            os.close(descriptors[0])
        end.sendall(framed(picture))


def main() -> None:
    """Serve on the socket whose descriptor is the last argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which then closes the socket
    with suppress(OSError, ValueError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    os.nice(_NICE)
    with socket.socket(fileno=int(sys.argv[-1])) as end:
        serve(end)


if __name__ == "__main__":
    main()
