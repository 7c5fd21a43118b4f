"""What the tests of downloads to disk share: what must be there, worked out from what the archives serve."""

import ctypes
import hashlib
import os
import subprocess
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pydicom

from sandbox.sandbox import Sandbox
from tests.job.case import Done, command, environment, expected, quick, run

_CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root heeds no rights with them
_PR_CAPBSET_DROP = 24

Images = dict[str, dict[str, str]]  # SeriesInstanceUID → SOPInstanceUID → MD5


def to_disk(sandbox: Sandbox, manifest: object, output: Path, *options: str, **changed: str) -> Done:
    """Run `download.py MANIFEST OUTPUT_DIR` to its end."""
    return run(sandbox, output, manifest, output, *options, **changed)


def served(sandbox: Sandbox, manifest: Path) -> Images:
    """Return the images of a manifest as the archives hold them."""
    found: Images = {}
    for uid, count in expected(sandbox, manifest).images.items():
        row = sandbox.index.nbia_series(uid)
        assert row is not None
        contents = [sandbox.images.image(row, number) for number in range(1, count + 1)]
        found[uid] = {_sop(content): md5(content) for content in contents}
    return found


def on_disk(output: Path) -> Images:
    """Read every DICOM file below a folder, those in zips included; an image that is there twice fails."""
    found: Images = defaultdict(dict)
    for path in sorted(output.rglob("*")):
        if path.suffix == ".dcm":
            _add(found, path.read_bytes())
        elif path.name == "img.zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                for name in archive.namelist():
                    _add(found, archive.read(name))
    return dict(found)


def folder_of(output: Path, series_instance_uid: str) -> Path:
    """Return the folder of a series in the default layout."""
    (found,) = output.glob(f"*/*/*/*_{series_instance_uid}")
    return found


def assert_on_disk(sandbox: Sandbox, manifest: Path, output: Path) -> None:
    """Assert that exactly the images of a manifest are there, each once and right, and nothing half beside them."""
    assert on_disk(output) == served(sandbox, manifest)
    incoming = output / "state" / "incoming"
    assert not list(incoming.iterdir())
    assert not [path for path in output.rglob("*") if path.name.endswith(".part")]


def begun(
    sandbox: Sandbox, manifest: Path, output: Path, *options: str, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start the tool, and return while it runs; `before` is called in its process first."""
    return subprocess.Popen(
        command(manifest, output, *quick(*options)),
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509  nothing else runs in this process yet
    )


def heed_rights() -> None:
    """Let root heed the rights of files, as everybody does."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in _CAPABILITIES:
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def md5(content: bytes) -> str:
    """Return the MD5 of bytes as hex digits."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _add(found: Images, content: bytes) -> None:
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content), stop_before_pixels=True)
    images = found[dataset.SeriesInstanceUID]
    assert dataset.SOPInstanceUID not in images
    images[dataset.SOPInstanceUID] = md5(content)


def _sop(content: bytes) -> str:
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content), stop_before_pixels=True)
    return str(dataset.SOPInstanceUID)
