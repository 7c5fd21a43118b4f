"""Building a prearchive session: files become scans with catalogs, and an XML document (xnat-http.md §7.7, §11.4)."""

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from sandbox.xnat.catalog import Catalog, Entry
from sandbox.xnat.dicom import Header, read_header
from sandbox.xnat.dicom_stream import NotDicom
from sandbox.xnat.document import Scan, Session, write_session
from sandbox.xnat.modalities import scan_type, session_type
from sandbox.xnat.store import remove

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)")
DICOM, SECONDARY = "DICOM", "secondary"
"""Labels of the resources of a scan."""

Image = tuple[str, Header]
"""File name and header."""


class BuildFailed(Exception):
    """The files do not make one session."""


class Headers:
    """Headers of files as they were last read; a file that has changed is read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, dict[str, tuple[int, int, Header]]] = defaultdict(dict)

    def get(self, path: Path) -> Header | None:
        """Return the header of a file; None when it is no DICOM file or not there."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        with self._lock:
            known = self._known[path.parent].get(path.name)
        if known and known[:2] == (stat.st_mtime_ns, stat.st_size):
            return known[2]
        try:
            header = read_header(path)
        except NotDicom:
            return None
        self.note(path, header)
        return header

    def note(self, path: Path, header: Header) -> None:
        """Remember the header of a file just written."""
        stat = path.stat()
        with self._lock:
            self._known[path.parent][path.name] = (stat.st_mtime_ns, stat.st_size, header)

    def forget(self, folder: Path) -> None:
        """Forget everything below a folder."""
        with self._lock:
            for parent in [known for known in self._known if known.is_relative_to(folder)]:
                del self._known[parent]


def build(  # noqa: PLR0913  files, labels, and what site and project say
    folder: Path,
    document: Path,
    labels: Session,
    headers: Headers,
    secondary: Collection[str] = (),
    *,
    pet_mr: str = "",
) -> Session:
    """Read all files of a session, write the catalogs of its scans and its document.

    Parameters
    ----------
    folder, document
        Of the session.
    labels
        Its project, subject and label; the rest is filled in.
    secondary
        SOP classes whose images go to the resource `secondary` of their scan (§10.3).
    pet_mr
        What the project says of PET and MR in one study.

    Raises
    ------
    BuildFailed
    """
    series = _series(folder, headers)
    images = [image for group in series.values() for image in group]
    studies = {header.study_instance_uid for _, header in images}
    if not images:
        raise BuildFailed("no DICOM files found")
    if len(studies) > 1:
        raise BuildFailed(f"multiple Study Instance UIDs found: {', '.join(sorted(studies))}")
    _describe(labels, images)
    labels.scans = []
    for name in sorted({name for name, _ in series}):
        mine = {uid: group for (key, uid), group in series.items() if key == name}
        labels.scans += _scans(folder, name, mine, secondary)
    labels.xsi_type = session_type(((header.modality, header.sop_class_uid) for _, header in images), pet_mr)
    write_session(labels, document)
    return labels


def _series(folder: Path, headers: Headers) -> dict[tuple[str, str], list[Image]]:
    """Return the images of a session by scan folder and SeriesInstanceUID."""
    found: dict[tuple[str, str], list[Image]] = defaultdict(list)
    for path in sorted(folder.glob("SCANS/*/DICOM/*")):
        header = None if path.suffix == ".xml" else headers.get(path)
        if header and header.sop_instance_uid:
            found[path.parts[-3], header.series_instance_uid].append((path.name, header))
    return found


def _describe(session: Session, images: Sequence[Image]) -> None:
    first = images[0][1]
    session.uid = first.study_instance_uid
    session.date = "-".join(found.groups()) if (found := _DATE.match(first.study_date)) else ""
    session.time = ":".join(found.groups()) if (found := _TIME.match(first.study_time)) else ""
    session.modality = first.modality
    session.patient_id, session.patient_name = first.patient_id, first.patient_name
    session.accession_number = first.accession_number


def _scans(folder: Path, name: str, series: dict[str, list[Image]], secondary: Collection[str]) -> list[Scan]:
    """Return the scans of one folder; where series share it, all of them are renamed (§7.7)."""
    files = folder / "SCANS" / name / "DICOM"
    remove(files.glob("scan_*_catalog.xml"))
    scans, numbers = [], defaultdict[str, int](int)
    for uid, images in sorted(series.items()):
        header = images[0][1]
        scan_id = name
        if len(series) > 1:
            numbers[header.modality] += 1
            scan_id = f"{name}-{header.modality}{numbers[header.modality]}"
        scan = _scan(scan_id, images)
        for label, some in _resources(images, secondary).items():
            catalog = files / f"scan_{scan_id}_{'' if label == DICOM else f'{label}_'}catalog.xml"
            Catalog(uid, {file: _entry(file, of) for file, of in some}).write(catalog)
            scan.catalogs[label] = catalog.relative_to(folder).as_posix()
        scans.append(scan)
    return scans


def _resources(images: Sequence[Image], secondary: Collection[str]) -> dict[str, list[Image]]:
    found: dict[str, list[Image]] = defaultdict(list)
    for file, header in images:
        found[SECONDARY if header.sop_class_uid in secondary else DICOM].append((file, header))
    return found


def _scan(scan_id: str, images: Sequence[Image]) -> Scan:
    header = images[0][1]
    frames = sum(int(of.number_of_frames) if of.number_of_frames.isdigit() else 1 for _, of in images)
    return Scan(
        id=scan_id,
        uid=header.series_instance_uid,
        xsi_type=scan_type(header.modality, header.sop_class_uid),
        type=header.series_description,
        series_description=header.series_description,
        modality=header.modality,
        frames=str(frames),
    )


def _entry(name: str, header: Header) -> Entry:
    return Entry(name, header.sop_instance_uid, header.instance_number, "DICOM", "RAW")
