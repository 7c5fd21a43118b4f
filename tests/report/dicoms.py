"""DICOM files of many kinds with pixels of a test's choice, packages of them in a spool, and pictures read again."""

import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tcia_xnat.core.model import Member, Series, SeriesPackage, SourceName
from tcia_xnat.staging.spool import Spool

Pixels = NDArray[Any]
SERIES, STUDY = "1.2.826.9.1", "1.2.826.9"


def ramp(rows: int = 64, columns: int = 64, top: int = 1000) -> Pixels:
    """Return an image that is darkest at its upper left and brightest at its lower right."""
    down, across = np.mgrid[0:rows, 0:columns]
    made: Pixels = ((down / rows + across / columns) / 2 * top).astype(np.uint16)
    return made


def square(number: int, of: int, size: int = 64) -> Pixels:
    """Return black with a white column whose place tells the number."""
    made = np.zeros((size, size), np.uint16)
    width = size // of
    made[:, number * width : (number + 1) * width] = 1000
    return made


def dicom(pixels: Pixels | None, syntax: str = ExplicitVRLittleEndian, **changed: Any) -> bytes:  # noqa: ANN401  elements
    """Return a DICOM file; the last axis of three or four are colours unless NumberOfFrames is given."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, UID("1.2.3")
    meta.TransferSyntaxUID = UID(syntax) if syntax != RLELossless else ExplicitVRLittleEndian
    is_little = syntax != ExplicitVRBigEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_little_endian=is_little)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, UID("1.2.3")
    dataset.Modality, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "CT", STUDY, SERIES
    if pixels is not None:
        _fill(dataset, pixels, int(changed.get("NumberOfFrames", 1)), syntax)
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _fill(dataset: FileDataset, pixels: Pixels, frames: int, syntax: str) -> None:
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    bits = 8 * pixels.dtype.itemsize
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = 3 if len(shape) == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    if len(shape) == 3:
        dataset.PlanarConfiguration = 0
    if syntax in {JPEGBaseline8Bit, JPEG2000Lossless}:
        planes = pixels if frames > 1 else pixels[None]
        dataset.PixelData = encapsulate([_compressed(plane, syntax) for plane in planes])
        if len(shape) == 3:
            dataset.PhotometricInterpretation = "YBR_FULL_422" if syntax == JPEGBaseline8Bit else "YBR_RCT"
    else:
        dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"


def _compressed(plane: Pixels, syntax: str) -> bytes:
    file = io.BytesIO()
    if syntax == JPEGBaseline8Bit:
        Image.fromarray(plane).save(file, "JPEG", quality=95)
    else:
        Image.fromarray(plane).save(file, "JPEG2000", no_jp2=True, irreversible=False, mct=int(plane.ndim == 3))
    return file.getvalue()


def package(spool: Spool, files: Sequence[bytes], *, deflated: bool = False, modality: str = "CT") -> SeriesPackage:
    """Put a series into a spool, as a source does."""
    members = []
    for number, data in enumerate(files):
        kept = _deflated(data) if deflated else data
        offset = spool.size
        spool.write_at(offset, kept)
        members.append(Member(f"1.2.{number}", offset, len(kept), len(data), zlib.crc32(data), 8 if deflated else 0))
    return SeriesPackage(Series(SERIES, STUDY, "P", modality=modality), SourceName.IDC, tuple(members))


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def levels(picture: bytes) -> Pixels:
    """Return the pixels of a picture as numbers from 0 to 255, (rows, columns, 3)."""
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.format == "WEBP"
        return np.asarray(opened.convert("RGB")).astype(int)


def white_column(picture: bytes, of: int) -> int:
    """Return the number that `square` drew."""
    columns = levels(picture).mean(axis=(0, 2))
    return int(columns.argmax() * of // len(columns))


def placed(number: int, depth: float, of: int, **changed: Any) -> bytes:  # noqa: ANN401  elements
    """Return an axial slice that tells its number."""
    return dicom(
        square(number, of),
        ImagePositionPatient=[-100, -100, depth],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        **changed,
    )
