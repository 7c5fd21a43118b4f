"""What a DICOM file says it is: its four identifiers, read and never written."""

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, cast

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.core.foreign import parsing

_SERIES_INSTANCE_UID = 0x0020000E  # the last of the four in the order of tags (DICOM PS3.6)
_PADDING = {0, 0xFFFFFFFF}  # no tags of any data set
_META_GROUP, _TRANSFER_SYNTAX_UID = 0x0002, 0x00020010
_UNDEFINED = 0xFFFFFFFF  # length of a value that has an end mark (PS3.5 §7.1.1)
SHORT = 1 << 12  # bytes of a value: above it is not read when only its place is asked for, and never decoded
_CHUNK = 1 << 16
_RATIO, _SMALL = 200, 64 << 20  # images that deflate better than this, and are larger, are bombs

MARK = slice(128, 132)  # "DICM", after the preamble (PS3.10 §7.1)
_FIRST_GROUPS, _TAG = {b"\x02\0", b"\x08\0"}, 8  # bytes of the shortest element

StopWhen = Callable[[BaseTag, str | None, int], bool]


class Limits(NamedTuple):
    """How many bytes of a file a parser takes, and in how many reads.

    An element takes two or three reads, 10 microseconds and 400 bytes of memory; an item takes more of all.
    """

    size: int
    reads: int


HEAD = Limits(64 << 20, 250_000)
"""Up to the identifiers: lists of the 30,000 images that a segmentation refers to stand before them."""

