"""Deterministic DICOM for a row of the IDC index: its real identifiers, made-up pixels, one size for all files."""

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian

from sandbox import pictures
from sandbox.index import Row
from sandbox.pictures import Layout
from sandbox.uids import acquisition_number, halves, sop_instance_uid

_HEADER_BYTES = 4096  # room for the header; what it leaves is padding
_PADDING = b"\xfc\xff\xfc\xffOB\0\0"  # (FFFC,FFFC), Data Set Trailing Padding (PS3.10 §7.2)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_IN_SPACE = {"CT", "MR", "PT"}
# fmt: off  many to a line
_WITHOUT_PIXELS = {
    "ANN",
    "AU",
    "DOC",
    "ECG",
    "FUSION",
    "KO",
    "M3D",
    "PR",
    "REG",
    "RTPLAN",
    "RTSTRUCT",
    "RWV",
    "SEG",
    "SR",
}
_FRAMES = {
    _STORAGE + number
    for number in (
        "2.1",
        "3.1",
        "4.1",
        "7.2",
        "7.3",
        "7.4",
        "12.1",
        "12.2",
        "13.1.3",
        "13.1.4",
        "13.1.5",
        "20",
        "30",
        "77.1.6",
        "128.1",
        "130",
        "481.2",
    )
}
# fmt: on
_RAW_DATA = f"{_STORAGE}66"
_SLICE_MM = 2.5
_FIELD_MM = 400
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


