"""What the header of an image on disk says: who it is, and where its slices lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from tcia_xnat.dicom import dicom_errors, read_tags, read_whole

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
        dataset = read_tags(file, tags, _at_pixels)
        sop, study, series, patient = (str(dataset.get(keyword) or "") for keyword in _WHO)
        slices = tuple(_slices(dataset, name)) if geometry and _is_of_volume(dataset) else ()
    return Header(sop, study, series, patient, slices)


def _at_pixels(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) >= _FLOAT_PIXELS


def _is_of_volume(dataset: Dataset) -> bool:
    return dataset.get("Modality") in _VOLUMES and "LOCALIZER" not in (dataset.get("ImageType") or [])


def _slices(dataset: Dataset, name: str) -> Iterator[Slice]:
    """Yield the slice of an image, or of each frame of one with many (PS3.3 C.7.6.16); none without a position."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    for number, frame in enumerate(frames or [Dataset()], 1):
        position = _first("PlanePositionSequence", "ImagePositionPatient", frame, shared, dataset)
        orientation = _first("PlaneOrientationSequence", "ImageOrientationPatient", frame, shared, dataset)
        spacing = _first("PixelMeasuresSequence", "PixelSpacing", frame, shared, dataset)
        if len(position) == 3 and len(orientation) == 6:  # noqa: PLR2004  a point, and two directions
            size = (int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0))
            yield Slice(f"{name} frame {number}" if frames else name, position, orientation, size, spacing)


def _first(sequence: str, keyword: str, frame: Dataset, shared: Dataset, dataset: Dataset) -> Vector:
    """Return a value of a frame: its own, that of all frames, or that of the image."""
    groups = (group.get(sequence) for group in (frame, shared))
    holders = [items[0] for items in groups if items] + [dataset]
    value = next((holder.get(keyword) for holder in holders if holder.get(keyword)), ())
    return tuple(float(number) for number in value)
