"""A story: what lies in some trees, what others have in the project, and the runs that follow. All values are literal.

A story prints as the Python that makes it, so that a failing example is a test of its own.
"""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from pydicom import config
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

_ROOT = "1.2.826.0.1.3680043.10.998"
_PREAMBLE = 128 + 4
_CLASSES = {
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}


class _Shown:
    """Hypothesis shows a value as its own `repr`."""

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401, FBT001  as IPython has it
        printer.text(repr(self))


class _Terse(_Shown):
    """Show only what is not the default."""

    def __repr__(self) -> str:
        values = {one: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # a data class, all
        said = (f"{one.name}={value!r}" for one, value in values.items() if value != one.default)
        return f"{type(self).__name__}({', '.join(said)})"


@dataclass(frozen=True, repr=False)
class Image(_Terse):
    """One DICOM image; study, series and number make its UIDs."""

    patient: str = "P"
    study: int = 1
    series: int = 1
    number: int = 1
    modality: str = "MR"
    description: str = "t1"
    born: str = ""
    edition: int = 0  # of its pixels, under one UID

    @property
    def uid(self) -> str:
        """Its SOPInstanceUID."""
        return f"{self.series_uid}.{self.number}"

    @property
    def series_uid(self) -> str:
        return f"{self.study_uid}.{self.series}"

    @property
    def study_uid(self) -> str:
        return f"{_ROOT}.{self.study}"

    @property
    def pixels(self) -> bytes:
        """What no other image has."""
        made = f"{self.patient[:40]}{self.study}{self.series}{self.number} {self.edition}"
        return made.encode().ljust(128, b"\1")[:128]

    @property
    def person(self) -> str:
        """Its PatientID as DICOM compares it: blanks and a NUL at either end mean nothing (PS3.5 §6.2)."""
        return self.patient.strip(" \0")


@dataclass(frozen=True, repr=False)
class Stored(_Terse):
    """An image in a file: as it is, without a preamble, packed with gzip, with something behind it, or broken.

    `link` is a link that leads to it, out of the tree; `nested` a zip in a zip.
    """

    image: Image
    form: str = "plain"  # bare, gzip, padded, link; cut, empty, zeros, pointer, nested

    @property
    def is_broken(self) -> bool:
        return self.form in {"cut", "empty", "zeros", "pointer", "nested"}


@dataclass(frozen=True, repr=False)
class Junk(_Terse):
    """What is no image, and is not taken for one."""

    content: bytes = b"x"


@dataclass(frozen=True, repr=False)
class Pack(_Terse):
    """An archive of images by their names in it: zip, windows (a zip with backslashes), tar, tgz."""

    members: Mapping[str, Stored | Junk]
    form: str = "zip"


Content = Stored | Junk | Pack
Tree = Mapping[str, Content]  # by path below the root


@dataclass(frozen=True, repr=False)
class Foreign(_Terse):
    """A session that another tool has made, in the archive or waiting in the prearchive."""

    subject: str
    session: str
    images: tuple[Image, ...]
    waits: bool = False


@dataclass(frozen=True, repr=False)
class Mapped(_Terse):
    """A mapping: rows of path, subject, session in an encoding."""

    rows: tuple[tuple[str, str, str], ...]
    encoding: str = "utf-8"

    def content(self) -> bytes:
        lines = ["path,subject,session", *(",".join(f'"{cell}"' for cell in row) for row in self.rows)]
        return "\n".join(lines).encode(self.encoding, "replace" if self.encoding == "utf-16" else "surrogateescape")


@dataclass(frozen=True, repr=False)
class Run(_Terse):
    """One run: of which tree, with which options, beside the state of which work folder."""

    tree: int = 0
    options: tuple[str, ...] = ()
    mapping: Mapped | None = None
    config: tuple[str, ...] = ()  # names of folders that --config excludes
    workdir: str = "w"
    place: str = ""  # where the tree lies; another one may have lain there before
    again: bool = False  # the same command follows once more


@dataclass(frozen=True, repr=False)
class Story(_Shown):
    """Trees, sessions of others, and runs, in their order."""

    trees: tuple[Tree, ...]
    runs: tuple[Run, ...]
    foreign: tuple[Foreign, ...] = ()

    def __repr__(self) -> str:
        """Return the lines that make it."""
        trees = "".join(
            "        {\n"
            + "".join(f"            {path!r}: {what!r},\n" for path, what in tree.items())
            + "        },\n"
            for tree in self.trees
        )
        runs = "".join(f"        {run!r},\n" for run in self.runs)
        foreign = "".join(f"        {one!r},\n" for one in self.foreign)
        return (
            f"Story(\n    trees=(\n{trees}    ),\n    runs=(\n{runs}    ),\n"
            + (f"    foreign=(\n{foreign}    ),\n" if foreign else "")
            + ")"
        )


@lru_cache(5000)
def dicom(image: Image) -> bytes:
    """Return the bytes of an image."""
    with config.disable_value_validation():  # people write what the standard forbids
        return _dicom(image)


def _dicom(image: Image) -> bytes:
    kind = UID(_CLASSES[image.modality])
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, UID(image.uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = kind, UID(image.uid)
    made.StudyDate, made.Modality = f"2020{image.study % 12 + 1:02}01", image.modality
    made.SeriesDescription = image.description
    made.PatientName, made.PatientID = "Doe", image.patient
    if image.born:
        made.PatientBirthDate = image.born
    made.StudyInstanceUID, made.SeriesInstanceUID = image.study_uid, image.series_uid
    made.SeriesNumber, made.InstanceNumber = image.series, image.number
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 8
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.PixelData = image.pixels
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def stored(what: Stored | Junk) -> bytes:
    """Return what a file holds."""
    if isinstance(what, Junk):
        return what.content
    whole = dicom(what.image)
    made = {
        "plain": whole,
        "bare": whole[_PREAMBLE:],
        "gzip": gzip.compress(whole, 1, mtime=0),
        "padded": whole + b"\xff",
        "cut": whole[:-40],
        "empty": b"",
        "zeros": bytes(len(whole)),
        "pointer": b"/annex/objects/MD5E-s9--0\n",
        "nested": _zip("zip", {"1.dcm": whole}),
        "link": whole,
    }
    return made[what.form]


def content(what: Content) -> bytes:
    """Return the bytes of a file of a tree."""
    if not isinstance(what, Pack):
        return stored(what)
    members = {name: stored(member) for name, member in what.members.items()}
    return (
        _tar(members, "w:gz" if what.form == "tgz" else "w")
        if what.form in {"tar", "tgz"}
        else _zip(what.form, members)
    )


def _zip(form: str, members: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name.replace("/", "\\") if form == "windows" else name
            archive.writestr(info, data)
    return made.getvalue()


def _tar(members: Mapping[str, bytes], mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]  # both modes are its
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()
