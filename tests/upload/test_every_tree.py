"""Each kind of tree, in one run, in two, the other way round, and with the state lost: three laws, and the words."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
import requests

from sandbox.sandbox import Sandbox
from tests.job.case import Done, in_prearchive, subjects
from tests.upload.case import upload
from tests.upload.kinds.left_behind import LEFT_BEHIND
from tests.upload.kinds.model import Kind, Run, Tree
from tests.upload.kinds.names import NAMES
from tests.upload.kinds.somebody_else import SOMEBODY_ELSE
from tests.upload.trees import write

KINDS = {**LEFT_BEHIND, **NAMES, **SOMEBODY_ELSE}
_TIME = 1_577_962_800  # of every file

Held = dict[str, dict[str, str]]
"""`subject/session` → SOPInstanceUID → PatientID."""


@pytest.mark.parametrize("name", KINDS)
def test_every_tree(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    kind = KINDS[name]()
    for nth, (play, runs) in enumerate(kind.plays.items()):
        project, delivered = f"TREE{list(KINDS).index(name)}_{nth}", Tree()
        if kind.foreign.files:
            _send_for_review(sandbox, project, kind.foreign)
        for number, run in enumerate(runs, 1):
            root = _written(tmp_path / project / run.root, run.tree)
            options = [option.format(root=root) for option in run.options]
            done = upload(sandbox, tmp_path / project / f"machine{run.machine}", root, project, *options)
            delivered |= run.tree
            held = _held(sandbox, project, delivered)
            with _naming(f"{play}, run {number}:\n{done.out}{done.err}"):
                _assert_laws(done, run, kind, held)
                assert len(in_prearchive(sandbox, project)) == len(kind.foreign.images)
                _assert_as_said(done, run, held)


@contextmanager
def _naming(play: str) -> Iterator[None]:
    """Say in which run an assertion failed."""
    try:
        yield
    except AssertionError as failed:
        failed.add_note(play)
        raise


def _send_for_review(sandbox: Sandbox, project: str, tree: Tree) -> None:
    """Send images to the prearchive as somebody else does, who looks at them there."""
    url, admin = sandbox.xnat.url, ("admin", "admin")
    requests.put(f"{url}/data/projects/{project}", auth=admin, timeout=10).raise_for_status()
    query = {
        "import-handler": "DICOM-zip", "inbody": "true", "rename": "true", "prevent_auto_commit": "true",
        "PROJECT_ID": project, "SUBJECT_ID": "THEIRS", "EXPT_LABEL": "REVIEW",
    }  # fmt: skip
    headers = {"Content-Type": "application/zip"}
    body = tree.zipped("it").files["it"]
    address = f"{url}/data/services/import"
    requests.post(address, params=query, data=body, headers=headers, auth=admin, timeout=30).raise_for_status()


def _written(root: Path, tree: Tree) -> Path:
    """Write a tree in the place of another one, all files of one time: times and sizes do not tell them apart."""
    shutil.rmtree(root, ignore_errors=True)
    write(root, tree.files)
    for path in filter(Path.is_file, root.rglob("*")):
        os.utime(path, (_TIME, _TIME))
    return root


def _held(sandbox: Sandbox, project: str, delivered: Tree) -> Held:
    """Read the archive: images under the subject and session that XNAT gives them, and whose they were."""
    folder = sandbox.directory / "xnat" / "archive" / project / "arc001"
    if not folder.exists():
        return {}
    subject_of = subjects(sandbox, project)
    held: Held = {f"{subject}/{session}": {} for session, subject in subject_of.items()}
    for path in folder.glob("*/SCANS/*/DICOM/*.dcm"):
        session = path.parents[3].name
        uid = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
        images = held[f"{subject_of[session]}/{session}"]
        assert uid not in images
        images[uid] = delivered.images[uid]  # XNAT writes names of its own into the files
    return held


def _assert_laws(done: Done, run: Run, kind: Kind, held: Held) -> None:
    """Assert that everything came, that nobody became somebody else, and that nothing else came."""
    archived = {uid: patient for images in held.values() for uid, patient in images.items()}
    if done.code == 0 and "-n" not in run.options:
        assert set(run.tree.images) - set(kind.left_out.images) <= set(archived)
    patients: dict[str, set[str]] = {}
    for place, images in held.items():
        patients.setdefault(place.split("/")[0], set()).update(images.values())
    assert kind.is_one or all(len(those) == 1 for those in patients.values())
    assert not set(archived) & set(kind.left_out.images)


def _assert_as_said(done: Done, run: Run, held: Held) -> None:
    said = re.sub(r"\s+", " ", done.out + done.err)
    assert done.code == run.ends.code, said
    assert {place: set(images) for place, images in held.items()} == {
        place: set(tree.images) for place, tree in run.ends.holds.items()
    }
    for words in run.ends.says:
        assert words in said
    assert not [words for words in run.ends.unsaid if words in said]
