"""What the main job puts into XNAT, an upload of the same images from disk puts there as well, byte by byte."""

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.images import nbia_zip
from tests.job.case import assert_holds, download, expected, several
from tests.upload.case import upload
from tests.upload.trees import write


def on_disk(sandbox: Sandbox, uids: list[str], root: Path, form: str) -> Path:
    """Write series as a download to disk leaves them."""
    for uid in uids:
        row = sandbox.index.nbia_series(uid)
        assert row is not None
        images = [sandbox.images.image(row, number) for number in range(1, row["instanceCount"] + 1)]
        files = {f"1-{number:02}.dcm": image for number, image in enumerate(images, 1)}
        study, patient = row["StudyInstanceUID"], row["PatientID"]
        if form == "zip":
            write(root / uid, {"img.zip": nbia_zip(files)})
        elif form == "zip-in-study":
            write(root / study / uid, {"img.zip": nbia_zip(files)})
        elif form == "tree":
            write(root / "cmb_aml" / patient / study / f"{row['Modality']}_{uid}", {**files, "LICENSE": b"free"})
        else:
            folders = f"CMB-AML/{patient}/01-01-1960-NA-x-{study[-5:]}/1.000000-NA-{uid[-5:]}"
            write(root / folders, {**files, "LICENSE": b"free"})
            write(root, {"metadata.csv": b"Series UID,Collection\n"})
    return root


def archive(sandbox: Sandbox, project: str) -> dict[str, bytes]:
    """Read all images of an archive, by their places in it; names of projects here are of one length."""
    folder = sandbox.directory / "xnat" / "archive" / project / "arc001"
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(project.encode(), b"PROJECT")
        for path in folder.rglob("*.dcm")
    }


@pytest.mark.parametrize("form", ["zip", "zip-in-study", "tree", "retriever"])
def test_an_upload_leaves_the_archive_of_the_main_job(sandbox: Sandbox, tmp_path: Path, form: str) -> None:
    manifest = several(sandbox, tmp_path / "m.tcia")
    wanted = expected(sandbox, manifest)
    there, here = f"MAIN-{form[-5:]:_<5}", f"DISK-{form[-5:]:_<5}"
    assert download(sandbox, manifest, tmp_path / "out", there).code == 0
    tree = on_disk(sandbox, list(wanted.images), tmp_path / "tree", form)
    done = upload(sandbox, tmp_path / "w", tree, here)
    assert done.code == 0, done.err
    assert_holds(sandbox, here, wanted)
    assert archive(sandbox, here) == archive(sandbox, there)


def test_an_upload_of_what_the_main_job_brought_finds_it_there(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest = several(sandbox, tmp_path / "m.tcia")
    wanted = expected(sandbox, manifest)
    assert download(sandbox, manifest, tmp_path / "out", "FIRST").code == 0
    tree = on_disk(sandbox, list(wanted.images), tmp_path / "tree", "tree")
    done = upload(sandbox, tmp_path / "w", tree, "FIRST")
    assert (done.code, set(done.states().values())) == (0, {"present"})
    assert_holds(sandbox, "FIRST", wanted)