class Images:
    """The DICOM files of every series.

    Parameters
    ----------
    pixels
        Rows and columns of an image, even.
    incompressible
        Noise instead of a picture, so that a zip is as large as what it holds.
    """

    def __init__(self, pixels: int = 64, *, incompressible: bool = False) -> None:
        if pixels < 16 or pixels % 2:  # noqa: PLR2004  below that nothing can be seen
            raise ValueError(f"pixels must be an even number from 16 on, not {pixels}")
        self.pixels = pixels
        self._incompressible = incompressible
        self.image_bytes = _HEADER_BYTES + 2 * pixels**2
        kept = max(16, (64 << 20) // self.image_bytes)
        self._image = lru_cache(maxsize=kept)(self._make)
        self._template = lru_cache(maxsize=256)(self._make_template)
        self._md5 = lru_cache(maxsize=1 << 17)(self._hash)

    def image(self, row: Row, number: int) -> bytes:
        """Return the DICOM file of instance `number`, from 1, of a series."""
        return self._image(_Series(row), number)

    def md5(self, row: Row, number: int) -> str:
        """Return the MD5 of that file in hex digits."""
        return self._md5(_Series(row), number)

    def _hash(self, series: "_Series", number: int) -> str:
        return hashlib.md5(self._image(series, number), usedforsecurity=False).hexdigest()

    def _make(self, series: "_Series", number: int) -> bytes:
        template = self._template(series)
        head = template.filled(series.row, number)
        data = self._pixels(template.layout, series.row, number) if template.layout else b""
        return b"".join((head, data, template.padding))

    def _pixels(self, layout: Layout, row: Row, number: int) -> bytes:
        count = row["instanceCount"]
        depth = (number - 0.5) / count
        if self._incompressible:
            return pictures.noise(layout, row["SeriesInstanceUID"], depth)
        return pictures.pixels(layout, row["Modality"] or "OT", row["SeriesInstanceUID"], depth, 1 / count)

    def _make_template(self, series: "_Series") -> "_Template":
        layout = layout_of(series.row, self.pixels)
        values = _header(series.row)
        if layout:
            values |= _image_header(series.row, layout)
        head, slots = _encoded(values)
        if layout:
            code = b"OW" if layout.bits == 16 else b"OB"  # noqa: PLR2004  bits of a pixel
            head += struct.pack("<HH2sHI", 0x7FE0, 0x0010, code, 0, layout.length)
        room = self.image_bytes - len(head) - (layout.length if layout else 0) - len(_PADDING) - 4
        if room < 0:
            raise ValueError(f"the header of {series.uid} needs {-room} bytes more than there is room for")
        return _Template(head, slots, layout, _PADDING + struct.pack("<I", room) + bytes(room))


class _Series:
    """A row of the index that can be remembered by its SeriesInstanceUID."""

    __slots__ = ("row", "uid")

    def __init__(self, row: Row) -> None:
        self.row, self.uid = row, row["SeriesInstanceUID"]

    def __hash__(self) -> int:
        return hash(self.uid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Series) and self.uid == other.uid


@dataclass(frozen=True, slots=True)
class _Template:
    """Header and padding of all files of a series; `slots` are where the values of one file go."""

    head: bytes
    slots: Mapping[str, slice]
    layout: Layout | None
    padding: bytes

    def filled(self, row: Row, number: int) -> bytearray:
        head = bytearray(self.head)
        for keyword, value in _of_instance(row, number).items():
            if keyword in self.slots:
                head[self.slots[keyword]] = value.encode()
        return head


def layout_of(row: Row, pixels: int) -> Layout | None:
    """Return how the pixels of a series lie, never more than 2 · pixels² bytes; None for objects without pixels."""
    modality, sop_class, half = row["Modality"] or "OT", _sop_class(row), pixels // 2
    if modality in _WITHOUT_PIXELS or sop_class == _RAW_DATA:
        return None
    many = sop_class in _FRAMES
    if modality in {"SM", "XC", "US"} or (row["PhotometricInterpretation"] or "").startswith(("RGB", "YBR")):
        return Layout(2 if many else 1, half, half, 3, 8)
    if modality in {"XA", "RF"}:
        return Layout(8 if many else 1, half, half, 1, 8)
    if many:
        return Layout(4, half, half, 1, 16)
    return Layout(1, pixels, pixels, 1, 16, signed=modality in _IN_SPACE)


def _of_instance(row: Row, number: int) -> dict[str, str]:
    """Return what differs between the files of a series; each value has one width for all numbers."""
    sop = sop_instance_uid(row, number)
    place = _SLICE_MM * (number - 1)
    return {
        "MediaStorageSOPInstanceUID": sop,
        "SOPInstanceUID": sop,
        "AcquisitionNumber": f"{acquisition_number(row, number):<2}",
        "InstanceNumber": f"{number:<6}",
        "ImagePositionPatient": f"-200\\-200\\{place:<10.1f}",
        "SliceLocation": f"{place:<10.1f}",
    }


def _header(row: Row) -> dict[str, str | int]:
    """Return the elements of all files of a series, those of its first instance included."""
    sop_class, patient = _sop_class(row), _text(row["PatientID"])
    return {
        "MediaStorageSOPClassUID": sop_class,
        "TransferSyntaxUID": ExplicitVRLittleEndian,
        "ImplementationClassUID": "2.25.305828488182831875890203105390285383139",
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": sop_class,
        "StudyDate": _date(row["StudyDate"]),
        "SeriesDate": _date(row["SeriesDate"]),
        "StudyTime": "",
        "AccessionNumber": "",
        "Modality": _code(row["Modality"]) or "OT",
        "Manufacturer": _text(row["Manufacturer"]),
        "ReferringPhysicianName": "",
        "StudyDescription": _text(row["StudyDescription"]),
        "SeriesDescription": _text(row["SeriesDescription"]),
        "ManufacturerModelName": _text(row["ManufacturerModelName"]),
        "PatientName": patient,
        "PatientID": patient,
        "PatientBirthDate": "",
        "PatientSex": row["PatientSex"] if row["PatientSex"] in {"M", "F", "O"} else "",
        "PatientAge": row["PatientAge"] if re.fullmatch(r"\d{3}[DWMY]", row["PatientAge"] or "") else "",
        "BodyPartExamined": _code(row["BodyPartExamined"]),
        "StudyInstanceUID": row["StudyInstanceUID"],
        "SeriesInstanceUID": row["SeriesInstanceUID"],
        "StudyID": "",
        "SeriesNumber": _whole(row["SeriesNumber"]),
        **{key: value for key, value in _of_instance(row, 1).items() if key not in _PLACED},
    }


_PLACED = {"ImagePositionPatient", "SliceLocation"}


def _image_header(row: Row, layout: Layout) -> dict[str, str | int]:
    values: dict[str, str | int] = {
        "SamplesPerPixel": layout.samples,
        "PhotometricInterpretation": "RGB" if layout.samples > 1 else "MONOCHROME2",
        "Rows": layout.rows,
        "Columns": layout.columns,
        "BitsAllocated": layout.bits,
        "BitsStored": layout.bits,
        "HighBit": layout.bits - 1,
        "PixelRepresentation": int(layout.signed),
    }
    if layout.samples > 1:
        values["PlanarConfiguration"] = 0
    if layout.frames > 1:
        values["NumberOfFrames"] = str(layout.frames)
    if row["Modality"] in _IN_SPACE:
        spacing = f"{_FIELD_MM / layout.rows:.6g}"
        values |= {key: value for key, value in _of_instance(row, 1).items() if key in _PLACED}
        values |= {
            "ImageOrientationPatient": r"1\0\0\0\1\0",
            "PixelSpacing": rf"{spacing}\{spacing}",
            "SliceThickness": f"{_SLICE_MM}",
            "FrameOfReferenceUID": "2.25.1" + f"{halves(row['StudyInstanceUID'])[1]:020}",
            "PositionReferenceIndicator": "",
            "RescaleIntercept": "0",
            "RescaleSlope": "1",
        }
    if row["Modality"] == "CT":
        values |= {"WindowCenter": "40", "WindowWidth": "400"}
    return values


def _encoded(values: Mapping[str, str | int]) -> tuple[bytes, dict[str, slice]]:
    """Return preamble, file meta information and data set, and where the value of each element lies."""
    tags = sorted((tag_for_keyword(keyword) or 0, keyword) for keyword in values)
    head, slots = bytearray(bytes(128) + b"DICM"), {}
    meta = _element(0x00020001, "OB", b"\0\1") + b"".join(
        _element(tag, dictionary_VR(tag), _value(tag, values[keyword])) for tag, keyword in tags if tag < 0x00030000  # noqa: PLR2004  group 2
    )  # fmt: skip
    head += _element(0x00020000, "UL", struct.pack("<I", len(meta)))
    head += _element(0x00020001, "OB", b"\0\1")
    for tag, keyword in tags:
        value = _value(tag, values[keyword])
        head += _element(tag, dictionary_VR(tag), value)
        slots[keyword] = slice(len(head) - len(value), len(head))
    return bytes(head), slots


def _value(tag: int, value: str | int) -> bytes:
    if isinstance(value, int):
        return struct.pack("<H", value)
    data = value.encode()
    return data + (b"\0" if dictionary_VR(tag) == "UI" else b" ") * (len(data) % 2)


def _element(tag: int, code: str, value: bytes) -> bytes:
    """Return an element in Explicit VR Little Endian (PS3.5 §7.1.2)."""
    form = "<HH2sHI" if code == "OB" else "<HH2sH"
    length = (0, len(value)) if code == "OB" else (len(value),)
    return struct.pack(form, tag >> 16, tag & 0xFFFF, code.encode(), *length) + value


def _sop_class(row: Row) -> str:
    """Return the first of the SOP classes that the index lists."""
    listed = (row["SOPClassUID"] or "").split(",")[0].strip()
    return listed if re.fullmatch(r"[0-9.]{5,64}", listed) else _SECONDARY_CAPTURE


def _date(text: str | None) -> str:
    found = _DATE.fullmatch(text or "")
    return "".join(found.groups()) if found else ""


def _code(text: str | None) -> str:
    return re.sub(r"[^A-Z0-9 _]", "", (text or "").upper())[:16].strip()


def _whole(text: str | None) -> str:
    return text if text and re.fullmatch(r"[+-]?\d{1,9}", text) else ""


def _text(text: str | None) -> str:
    """Return a text that VR LO takes: 64 characters, the blank that makes its length even being one of them."""
    found = re.sub(r"[\\\x00-\x1f\x7f]", " ", text or "").strip()[:64]
    return found[: 64 - len(found.encode()) % 2]
