"""Trees of small real DICOM files."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

_ROOT = "1.2.826.0.1.3680043.10.999"


@dataclass(frozen=True, slots=True)
class Scan:
    """One series; `study` and `number` make its UIDs."""

    patient: str
    study: int
    number: int
    description: str = "T1"
    images: int = 3
    modality: str = "MR"
    date: str = "20200131"

    @property
    def study_instance_uid(self) -> str:
        return f"{_ROOT}.{self.study}"

    @property
    def series_instance_uid(self) -> str:
        return f"{_ROOT}.{self.study}.{self.number}"

    def sop_instance_uid(self, image: int) -> str:
        return f"{self.series_instance_uid}.{image}"

    def image(self, number: int, **changed: str) -> bytes:
        """Return one image, from 1; `changed` are elements by keyword, an empty one is left out."""
        made = _dataset(self, number)
        for keyword, value in changed.items():
            if value:
                setattr(made, keyword, value)
            else:
                delattr(made, keyword)
        file = io.BytesIO()
        made.save_as(file, enforce_file_format=True)
        return file.getvalue()

    def all_images(self) -> dict[str, bytes]:
        """Return all images by a file name."""
        return {f"IM{number:04}.dcm": self.image(number) for number in range(1, self.images + 1)}


def _dataset(scan: Scan, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = UID(scan.sop_instance_uid(number))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    made.StudyDate, made.Modality, made.PatientID, made.PatientName = scan.date, scan.modality, scan.patient, "Doe"
    made.StudyInstanceUID, made.SeriesInstanceUID = scan.study_instance_uid, scan.series_instance_uid
    made.SeriesNumber, made.InstanceNumber, made.SeriesDescription = scan.number, number, scan.description
    made.Rows = made.Columns = 8
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.PixelData = bytes((number * step + scan.number) % 251 for step in range(128))
    return made


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def example(root: Path) -> dict[str, tuple[str, str]]:
    """Write subjects 007 and 008, sessions pre and post, some scans; return session and scan number of each series."""
    made: dict[str, tuple[str, str]] = {}
    folders = ("Localizers", "T1_MPRAGE", "aahead_scout_32ch", "DTI/raw", "T2 FLAIR")
    for subject in ("007", "008"):
        for nth, session in enumerate(("pre", "post")):
            for number, folder in enumerate(folders, 1):
                scan = Scan(f"MRN{subject}", int(subject) * 10 + nth, number, folder.split("/", maxsplit=1)[0])
                write(root / subject / session / folder, scan.all_images())
                made[scan.series_instance_uid] = (f"{subject}_{session}", folder)
    return made


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything that a tree is, to see that nothing of it changes."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    }