WHOLE = Limits(512 << 20, 2_000_000)
"""Up to the pixels or the end: each frame of a large segmentation has a header."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs and the PatientID of one DICOM file, without padding; empty when the file does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str = ""


_UIDS = [tag_for_keyword(it) or 0 for it in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")]
_PATIENT_ID = 0x00100020


def read_identity(file: BinaryIO, name: str) -> Identity:
    """Read the identifiers from the head of a DICOM file; pixel data are not touched.

    Parameters
    ----------
    file
        Open at the beginning of the preamble.
    name
        For the message, when it is no DICOM file.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, or is cut off before the identifiers.
    """
    with dicom_errors(name):
        read_preamble(file, force=False)  # what archives offer has one
        file.seek(0)
        return _identity(read_tags(file, [*_UIDS, _PATIENT_ID], _after_identifiers))


def read_whole(file: BinaryIO, size: int, name: str) -> Identity:
    """Read the identifiers of a DICOM file, and prove that its last value ends within its `size` bytes.

    Zeros or bytes of 0xFF behind that value are padding, as tapes and some workstations leave it.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, or is cut off.
    """
    with dicom_errors(name):
        dataset = read_tags(file, None, _at_padding, WHOLE)
        identity = _identity(dataset)
        is_cut = not identity.sop_instance_uid or _end(dataset) > size
        is_followed = not is_deflated_syntax(dataset.file_meta) and _is_followed(file)
    if is_cut:
        raise SeriesDamaged(f"{name} is cut off")
    if is_followed:
        raise SeriesDamaged(f"{name} holds something else behind its last value")
    return identity


@contextmanager
def dicom_errors(name: str) -> Iterator[None]:
    """Turn whatever pydicom raises over a file into SeriesDamaged."""
    with parsing(lambda said: SeriesDamaged(f"{name} is not readable as DICOM: {said}")):
        yield


def read_tags(
    file: BinaryIO, tags: Sequence[int] | None, stop_when: StopWhen | None, limits: Limits = HEAD
) -> FileDataset:
    """Read a part of a header, within limits of bytes, elements and depth.

    Parameters
    ----------
    file
        Open at its beginning, which is the preamble, or the first element where there is no preamble.
    tags
        What is kept, the rest is skipped unread; None keeps all values that are short.
    stop_when
        Told tag, VR and length of each element, whether reading ends before it; None reads to the end.

    Raises
    ------
    Exception
        Whatever pydicom raises, see `dicom_errors`; ValueError for a header that is too large.
    """
    meta, start = _read_meta(limited(file, HEAD))
    file.seek(start)
    if is_deflated_syntax(meta):
        file = io.BytesIO(_inflated(file, is_whole=tags is None))
    is_implicit = not _is_explicit(file)
    is_little = text_of(meta, _TRANSFER_SYNTAX_UID) != ExplicitVRBigEndian
    dataset = read_dataset(
        limited(file, limits),
        is_implicit,
        is_little,
        stop_when=stop_when,
        defer_size=SHORT if tags is None else None,
        specific_tags=None if tags is None else list(tags),
    )
    return FileDataset("", dataset, file_meta=meta, is_implicit_VR=is_implicit, is_little_endian=is_little)


def is_bare(head: bytes) -> bool:
    """Whether a file may be a data set without preamble: it begins with an element of group 0002 or 0008."""
    return head[MARK] != b"DICM" and len(head) > _TAG and head[:2] in _FIRST_GROUPS and head[3] == 0


def text_of(dataset: Dataset, tag: int) -> str:
    """Return a value as its bytes are, without padding; empty when it is missing or no text."""
    value: object = getattr(dataset.get_item(tag), "value", None)
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0 ")
    return value.strip("\0 ") if isinstance(value, str) else ""


def decoded_text(dataset: Dataset, tag: int) -> str:
    """Return a value in the file's own character set, without padding; also one that DICOM would not allow there.

    Raises
    ------
    ValueError
        It is far longer than any honest one: decoding may take a hundred times its size.
    """
    raw: object = getattr(dataset.get_item(tag), "value", b"")
    if isinstance(raw, bytes) and len(raw) > SHORT:
        raise ValueError(f"its value of {BaseTag(tag)} has {len(raw)} bytes")
    if isinstance(raw, bytes) and not raw.isascii():
        with suppress(ValueError, TypeError, LookupError):  # else it stays as its bytes are
            raw = str(dataset[tag].value)
    return (raw.decode("latin-1") if isinstance(raw, bytes) else str(raw or "")).strip("\0 ")


def is_deflated_syntax(meta: Dataset) -> bool:
    """Whether all behind this file meta information is one deflate stream (PS3.5 §A.5)."""
    return text_of(meta, _TRANSFER_SYNTAX_UID) == DeflatedExplicitVRLittleEndian


def _identity(dataset: Dataset) -> Identity:
    sop_class, sop, study, series = (text_of(dataset, tag) for tag in _UIDS)
    return Identity(sop_class, sop, study, series, decoded_text(dataset, _PATIENT_ID))


def _end(dataset: FileDataset) -> int:
    """Return where the last value ends, 0 when that is proved: without its end mark a value is not read."""
    last: object = dataset.get_item(list(dataset.keys())[-1], keep_deferred=True)
    if not isinstance(last, RawDataElement) or last.length == _UNDEFINED:
        return 0
    if is_deflated_syntax(dataset.file_meta):
        return 0  # places are those in the inflated data, whose end zlib has proved
    return last.value_tell + last.length


def _after_identifiers(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) > _SERIES_INSTANCE_UID


def _at_padding(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) in _PADDING


def _is_followed(file: BinaryIO) -> bool:
    """Whether more than padding comes after what was read."""
    while chunk := file.read(_CHUNK):
        if chunk.strip(b"\0\xff"):
            return True
    return False


def _after_meta(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return tag.group != _META_GROUP


def _read_meta(file: BinaryIO) -> tuple[FileMetaDataset, int]:
    """Read the file meta information, undecoded, and return it with the place where it ends.

    Data sets without preamble are taken as XNAT takes them, with the file meta information or without.
    """
    head = file.read(MARK.stop)
    file.seek(0)
    if is_bare(head):
        if int.from_bytes(head[:2], "little") != _META_GROUP:
            return FileMetaDataset(), 0
    else:
        read_preamble(file, force=False)
    meta = read_dataset(file, False, True, stop_when=_after_meta)  # noqa: FBT003  explicit VR, little endian
    return FileMetaDataset(meta), file.tell()


def _is_explicit(file: BinaryIO) -> bool:
    """Whether the first element has a VR, whatever the transfer syntax says; `file` stays where it is."""
    start = file.tell()
    representation = file.read(6)[4:]
    file.seek(start)
    return representation.isalpha() and representation.isupper()


def _inflated(file: BinaryIO, *, is_whole: bool) -> bytes:
    """Return the beginning of a deflate stream, never more of it than `HEAD`.

    Parameters
    ----------
    is_whole
        The rest is inflated as well, and dropped, to prove that the stream ends.

    Raises
    ------
    ValueError, zlib.error, EOFError
        It is a bomb, no deflate stream, or is cut off.
    """
    inflater, head, size, taken = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0, 0
    while not inflater.eof and (is_whole or len(head) < HEAD.size):
        piece = inflater.unconsumed_tail or file.read(_CHUNK)
        if not piece and is_whole:
            raise EOFError("the deflate stream is cut off")
        if not piece:
            break
        chunk = inflater.decompress(piece, _CHUNK)
        size, taken = size + len(chunk), taken + len(piece) - len(inflater.unconsumed_tail)
        if size > max(_SMALL, _RATIO * taken):
            raise ValueError(f"it inflates to more than {_RATIO} times its size")
        head += chunk[: HEAD.size - len(head)]
    return bytes(head)


def limited(file: BinaryIO, limits: Limits) -> BinaryIO:
    """Return a file of which a parser reads no more than `limits`; what goes beyond is a ValueError."""
    return cast("BinaryIO", _Limited(file, limits))


class _Limited:
    """See `limited`; seeking is free."""

    name = "header"  # pydicom asks files for one

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._left, self._reads = file, limits.size, limits.reads
        self.tell, self.close = file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        data = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0 or self._reads < 0:
            raise ValueError("its header is too large")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)
