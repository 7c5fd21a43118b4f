"""What the lanes' side and the worker say to each other: messages with their length before them."""

import json
import socket
from collections.abc import Sequence
from typing import NamedTuple

LENGTH = 4  # bytes of the length before each message


class Size(NamedTuple):
    """How large a picture may become: pixels of its longer side, and bytes."""

    pixels: int
    most_bytes: int


class Range(NamedTuple):
    """Where an image lies in the spool, as `Member` has it."""

    offset: int
    compressed_size: int
    size: int
    method: int


class Request(NamedTuple):
    """What is to be drawn: one of the images of a series."""

    modality: str
    images: Sequence[Range]
    size: Size


def encoded(request: Request) -> bytes:
    """Return a request as a message."""
    return framed(json.dumps(request).encode())


def decoded(message: bytes) -> Request:
    """Return the request of a message."""
    modality, images, size = json.loads(message)
    return Request(modality, [Range(*image) for image in images], Size(*size))


def framed(message: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(message).to_bytes(LENGTH, "big") + message


def receive(end: socket.socket) -> bytes:
    """Read a message.

    Raises
    ------
    EOFError
        The other side is gone.
    OSError
    """
    return receive_exactly(end, int.from_bytes(receive_exactly(end, LENGTH), "big"))


def receive_exactly(end: socket.socket, length: int) -> bytes:
    """Read so many bytes; raises as `receive` does."""
    data = bytearray()
    while len(data) < length:
        chunk = end.recv(min(length - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)
