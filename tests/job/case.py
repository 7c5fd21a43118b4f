"""What the tests of the main job share: the tool as a process, and an archive read without it."""

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pydicom
import requests

from sandbox.sandbox import Sandbox
from tcia_xnat.manifest import write_tcia
from tests import zygote

ROOT = Path(__file__).resolve().parents[2]
READY = ROOT / "resources" / "TCIA"
WHOLE, ONE_PATIENT, ONE_SERIES = (
    READY / name for name in ("CMB-AML.tcia", "CMB-AML_one-patient.tcia", "CMB-AML_one-series.tcia")
)
_SEVERAL = ("MSB-01723", "MSB-05702", "MSB-07656", "MSB-07839")
TWO_PATIENTS = ("MSB-07656", "MSB-07839")  # a third of the time: 8 series in 4 studies
_IMAGES_OF_XNAT = "SCANS/*/DICOM/*.dcm"


@dataclass(frozen=True, slots=True)
class Done:
    """What a run of the tool left: exit code, stdout, stderr, and its report if it wrote one."""

    code: int
    out: str
    err: str
    report_dir: Path

    @property
    def report(self) -> dict[str, Any]:
        """The parsed report.json."""
        found: dict[str, Any] = json.loads((self.report_dir / "report.json").read_text())
        return found

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of report.csv."""
        with (self.report_dir / "report.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def states(self) -> dict[str, str]:
        """SeriesInstanceUID → state."""
        return {row["SeriesInstanceUID"]: row["state"] for row in self.rows}


def environment(sandbox: Sandbox, **changed: str) -> dict[str, str]:
    """Return the variables of a process that sees this sandbox; an empty value removes one.

    Reports are without pictures unless a test asks for them: what draws takes as long to start as most runs take.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TCIA_XNAT_", "XNAT_"))}
    made = inherited | sandbox.environment | {"NETRC": os.devnull, "TCIA_XNAT_THUMBNAILS": "off"} | changed
    return {name: value for name, value in made.items() if value}


def command(*arguments: object) -> list[str]:
    """Return the command line of download.py."""
    return [sys.executable, str(ROOT / "download.py"), *map(str, arguments)]


def download(sandbox: Sandbox, manifest: object, output: Path, project: str, *options: str, **changed: str) -> Done:
    """Run `download.py MANIFEST OUTPUT_DIR PROJECT` to its end; `changed` are variables."""
    return run(sandbox, output, manifest, output, project, *options, **changed)


def run(sandbox: Sandbox, output: Path, *arguments: object, **changed: str) -> Done:
    """Run download.py with these arguments to its end."""
    done = zygote.run(command(*arguments), env=environment(sandbox, **changed), cwd=output.parent, timeout=120)
    assert "--debug" in arguments or "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr, output / "report")


def manifest(path: Path, uids: Iterable[str]) -> Path:
    """Write a manifest of these series."""
    path.write_text(write_tcia(uids, path.name))
    return path


@dataclass(frozen=True, slots=True)
class Archived:
    """One image of the archive, as its file says."""

    session: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    pixels: int  # hash of the pixel data


def images(sandbox: Sandbox, project: str) -> list[Archived]:
    """Read every image of a project's archive from XNAT's disk."""
    folder = sandbox.directory / "xnat" / "archive" / project / "arc001"
    return [_image(path) for path in sorted(folder.glob(f"*/{_IMAGES_OF_XNAT}"))]


def _image(path: Path) -> Archived:
    dataset = pydicom.dcmread(path)
    return Archived(
        path.parents[3].name,
        dataset.StudyInstanceUID,
        dataset.SeriesInstanceUID,
        dataset.SOPInstanceUID,
        hash(dataset.PixelData),
    )


def in_prearchive(sandbox: Sandbox, project: str) -> list[Path]:
    """Return the images that lie in a project's prearchive, on XNAT's disk."""
    return sorted((sandbox.directory / "xnat" / "prearchive" / project).glob(f"*/*/{_IMAGES_OF_XNAT}"))


def subjects(sandbox: Sandbox, project: str) -> dict[str, str]:
    """Ask XNAT for the subject of each session: session label → subject label."""
    rows = ask(sandbox, f"/data/projects/{project}/experiments", columns="ID,label,subject_label")
    return {row["label"]: row["subject_label"] for row in rows}


def resource(sandbox: Sandbox, project: str, name: str, file: str) -> bytes:
    """Ask XNAT for a file of a project resource."""
    return _get(sandbox, f"/data/projects/{project}/resources/{name}/files/{file}").content


