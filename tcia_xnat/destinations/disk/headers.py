"""What the header of an image on disk says: who it is, and where its slices lie."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import read_sequence
from pydicom.tag import BaseTag

from tcia_xnat.core.dicom import HEAD, SHORT, WHOLE, decoded_text, dicom_errors, limited, read_tags, read_whole

_WHO = ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"]
_WHERE = [
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_FLOAT_PIXELS = 0x7FE00008  # the first of the tags of pixel data (PS3.6)
_VOLUMES = {"CT", "MR", "PT", "NM"}  # modalities whose slices make volumes; a SEG has holes on purpose


Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Where one slice lies, in mm, and its size: rows, columns, and the distance of their pixels."""

    name: str
    position: Vector
    orientation: Vector
    size: tuple[int, int]
    pixel_spacing: Vector


@dataclass(frozen=True, slots=True)
class Header:
    """Identifiers of one image, and its slices if it is a part of a volume and they were asked for."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    slices: tuple[Slice, ...] = ()


def read_header(file: BinaryIO, name: str, size: int, *, geometry: bool = False) -> Header:
    """Read the header of an image that is open at its beginning, and prove that its last value ends within the file.

    Raises
    ------
    SeriesDamaged
        It is no DICOM file, says not who it is, or is cut off.
    """
    read_whole(file, size, name)
    file.seek(0)
    with dicom_errors(name):
        tags = [tag_for_keyword(keyword) or 0 for keyword in (*_WHO, *(_WHERE if geometry else ()))]
        dataset = read_tags(file, tags, _at_pixels, WHOLE)
        sop, study, series, patient = (decoded_text(dataset, tag_for_keyword(keyword) or 0) for keyword in _WHO)
        slices = tuple(_slices(dataset, name)) if geometry and _is_of_volume(dataset) else ()
    return Header(sop, study, series, patient, slices)


def _at_pixels(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) >= _FLOAT_PIXELS


def _is_of_volume(dataset: Dataset) -> bool:
    return _value(dataset, "Modality") in _VOLUMES and "LOCALIZER" not in (_value(dataset, "ImageType") or [])


def _slices(dataset: Dataset, name: str) -> Iterator[Slice]:
    """Yield the slice of an image, or of each frame of one with many (PS3.3 C.7.6.16); none without a position."""
    shared = (_items(dataset, "SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = _items(dataset, "PerFrameFunctionalGroupsSequence")
    for number, frame in enumerate(frames or [Dataset()], 1):
        position = _first("PlanePositionSequence", "ImagePositionPatient", frame, shared, dataset)
        orientation = _first("PlaneOrientationSequence", "ImageOrientationPatient", frame, shared, dataset)
        spacing = _first("PixelMeasuresSequence", "PixelSpacing", frame, shared, dataset)
        if len(position) == 3 and len(orientation) == 6:  # noqa: PLR2004  a point, and two directions
            size = (int(_value(dataset, "Rows") or 0), int(_value(dataset, "Columns") or 0))
            yield Slice(f"{name} frame {number}" if frames else name, position, orientation, size, spacing)


def _first(sequence: str, keyword: str, frame: Dataset, shared: Dataset, dataset: Dataset) -> Vector:
    """Return a value of a frame: its own, that of all frames, or that of the image."""
    groups = (_items(group, sequence) for group in (frame, shared))
    holders = [items[0] for items in groups if items] + [dataset]
    value = next(filter(None, (_value(holder, keyword) for holder in holders)), ())
    return tuple(float(number) for number in value)


def _value(dataset: Dataset, keyword: str) -> Any:  # noqa: ANN401  as pydicom has it
    """Return a decoded value; None when it is missing, or so long that it is no honest one."""
    raw: object = dataset.get_item(keyword)
    is_long = isinstance(raw, RawDataElement) and len(raw.value or b"") > SHORT
    return None if is_long else dataset.get(keyword)


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence, within limits: pydicom decodes one of defined length without any."""
    raw: object = dataset.get_item(keyword)
    if not isinstance(raw, RawDataElement):
        return raw.value if isinstance(raw, DataElement) and isinstance(raw.value, Sequence) else ()
    file, size = limited(io.BytesIO(raw.value or b""), HEAD), len(raw.value or b"")
    return read_sequence(file, raw.is_implicit_VR, raw.is_little_endian, size, "iso8859")
