"""What --verify finds on disk, with what was remembered, with IDC's hashes, and with neither."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pydicom
import pytest

from sandbox.sandbox import Sandbox
from tests.folder.case import folder_of, served, to_disk
from tests.job.case import ONE_PATIENT, manifest, run, several
from tests.verify.case import verify

LAYOUTS = {"template": (), "classic": ("--layout", "classic"), "zips": ("--layout", "zips")}


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a manifest on disk, to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    several(sandbox, folder / "m.tcia")
    assert to_disk(sandbox, folder / "m.tcia", folder / "out").code == 0
    shutil.rmtree(folder / "out" / "report")
    return folder


@pytest.fixture
def output(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole / "out", tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def listed(whole: Path) -> Path:
    return whole / "m.tcia"


@pytest.fixture
def hit(sandbox: Sandbox, listed: Path) -> str:
    """Return the series that is damaged: a CT of 15 images."""
    return next(uid for uid, images in served(sandbox, listed).items() if len(images) == 15)


def images(output: Path, uid: str) -> list[Path]:
    """Return the files of a series in the order of its slices."""
    return sorted(folder_of(output, uid).iterdir(), key=lambda path: int(path.stem[-6:]))


def flip(folder: Path) -> None:
    path = sorted(folder.iterdir())[4]
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a disk does it that forgets


def truncate(folder: Path) -> None:
    os.truncate(sorted(folder.iterdir())[4], 4096)


def cut_short(folder: Path) -> None:
    os.truncate(sorted(folder.iterdir())[4], 100)


def copy_one(folder: Path) -> None:
    shutil.copy(sorted(folder.iterdir())[4], folder / "copy.dcm")


def change_patient(folder: Path) -> None:
    path = sorted(folder.iterdir())[4]
    dataset = pydicom.dcmread(path)
    dataset.PatientID = "SOMEBODY"
    dataset.save_as(path)


DAMAGES: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "a missing file": (lambda folder: sorted(folder.iterdir())[4].unlink(), "14 images, 15 expected"),
    "a flipped byte": (flip, "other bytes"),
    "a truncated file": (truncate, "cut off|truncated|other bytes"),
    "a file cut to its preamble": (cut_short, "truncated|14 images"),
    "an image twice": (copy_one, "there twice"),
    "an image of somebody else": (change_patient, "patient SOMEBODY"),
}


@pytest.fixture(params=["with state", "without"])
def state(request: pytest.FixtureRequest, output: Path) -> str:
    if request.param == "without":
        shutil.rmtree(output / "state")
    return str(request.param)


@pytest.mark.usefixtures("state")
def test_a_whole_folder_is_right(sandbox: Sandbox, output: Path, listed: Path) -> None:
    found = verify(sandbox, listed, output)
    assert (found.code, set(found.signs().values())) == (0, {"="})
    assert set(found.signs()) == set(served(sandbox, listed))
    assert "Right: " in found.out


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_and_nothing_else(
    sandbox: Sandbox, output: Path, listed: Path, hit: str, damage: str
) -> None:
    act, words = DAMAGES[damage]
    act(folder_of(output, hit))
    found = verify(sandbox, listed, output)
    assert found.code == 3
    assert {uid for uid, sign in found.signs().items() if sign != "="} == {hit}
    assert found.signs()[hit] == "*"
    assert any(word in found.reasons(hit) for word in words.split("|")), found.reasons(hit)


@pytest.mark.usefixtures("state")
def test_what_lies_there_besides(sandbox: Sandbox, output: Path, listed: Path, hit: str, tmp_path: Path) -> None:
    home = folder_of(output, hit)
    (home / "notes.txt").write_text("mine")
    (output / "elsewhere.bin").write_bytes(b"\0" * 5000)
    other = min(set(served(sandbox, ONE_PATIENT)) - set(served(sandbox, listed)))
    assert to_disk(sandbox, manifest(tmp_path / "o.tcia", [other]), tmp_path / "other").code == 0
    for path in folder_of(tmp_path / "other", other).iterdir():
        shutil.copy(path, home)
    found = verify(sandbox, listed, output)
    assert found.code == 3
    assert {name: sign for name, sign in found.signs().items() if sign != "="} == {
        other: "+",
        str((home / "notes.txt").relative_to(output)): "+",
        "elsewhere.bin": "+",
    }
    assert found.signs()[hit] == "="
    assert f"lies in the folder of series {hit}" in found.reasons(other)
    assert verify(sandbox, listed, output, "--one-way").code == 0


@pytest.mark.usefixtures("state")
def test_a_series_that_is_not_there(sandbox: Sandbox, output: Path, listed: Path, hit: str) -> None:
    shutil.rmtree(folder_of(output, hit))
    found = verify(sandbox, listed, output)
    assert (found.code, found.signs()[hit]) == (3, "-")


def test_a_series_that_was_moved_is_the_same(sandbox: Sandbox, output: Path, listed: Path, hit: str) -> None:
    folder_of(output, hit).rename(output / "moved")
    assert verify(sandbox, listed, output).code == 0


def test_a_file_that_the_disk_does_not_give(sandbox: Sandbox, output: Path, listed: Path, hit: str) -> None:
    path = images(output, hit)[4]
    path.unlink()
    path.symlink_to(path.name)  # a link to itself: even root cannot read it
    found = verify(sandbox, listed, output)
    assert (found.code, found.signs()[hit]) == (3, "!")
    assert "cannot be read" in found.reasons(hit)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(sandbox: Sandbox, tmp_path: Path, listed: Path, hit: str, layout: str) -> None:
    output = tmp_path / "out"
    assert to_disk(sandbox, listed, output, *LAYOUTS[layout]).code == 0
    assert verify(sandbox, listed, output).code == 0
    (place,) = [path for path in output.rglob(f"*{hit}") if path.is_dir()]
    path = min(place.iterdir())
    content = bytearray(path.read_bytes())
    content[4200] ^= 1
    path.write_bytes(content)
    for _ in range(2):
        found = verify(sandbox, listed, output)
        assert (found.code, found.signs()[hit]) == (3, "*")
        shutil.rmtree(output / "state", ignore_errors=True)


def test_idc_that_cannot_be_asked_is_an_error_and_state_needs_nobody(
    sandbox: Sandbox, output: Path, listed: Path
) -> None:
    nowhere = {"TCIA_XNAT_IDC_URL": "http://127.0.0.1:9", "TCIA_XNAT_NBIA_URL": "http://127.0.0.1:9/nbia"}
    assert verify(sandbox, listed, output, **nowhere).code == 0
    shutil.rmtree(output / "state")
    found = verify(sandbox, listed, output, "--retries", "1", **nowhere)
    assert (found.code, set(found.signs().values())) == (3, {"!"})


def test_without_any_hashes_images_are_counted_and_read_to_their_end(
    sandbox: Sandbox, output: Path, listed: Path, hit: str
) -> None:
    shutil.rmtree(output / "state")
    found = verify(sandbox, listed, output, "--source", "nbia")
    assert found.code == 0
    assert "no hashes are known" in found.reasons(hit)
    truncate(folder_of(output, hit))
    found = verify(sandbox, listed, output, "--source", "nbia")
    assert (found.code, found.signs()[hit]) == (3, "*")
    assert "cut off" in found.reasons(hit)


def test_a_part_of_a_manifest(sandbox: Sandbox, output: Path, listed: Path) -> None:
    found = verify(sandbox, listed, output, "--limit", "2")
    assert (found.code, len(found.rows)) == (0, 2)


def test_geometry(sandbox: Sandbox, output: Path, listed: Path, hit: str) -> None:
    shutil.rmtree(output / "state")
    assert verify(sandbox, listed, output, "--check-geometry").code == 0
    images(output, hit)[6].unlink()
    found = verify(sandbox, listed, output, "--check-geometry", "--source", "nbia")
    assert (found.code, found.signs()[hit]) == (3, "*")
    assert "1 slice missing, between 12.5 and 17.5 mm" in found.reasons(hit)
    twin = images(output, hit)[3]
    dataset = pydicom.dcmread(twin)
    dataset.ImagePositionPatient[2] = 5.0
    dataset.save_as(twin)
    found = verify(sandbox, listed, output, "--check-geometry", "--source", "nbia")
    assert "2 slices at 5 mm" in found.reasons(hit)
    assert "mm" not in verify(sandbox, listed, output, "--source", "nbia").reasons(hit)


def test_a_folder_that_is_not_there(sandbox: Sandbox, tmp_path: Path, listed: Path) -> None:
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out", "--verify")
    assert (done.code, done.out) == (2, "")
    assert not (tmp_path / "out").exists()


def test_geometry_without_verify_is_refused(sandbox: Sandbox, tmp_path: Path, listed: Path) -> None:
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out", "--check-geometry")
    assert done.code == 2
    assert "--verify" in done.err


def test_what_was_disproved_is_a_list_and_is_fetched_again(
    sandbox: Sandbox, output: Path, listed: Path, hit: str
) -> None:
    path = next(path for path in sorted(folder_of(output, hit).iterdir()) if path.suffix == ".dcm")
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify(sandbox, listed, output).code == 3
    kept = output / "report" / "verify"
    text = (kept / "failed.tcia").read_text()
    assert text.startswith(f"# {hit}; different; ")
    assert text.splitlines()[-1] == hit
    found = json.loads((output / "report" / "verify.json").read_text())
    assert found["started"] <= found["ended"]
    assert found["idc_version"].startswith("v")
    assert hit in (output / "report" / "verify.html").read_text()
    again = to_disk(sandbox, listed, output)
    assert (again.code, {uid for uid, state in again.states().items() if state == "stored"}) == (0, {hit})
    assert verify(sandbox, listed, output).code == 0
    assert not (kept / "failed.tcia").exists()