def projects(sandbox: Sandbox) -> list[str]:
    """Ask XNAT for the IDs of all projects."""
    return [row["ID"] for row in ask(sandbox, "/data/projects")]


def ask(sandbox: Sandbox, path: str, **query: str) -> list[dict[str, str]]:
    """Ask XNAT for a table."""
    rows: list[dict[str, str]] = _get(sandbox, path, format="json", **query).json()["ResultSet"]["Result"]
    return rows


def _get(sandbox: Sandbox, path: str, **query: str) -> requests.Response:
    answer = requests.get(sandbox.xnat.url + path, query, auth=("admin", "admin"), timeout=30)
    answer.raise_for_status()
    return answer


@dataclass(frozen=True, slots=True)
class Expected:
    """What a manifest must become, worked out from the index alone."""

    images: Mapping[str, int]  # SeriesInstanceUID → number of images
    sessions: Mapping[str, tuple[str, str]]  # SeriesInstanceUID → (subject, session)


def expected(sandbox: Sandbox, path: Path) -> Expected:
    """Work out, with SQL of its own, what the archive must hold of a manifest in an empty project."""
    uids = [line for line in path.read_text().splitlines() if line[:1].isdigit()]
    query = """
        SELECT SeriesInstanceUID, PatientID, instanceCount, dense_rank() OVER (
            PARTITION BY PatientID ORDER BY StudyDate, StudyInstanceUID) - 1
        FROM read_parquet(?) WHERE list_contains(?, SeriesInstanceUID)"""
    with duckdb.connect() as database:
        rows = database.execute(query, [str(sandbox.index.parquet), uids]).fetchall()
    return Expected(
        {uid: count for uid, _, count, _ in rows},
        {uid: (patient, f"{patient}_{nth:02}" if nth else patient) for uid, patient, _, nth in rows},
    )


def assert_holds(
    sandbox: Sandbox, project: str, wanted: Expected, *, may_strand: bool = False, state_lost: bool = False
) -> None:
    """Assert that the archive holds exactly these series, each image once, under the right labels, and nothing waits.

    With `may_strand` files may lie in the prearchive's folder that XNAT itself has lost sight of: what two runs import
    and archive at the same moment (xnat-http.md §7.1). With `state_lost` a killed run may have left a session that only
    said whose turn it was: nobody can tell that it is over until it is days old.
    """
    found = images(sandbox, project)
    by_series: dict[str, list[Archived]] = defaultdict(list)
    for image in found:
        by_series[image.series_instance_uid].append(image)
    assert {uid: len(members) for uid, members in by_series.items()} == wanted.images
    assert len({image.sop_instance_uid for image in found}) == len(found)
    subject_of = subjects(sandbox, project)
    for uid, members in by_series.items():
        (session,) = {image.session for image in members}
        assert (subject_of[session], session) == wanted.sessions[uid]
    assert set(subject_of) == {session for _, session in wanted.sessions.values()}
    assert_nothing_waits(sandbox, project, may_strand=may_strand, state_lost=state_lost)


def assert_nothing_waits(sandbox: Sandbox, project: str, *, may_strand: bool = False, state_lost: bool = False) -> None:
    """Assert that a project's prearchive is empty, but for what `assert_holds` says."""
    rows = ask(sandbox, f"/data/prearchive/projects/{project}")
    listed = [row for row in rows if not (state_lost and "-turn-" in row["name"])]
    assert not listed, listed
    left = [path for path in in_prearchive(sandbox, project) if not (state_lost and "-turn-" in str(path))]
    assert may_strand or not left


def several(sandbox: Sandbox, path: Path, patients: Collection[str] = _SEVERAL) -> Path:
    """Write a manifest of small series: several patients, studies and modalities, and studies of many series."""
    query = """
        SELECT SeriesInstanceUID FROM read_parquet(?)
        WHERE collection_id = 'cmb_aml' AND Modality <> 'SM' AND instanceCount <= 20 AND list_contains(?, PatientID)
        ORDER BY PatientID, StudyInstanceUID, SeriesInstanceUID"""
    with duckdb.connect() as database:
        rows = database.execute(query, [str(sandbox.index.parquet), list(patients)]).fetchall()
    return manifest(path, [uid for (uid,) in rows])


def quick(*options: str) -> tuple[str, ...]:
    """Return options that make a run give up soon, for faults that last."""
    usual = {"--retry-wait": "0.05", "--retries": "3", "--source-timeout": "2", "--max-outage": "1"}
    return (*(word for name, value in usual.items() if name not in options for word in (name, value)), *options)
