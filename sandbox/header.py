"""What the header of an image says: the values of its series in the IDC index, and those of one instance."""

import re

from pydicom.uid import ExplicitVRLittleEndian

from sandbox.index import Row
from sandbox.pictures import Layout
from sandbox.uids import acquisition_number, halves, sop_instance_uid

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


def of_instance(row: Row, number: int) -> dict[str, str]:
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


def header(row: Row) -> dict[str, str | int]:
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
        **{key: value for key, value in of_instance(row, 1).items() if key not in _PLACED},
    }


_PLACED = {"ImagePositionPatient", "SliceLocation"}


def image_header(row: Row, layout: Layout) -> dict[str, str | int]:
    """Return the elements that an image has because it has pixels."""
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
        values |= {key: value for key, value in of_instance(row, 1).items() if key in _PLACED}
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
