"""A plain script, as such tools are usually written: one series at a time, unpacked, zipped anew, sent as a form."""

import sys
import tempfile
import zipfile
from pathlib import Path

import requests

_SECONDS = 3600


def main(manifest: Path, nbia: str, host: str, project: str) -> None:
    """Download each series of a manifest from NBIA, zip its images anew, send it to XNAT, and commit at the end."""
    xnat = requests.Session()
    xnat.auth = ("admin", "admin")
    xnat.put(f"{host}/data/projects/{project}", timeout=_SECONDS).raise_for_status()
    sessions: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for series in manifest.read_text().split("ListOfSeriesToDownload=")[1].split():
            sessions |= _bring(series, nbia, xnat, f"{host}/data/services/import?PROJECT_ID={project}", Path(folder))
    for session in sessions:  # XNAT refuses the second study of a patient under the same label: such scripts go on
        xnat.post(f"{host}{session}?action=commit", timeout=_SECONDS)


def _bring(series: str, nbia: str, xnat: requests.Session, address: str, folder: Path) -> set[str]:
    original, again = folder / "from-nbia.zip", folder / "to-xnat.zip"
    answer = requests.get(f"{nbia}/v1/getImage", params={"SeriesInstanceUID": series}, stream=True, timeout=_SECONDS)
    answer.raise_for_status()
    with original.open("wb") as file:
        for chunk in answer.iter_content(1 << 20):
            file.write(chunk)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if name.endswith(".dcm"):
                target.writestr(name, source.read(name))
    with again.open("rb") as file:
        sent = xnat.post(address, files={"image_archive": file}, data={"dest": "/prearchive"}, timeout=_SECONDS)
    sent.raise_for_status()
    return set(sent.text.split())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
