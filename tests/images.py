"""Small real DICOM files, and zips of them as NBIA makes them."""

import hashlib
import io
import zipfile
from collections.abc import Mapping

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from tcia_xnat.core.model import Series

STUDY, SERIES = "1.2.826.1", "1.2.826.1.2"


def image(number: int, series: str = SERIES, study: str = STUDY, sop: str = "", size: int = 512) -> bytes:
    """Return a CT image of a few kilobytes with the identifiers given."""
    sop = UID(sop or f"{series}.{number}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = sop
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, sop
    dataset.Modality, dataset.PatientID = "CT", "P1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.SeriesNumber, dataset.InstanceNumber = "1", str(number)
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored = 16, size // 32, 16, 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = bytes((number * step) % 251 for step in range(size))
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def images(count: int) -> dict[str, bytes]:
    """Return so many images under the names that NBIA gives them."""
    return {f"1-{number:02}.dcm": image(number) for number in range(1, count + 1)}


def nbia_zip(files: Mapping[str, bytes], hashes: Mapping[str, str] | None = None, *, listed: bool = True) -> bytes:
    """Return a zip: LICENSE, the files, and md5hashes.csv if `listed`, with `hashes` in the place of true ones."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", "License Information.")
        for name, data in files.items():
            archive.writestr(name, data)
        if listed:
            rows = {name: md5(data) for name, data in files.items()} | dict(hashes or {})
            archive.writestr("md5hashes.csv", "Filename,MD5Hash\n" + "".join(f"{n},{h}\n" for n, h in rows.items()))
    return made.getvalue()


def md5(data: bytes) -> str:
    """Return the MD5 of bytes as hex digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def series(count: int) -> Series:
    """Return what a catalogue says of the series of `images`."""
    return Series(SERIES, STUDY, "P1", image_count=count)
