"""A real manifest to disk, in every layout; what came of it is read from the disk and compared with what is served."""

import csv
import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import requests

from sandbox.sandbox import Sandbox
from tests.folder.case import assert_on_disk, begun, folder_of, heed_rights, on_disk, served, to_disk
from tests.job.case import ONE_PATIENT, ONE_SERIES, Done, expected, manifest, run, several
from tests.job.test_kills import ended


def states(done: Done) -> set[str]:
    return set(done.states().values())


@pytest.mark.parametrize("source", ["idc", "nbia"])
def test_both_sources_give_the_same_files(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    done = to_disk(sandbox, ONE_PATIENT, tmp_path / "out", "--source", source)
    assert (done.code, states(done)) == (0, {"stored"}), done.err
    assert "All 8 series are on disk: 8 new, 0 were there." in done.out
    assert_on_disk(sandbox, ONE_PATIENT, tmp_path / "out")
    assert {row["source"] for row in done.rows} == {source}


def test_the_default_folders(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "out").code == 0
    ((uid, images),) = served(sandbox, ONE_SERIES).items()
    row = sandbox.index.nbia_series(uid)
    assert row is not None
    place = tmp_path / "out" / "cmb_aml" / row["PatientID"] / row["StudyInstanceUID"] / f"{row['Modality']}_{uid}"
    assert sorted(path.name for path in place.iterdir()) == sorted(f"{sop}.dcm" for sop in images)
    licence = (tmp_path / "out" / "cmb_aml" / "LICENSE").read_text()
    assert "CC BY 4.0" in licence
    assert "10.7937/pcte-6m66" in licence


def test_the_licence_that_nbia_sends_is_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    for _ in range(2):
        assert to_disk(sandbox, ONE_SERIES, tmp_path / "out", "--source", "nbia", "--existing", "append").code == 0
    licence = (tmp_path / "out" / "cmb_aml" / "LICENSE").read_text()
    assert licence.count("License Information. The CMB-AML collection") == 1


def test_the_same_command_again_transfers_and_reads_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_PATIENT, tmp_path / "out").code == 0
    for path in (tmp_path / "out").rglob("*.dcm"):
        path.chmod(0)
    sandbox.s3.forget()
    done = ended(begun(sandbox, ONE_PATIENT, tmp_path / "out", before=heed_rights), tmp_path / "out")
    assert (done.code, states(done)) == (0, {"present"})
    assert not sandbox.s3.requests


def test_a_lost_state_costs_a_look_and_no_transfer(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_PATIENT, tmp_path / "out").code == 0
    shutil.rmtree(tmp_path / "out" / "state")
    sandbox.s3.forget()
    done = to_disk(sandbox, ONE_PATIENT, tmp_path / "out")
    assert (done.code, states(done)) == (0, {"present"}), done.err
    assert sandbox.s3.requests
    assert all("list-type=2" in asked.path_with_query for asked in sandbox.s3.requests)
    sandbox.s3.forget()
    assert to_disk(sandbox, ONE_PATIENT, tmp_path / "out").code == 0
    assert not sandbox.s3.requests  # it is known again


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "flipped": flip,
    "truncated": lambda path: os.truncate(path, 1000),
    "empty": empty,
    "longer": lengthen,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("with_state", [True, False])
def test_what_is_wrong_on_disk_is_fetched_again_and_nothing_else(
    sandbox: Sandbox,
    tmp_path: Path,
    damage: str,
    with_state: bool,  # noqa: FBT001  a parameter
) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    assert to_disk(sandbox, listed, tmp_path / "out").code == 0
    hit = max(served(sandbox, listed), key=lambda uid: len(served(sandbox, listed)[uid]))
    DAMAGES[damage](sorted(folder_of(tmp_path / "out", hit).iterdir())[3])
    if not with_state:
        shutil.rmtree(tmp_path / "out" / "state")
    done = to_disk(sandbox, listed, tmp_path / "out")
    assert done.code == 0, done.err
    assert [uid for uid, state in done.states().items() if state == "stored"] == [hit]
    assert_on_disk(sandbox, listed, tmp_path / "out")


def test_a_file_that_was_only_touched_is_read_and_left(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "out").code == 0
    for path in (tmp_path / "out").rglob("*.dcm"):
        os.utime(path)
    sandbox.s3.forget()
    assert states(to_disk(sandbox, ONE_SERIES, tmp_path / "out")) == {"present"}
    assert not sandbox.s3.requests


def test_other_peoples_files_stay(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "out").code == 0
    (uid,) = expected(sandbox, ONE_SERIES).images
    note = folder_of(tmp_path / "out", uid) / "notes.txt"
    note.write_text("mine")
    done = to_disk(sandbox, ONE_SERIES, tmp_path / "out", "--existing", "append")
    assert states(done) == {"stored"}
    assert note.read_text() == "mine"
    assert_on_disk(sandbox, ONE_SERIES, tmp_path / "out")


