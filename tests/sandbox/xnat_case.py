"""What the tests of the sandbox's XNAT share: a server with a logged-in client, DICOM objects, zips."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from sandbox.xnat import Settings, XnatServer

STUDY, SERIES = "1.2.826.1", "1.2.826.1.3"
PROJECT = "TCIA_X"
IMAGING = "xnat:imageSessionData"
EXPERIMENTS = f"/data/projects/{PROJECT}/experiments"
COLUMNS = f"ID,label,subject_label,UID,{IMAGING}/scans/scan/ID,{IMAGING}/scans/scan/UID"
RECOMMENDED = {
    "import-handler": "DICOM-zip",
    "inbody": "true",
    "rename": "true",
    "prevent_auto_commit": "true",
    **dict.fromkeys(("project", "PROJECT_ID"), PROJECT),
    **dict.fromkeys(("subject", "SUBJECT_ID"), "S1"),
    **dict.fromkeys(("session", "EXPT_LABEL"), "E1"),
}
"""The import that xnat-http.md §13.3 recommends."""

MODIFICATION = "Invalid modification of session {} via archive process."
PLAIN = {"import-handler": "DICOM-zip", "project": PROJECT, "subject": "S1", "session": "E1"}


class Site:
    """A server and its administrator, who has made a project with prearchive_code 0."""

    def __init__(self, directory: Path, settings: Settings | None = None, code: int = 0) -> None:
        self.server = XnatServer(directory, settings=settings, users={"admin": "admin", "guest-user": "secret"})
        self.settings = self.server.settings
        self.directory = directory
        self._code = code
        self.session = requests.Session()
        self.session.auth = ("admin", "admin")

    def __enter__(self) -> Self:
        self.server.start()
        self.ask("PUT", f"/data/projects/{PROJECT}")
        self.ask("PUT", f"/data/projects/{PROJECT}/prearchive_code/{self._code}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        self.server.stop()

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:  # noqa: ANN401  as requests takes them
        """Ask as administrator, without following redirects; `content_type` is that of the body."""
        headers = {"Content-Type": query.pop("content_type")} if "content_type" in query else {}
        url = self.server.url + path
        return self.session.request(
            method, url, params=query, data=body, headers=headers, allow_redirects=False, timeout=30
        )

    def upload(self, body: Any, query: Mapping[str, str] = RECOMMENDED, **more: str) -> requests.Response:  # noqa: ANN401  as requests takes them
        """Import a zip."""
        return self.ask("POST", "/data/services/import", body, content_type="application/zip", **{**query, **more})

    def sent(self, files: Mapping[str, bytes] | None = None, **more: str) -> str:
        """Import files; return the URI of their session, from /data on."""
        answer = self.upload(zipped(files or {"1.dcm": dicom()}), RECOMMENDED, **more)
        assert answer.status_code == 200, answer.text
        return answer.text.strip()

    def built(self, files: Mapping[str, bytes] | None = None, **more: str) -> str:
        """Import files and build their session."""
        uri = self.sent(files, **more)
        assert self.ask("POST", uri, action="build").status_code == 200
        return uri

    def archive(self, uri: str, **more: str) -> requests.Response:
        """Archive a prearchive session."""
        return self.ask(
            "POST", "/data/services/archive", src=uri.removeprefix("/data"), **{"auto-archive": "false"} | more
        )

    def archived(self, files: Mapping[str, bytes] | None = None, **more: str) -> None:
        """Import, build and archive files."""
        answer = self.archive(self.built(files, **more))
        assert answer.status_code == 200, answer.text

    def rows(self, path: str, **query: str) -> list[dict[str, str]]:
        """Return the rows of a JSON table."""
        answer = self.ask("GET", path, format="json", **query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, str]] = answer.json()["ResultSet"]["Result"]
        return found

    def status(self, uri: str) -> str:
        """Return the status of a prearchive session; empty when it is gone."""
        rows = self.rows(uri)
        return rows[0]["status"] if rows else ""

    def files(self) -> list[str]:
        """Return the names of all DICOM files in the prearchive."""
        return sorted(path.name for path in (self.directory / "prearchive").rglob("*.dcm"))


def message(answer: requests.Response) -> str:
    """Return the message of a Restlet error page."""
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<title>Status page</title>" in answer.text
    found = re.search(r"<h3>(.*?)</h3>", answer.text, re.DOTALL)
    assert found
    return found[1]


def refused(site: Site, uri: str, status: str, **more: str) -> str:
    """Return the reason why a session is not archived; all of its traces must tell it."""
    answer = site.archive(uri, **more)
    assert answer.status_code == 500, answer.text
    text = message(answer)
    name = uri.rpartition("/")[2]
    assert text.startswith(f"FAILED: Unable to archive {name}: Operation Failed: ")
    assert site.status(uri) == status
    assert site.ask("GET", f"{uri}/logs/last").text == text
    return text.partition("Operation Failed: ")[2]


def dicom(number: int = 1, size: int = 512, **fields: Any) -> bytes:  # noqa: ANN401  values of DICOM elements
    """Return a CT image; `fields` replace its elements, None removes one."""
    series = fields.get("SeriesInstanceUID", SERIES)
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{series}.{number}",
        "StudyDate": "20010203",
        "Modality": "CT",
        "SeriesDescription": "Thorax",
        "PatientName": "TCIA^Name",
        "PatientID": "TCIA-1",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": series,
        "SeriesNumber": "3",
        "InstanceNumber": str(number),
        "Rows": 16,
        "Columns": min(size // 32, 4096),
        "BitsAllocated": 16,
        "PixelData": bytes((number * step) % 251 for step in range(size)),
    } | fields
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(values["SOPClassUID"] or CTImageStorage)
    meta.MediaStorageSOPInstanceUID = UID(values["SOPInstanceUID"] or "1.2.3")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    for name, value in values.items():
        if value is not None:
            setattr(dataset, name, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip with sizes in its local headers."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def of_series(number: int, images: int = 1, **fields: Any) -> dict[str, bytes]:  # noqa: ANN401  values of DICOM elements
    """Return images of one series."""
    uid = {"SeriesInstanceUID": f"{STUDY}.{number}", "SeriesNumber": str(number)} | fields
    return {f"{number}-{image}.dcm": dicom(image, **uid) for image in range(1, images + 1)}


def scans(site: Site) -> dict[str, str]:
    """Return UID by ID of the archived scans of E1."""
    rows = site.rows(EXPERIMENTS, xsiType=IMAGING, columns=COLUMNS)
    return {row["xnat:imagesessiondata/scans/scan/id"]: row["xnat:imagesessiondata/scans/scan/uid"] for row in rows}


def counts(site: Site) -> dict[str, str]:
    """Return file count by scan ID."""
    [row] = site.rows(EXPERIMENTS)
    rows = site.rows(f"/data/experiments/{row['ID']}/scans/ALL/resources")
    return {row["cat_id"]: row["file_count"] for row in rows}