def test_existing_error_refuses(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "out", "--existing", "error").code == 0
    done = to_disk(sandbox, ONE_SERIES, tmp_path / "out", "--existing", "error")
    assert done.code == 2
    assert "is there already" in done.err


def test_classic_as_the_data_retriever_writes_it(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert to_disk(sandbox, ONE_PATIENT, out, "--layout", "classic", "--limit", "3").code == 0
    assert to_disk(sandbox, ONE_PATIENT, out, "--layout", "classic").code == 0
    assert_on_disk(sandbox, ONE_PATIENT, out)
    raw = (out / "metadata.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 9
    rows = list(csv.DictReader(raw.decode().splitlines()))
    wanted = served(sandbox, ONE_PATIENT)
    assert {row["Series UID"]: int(row["Number of Images"]) for row in rows} == {
        uid: len(images) for uid, images in wanted.items()
    }
    for row in rows:
        place = out / row["File Location"]
        parts = ("CMB-AML", row["Subject ID"], row["Study UID"], row["Series UID"])
        assert place == out.joinpath(*parts)
        names = sorted(path.name for path in place.iterdir())
        assert len(names) == int(row["Number of Images"])
        assert all(re.fullmatch(r"\d-\d+\.dcm", name) for name in names)
        assert re.fullmatch(r"\d\d-\d\d-\d{4}", row["Study Date"])
        assert row["SOP Class Name"].endswith("Image Storage")
        assert re.fullmatch(r"[\d.]+ [KM]B", row["File Size"])
        assert row["Data Description URI"] == "https://doi.org/10.7937/pcte-6m66"
    assert (out / "CMB-AML" / "LICENSE").exists()


def test_classic_names_are_those_of_nbia(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert to_disk(sandbox, ONE_PATIENT, out, "--layout", "classic", "--source", "idc").code == 0
    for uid in served(sandbox, ONE_PATIENT):
        zipped = tmp_path / "nbia" / uid
        names = _names_in_nbia_zip(sandbox, uid)
        (place,) = out.glob(f"*/*/*/{uid}")
        assert {path.name for path in place.iterdir()} == names, zipped


def _names_in_nbia_zip(sandbox: Sandbox, uid: str) -> set[str]:
    url = sandbox.environment["TCIA_XNAT_NBIA_URL"] + "/v4/getImage"
    answer = requests.get(url, {"SeriesInstanceUID": uid, "NewFileNames": "Yes"}, timeout=30)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name for name in archive.namelist() if name != "LICENSE"}


@pytest.mark.parametrize("source", ["idc", "nbia"])
def test_zips_as_uploads_take_them(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    out = tmp_path / "out"
    for state in ("stored", "present"):
        done = to_disk(sandbox, ONE_PATIENT, out, "--layout", "zips", "--source", source)
        assert (done.code, states(done)) == (0, {state}), done.err
    assert_on_disk(sandbox, ONE_PATIENT, out)
    found = {path.relative_to(out).parts[:2] for path in out.glob("*/*/img.zip")}
    rows = [sandbox.index.nbia_series(uid) for uid in served(sandbox, ONE_PATIENT)]
    assert found == {(row["StudyInstanceUID"], row["SeriesInstanceUID"]) for row in rows if row}
    shutil.rmtree(out / "state")
    assert states(to_disk(sandbox, ONE_PATIENT, out, "--layout", "zips")) == {"present"}


def test_parts_of_large_series_end_in_one_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    assert to_disk(sandbox, ONE_PATIENT, tmp_path / "out", "--spool-limit", "10000").code == 0
    assert_on_disk(sandbox, ONE_PATIENT, tmp_path / "out")


def test_two_series_never_share_a_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    out, template = tmp_path / "out", ("--dir-template", "%PatientID/%Modality")
    first = manifest(tmp_path / "first.tcia", sorted(served(sandbox, ONE_PATIENT))[4:5])
    assert to_disk(sandbox, first, out, *template).code == 0
    for state in ({"stored", "present"}, {"present"}):
        done = to_disk(sandbox, ONE_PATIENT, out, *template)
        assert (done.code, states(done)) == (0, state), done.err
    shutil.rmtree(out / "state")
    assert states(to_disk(sandbox, ONE_PATIENT, out, *template)) == {"present"}
    assert_on_disk(sandbox, ONE_PATIENT, out)
    folders = {path.parent for path in out.rglob("*.dcm")}
    assert len(folders) == 8
    assert (out / "MSB-07839" / "CT").is_dir()


def smallest(sandbox: Sandbox, count: int) -> list[str]:
    """Return the series of a patient that have the fewest images."""
    counts = expected(sandbox, ONE_PATIENT).images
    return sorted(counts, key=lambda uid: (counts[uid], uid))[:count]


def test_one_folder_for_all_series(sandbox: Sandbox, tmp_path: Path) -> None:
    out, flat, uids = tmp_path / "out", ("--dir-template", ""), smallest(sandbox, 3)
    listed = manifest(tmp_path / "m.tcia", uids)
    assert to_disk(sandbox, manifest(tmp_path / "first.tcia", uids[1:2]), out, *flat).code == 0
    done = to_disk(sandbox, listed, out, *flat)
    assert (done.code, states(done)) == (0, {"stored", "present"}), done.err
    assert {path.parent for path in out.rglob("*.dcm")} == {out}
    assert_on_disk(sandbox, listed, out)
    shutil.rmtree(out / "state")
    lost, cut, *_ = sorted(out.glob("*.dcm"))
    lost.unlink()
    cut.write_bytes(b"cut")
    assert to_disk(sandbox, listed, out, *flat).code == 0
    assert_on_disk(sandbox, listed, out)
    assert to_disk(sandbox, listed, out, "--verify").code == 0


def test_a_name_that_is_taken_in_the_one_folder_keeps_its_file(sandbox: Sandbox, tmp_path: Path) -> None:
    out, (one, other) = tmp_path / "out", smallest(sandbox, 2)
    assert to_disk(sandbox, manifest(tmp_path / "m.tcia", [other]), out, "--dir-template", "").code == 0
    (theirs, *_), listed = sorted(out.glob("*.dcm")), manifest(tmp_path / "n.tcia", [one, other])
    taken = out / f"{min(served(sandbox, listed)[one])}.dcm"
    content = theirs.rename(taken).read_bytes()
    done = to_disk(sandbox, listed, out, "--dir-template", "")
    assert (done.code, done.states()) == (3, {one: "failed", other: "present"})
    assert f"holds images of series {other}" in done.out
    assert taken.read_bytes() == content


def test_a_manifest_in_two_parts(sandbox: Sandbox, tmp_path: Path) -> None:
    for part in ("0/2", "1/2"):
        assert to_disk(sandbox, several(sandbox, tmp_path / "m.tcia"), tmp_path / "out", "--shard", part).code == 0
    assert_on_disk(sandbox, tmp_path / "m.tcia", tmp_path / "out")


def test_a_dry_run_writes_nothing_and_sees_what_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = to_disk(sandbox, ONE_PATIENT, out, "--dry-run")
    assert done.code == 0, done.err
    assert "To send: 8 series, 473 images" in done.out
    assert str(out) in done.out
    assert not out.exists()
    assert to_disk(sandbox, ONE_PATIENT, out, "--limit", "3").code == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert "There already: 3 series" in to_disk(sandbox, ONE_PATIENT, out, "--dry-run").out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_no_xnat_is_needed_or_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    asked = len(sandbox.xnat.requests)
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "out", XNAT_HOST="").code == 0
    assert to_disk(sandbox, ONE_SERIES, tmp_path / "other").code == 0  # not even where one is named
    assert len(sandbox.xnat.requests) == asked


def test_a_series_that_nobody_knows_stops_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    unknown = "1.2.840.99.1"
    listed = manifest(tmp_path / "m.tcia", [unknown, *served(sandbox, ONE_SERIES)])
    done = to_disk(sandbox, listed, tmp_path / "out")
    assert done.code == 3
    assert done.states()[unknown] == "unavailable"
    assert unknown in (done.report_dir / "failed.tcia").read_text()
    assert set(on_disk(tmp_path / "out")) == set(served(sandbox, ONE_SERIES))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dir-template", "../%PatientID"), "below the output folder"),
        (("--dir-template", "/%PatientID"), "below the output folder"),
        (("--layout", "zips", "--dir-template", ""), "own folders"),
        (("--dir-template", "%PatientName"), "%PatientName"),
        (("--layout", "zips", "--dir-template", "%PatientID"), "own folders"),
    ],
)
def test_templates_that_are_none(sandbox: Sandbox, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = to_disk(sandbox, ONE_SERIES, tmp_path / "out", *options)
    error, hint = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert words in error
    assert hint.startswith("hint: ")
    assert not (tmp_path / "out").exists()


def test_output_dir_is_missing_or_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for arguments in ((ONE_SERIES,), (ONE_SERIES, tmp_path / "file")):
        done = run(sandbox, tmp_path / "out", *arguments)
        assert done.code == 2
        assert "OUTPUT_DIR" in done.err
