"""What else lies in trees: each kind of file has its result, is reported, and stays as it is."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from sandbox.sandbox import Sandbox
from tests.job.case import images
from tests.upload.case import archived, assert_holds, left_out, upload
from tests.upload.trees import Scan, snapshot, write, zipped

ONE, TWO = Scan("A", 1, 1), Scan("A", 1, 2, "T2")
WHOLE = {"007_pre": [ONE, TWO]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree of one session with two series."""
    write(tmp_path / "tree/007/pre/one", ONE.all_images())
    write(tmp_path / "tree/007/pre/two", TWO.all_images())
    return tmp_path / "tree"


HARMLESS = {
    "notes.txt": (b"nothing", "is no DICOM file"),
    "empty": (b"", "is empty"),
    ".DS_Store": (b"x", "a file that systems leave"),
    "__MACOSX/._IM1.dcm": (bytes(64), "a folder that systems or tools keep"),
    "._IM0001.dcm": (bytes(64), "a file that systems leave"),
    "table.xlsx": (zipped({"a": b"b"}), "is no DICOM file"),
    "copy/IM1.dcm": (ONE.image(1), "the same instance lies in 007/pre/one/IM0001.dcm"),
    b"na\xefve\n.txt".decode("utf-8", "surrogateescape"): (b"x", "is no DICOM file"),
}
LOST = {
    "empty.dcm": (b"", "is empty"),
    "text.dcm": (b"nothing", "is no DICOM file"),
    "nameless.dcm": (ONE.image(9, SOPInstanceUID=""), "has no SOPInstanceUID"),
    "classless.dcm": (ONE.image(9, SOPClassUID=""), "has no SOPClassUID"),
    "homeless.dcm": (ONE.image(9, SeriesInstanceUID=""), "has no SeriesInstanceUID"),
    "studyless.dcm": (ONE.image(9, StudyInstanceUID=""), "has no StudyInstanceUID"),
}


def test_what_is_no_image_is_left_out(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    write(tree / "007/pre/one", {name: content for name, (content, _) in HARMLESS.items()})
    before = snapshot(tree)
    done = upload(sandbox, tmp_path / "w", tree, "HARMLESS")
    assert done.code == 0, done.err
    assert_holds(sandbox, "HARMLESS", WHOLE)
    found = left_out(done)
    assert {what for what, _ in found.values()} == {"left out"}
    for name, (_, words) in HARMLESS.items():
        listed = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\n", "\\n")
        whole = listed.split("/", 1)[0] if listed.startswith("_") else listed
        assert found.pop(f"007/pre/one/{whole}")[1].startswith(words)
    assert not found
    assert snapshot(tree) == before


def test_what_should_have_been_an_image_is_reported_and_the_rest_goes_on(
    sandbox: Sandbox, tmp_path: Path, tree: Path
) -> None:
    write(tree / "007/pre/one", {name: content for name, (content, _) in LOST.items()})
    done = upload(sandbox, tmp_path / "w", tree, "LOST")
    assert done.code == 3
    assert_holds(sandbox, "LOST", WHOLE)
    assert left_out(done) == {f"007/pre/one/{name}": ("lost", words) for name, (_, words) in LOST.items()}
    for name, (_, words) in LOST.items():
        assert f"007/pre/one/{name} {words}" in done.out
    assert upload(sandbox, tmp_path / "w", tree, "LOST", "-n").code == 3
    options = [option for name in LOST for option in ("--exclude", name)]
    assert upload(sandbox, tmp_path / "w", tree, "LOST", *options).code == 0


def broken(name: str) -> bytes:
    image = ONE.image(9)
    return {"cut in its header": image[:400], "a tag too far": image[:200], "cut in its pixels": image[:-50]}[name]


@pytest.mark.parametrize("name", ["cut in its header", "a tag too far", "cut in its pixels"])
def test_a_series_with_a_damaged_image_waits_and_with_it_its_study(
    sandbox: Sandbox, tmp_path: Path, tree: Path, name: str
) -> None:
    write(tree / "007/pre/one", {"IM0009.dcm": broken(name)})
    other = Scan("B", 2, 1)
    write(tree / "008/pre/one", other.all_images())
    project = "DAMAGED_" + name.replace(" ", "_")
    done = upload(sandbox, tmp_path / "w", tree, project)
    assert done.code == 3, done.err
    assert archived(sandbox, project) == {"008_pre": {other.series_instance_uid: 3}}
    states = done.states()
    assert states[ONE.series_instance_uid] == "failed"
    assert states[TWO.series_instance_uid] == "held"
    assert "007/pre/one/IM0009.dcm" in done.out
    write(tree / "007/pre/one", {"IM0009.dcm": ONE.image(9)})
    whole = Scan("A", 1, 1, images=4)
    done = upload(sandbox, tmp_path / "w", tree, project)
    assert done.code == 0, done.err
    assert_holds(sandbox, project, {"007_pre": [whole, TWO], "008_pre": [other]})


def test_a_file_that_cannot_be_read(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    (tree / "007/pre/one/IM0009.dcm").symlink_to("nowhere")
    done = upload(sandbox, tmp_path / "w", tree, "UNREADABLE")
    assert done.code == 3
    assert not archived(sandbox, "UNREADABLE")
    assert "cannot be read: No such file" in done.out
    (tree / "007/pre/one/IM0009.dcm").unlink()
    assert upload(sandbox, tmp_path / "w", tree, "UNREADABLE").code == 0
    assert_holds(sandbox, "UNREADABLE", WHOLE)


def test_links_out_of_the_tree_are_followed_on_request(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    (tmp_path / "far").mkdir()
    (tree / "007/pre/two").rename(tmp_path / "far/two")
    (tree / "007/pre/two").symlink_to(tmp_path / "far/two")
    (tree / "007/pre/one/up").symlink_to(tree / "007")
    os.mkfifo(tree / "007/pre/one/pipe")
    named = upload(sandbox, tmp_path / "w", tree, "LINKS")
    assert named.code == 3
    assert left_out(named)["007/pre/two"][0] == "lost"
    assert "--follow-links" in named.out
    done = upload(sandbox, tmp_path / "w", tree, "LINKS", "--follow-links")
    assert done.code == 0, done.err
    assert_holds(sandbox, "LINKS", WHOLE)
    found = left_out(done)
    assert found["007/pre/one/up"] == ("left out", "a link to a folder that it lies in")
    assert found["007/pre/one/pipe"] == ("left out", "no regular file")


def test_the_same_instance_with_other_content_is_refused(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    write(tree / "007/pre/one", {"copy.dcm": ONE.image(1, SeriesDescription="another")})
    done = upload(sandbox, tmp_path / "w", tree, "TWICE")
    assert done.code == 3
    assert not archived(sandbox, "TWICE")
    assert "007/pre/one/IM0001.dcm and 007/pre/one/copy.dcm are the same instance with different content" in done.out
    assert upload(sandbox, tmp_path / "w", tree, "TWICE", "--exclude", "copy.dcm").code == 0
    assert_holds(sandbox, "TWICE", WHOLE)


def test_compressed_images_and_names_without_ending_arrive_as_they_are(sandbox: Sandbox, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(write(tmp_path / "made", {"x": ONE.image(1)}) / "x")
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([bytes(range(100)), bytes(50)])
    dataset["PixelData"].is_undefined_length = True
    (tmp_path / "tree/s/v").mkdir(parents=True)
    dataset.save_as(tmp_path / "tree/s/v/1.2.3.4")
    deflated = pydicom.dcmread(write(tmp_path / "made", {"x": ONE.image(2)}) / "x")
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated.save_as(tmp_path / "tree/s/v/IMAGE")
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", "SYNTAX")
    assert done.code == 0, done.err
    assert archived(sandbox, "SYNTAX") == {"s_v": {ONE.series_instance_uid: 2}}
    assert {image.pixels for image in images(sandbox, "SYNTAX")} >= {hash(dataset.PixelData)}


def test_a_compressed_image_without_its_end_mark_is_damaged(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    dataset = pydicom.dcmread(tree / "007/pre/one/IM0001.dcm")
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([bytes(range(100)), bytes(50)])
    dataset["PixelData"].is_undefined_length = True
    path = tree / "007/pre/one/IM0001.dcm"
    dataset.save_as(path)
    path.write_bytes(path.read_bytes()[:-30])
    done = upload(sandbox, tmp_path / "w", tree, "ENDLESS")
    assert done.code == 3
    assert "007/pre/one/IM0001.dcm is cut off" in done.out
    assert not archived(sandbox, "ENDLESS")


def test_names_that_are_no_text(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = b"s\xe9rie".decode("utf-8", "surrogateescape")
    tree = write(tmp_path / "tree" / folder / "pre", ONE.all_images()).parents[1]
    done = upload(sandbox, tmp_path / "w", tree, "LATIN")
    assert done.code == 0, done.err
    assert_holds(sandbox, "LATIN", {"s_rie_pre": [ONE]})
    assert "s\\xe9rie/pre" in upload(sandbox, tmp_path / "w", tree, "LATIN", "-n").out


@pytest.mark.parametrize("changed", ["PatientID", "StudyInstanceUID"])
def test_headers_that_contradict_each_other_are_refused(sandbox: Sandbox, tmp_path: Path, changed: str) -> None:
    tree = write(tmp_path / "tree", ONE.all_images())
    write(tree, {"IM0002.dcm": ONE.image(2, **{changed: "9.9.9"})})
    other = Scan("B", 2, 1)
    write(tree / "b", other.all_images())
    done = upload(sandbox, tmp_path / "w", tree, f"MIXED_{changed}")
    assert done.code == 3
    assert archived(sandbox, f"MIXED_{changed}") == {"B": {other.series_instance_uid: 3}}
    assert done.states()[ONE.series_instance_uid] == "failed"


def test_one_series_in_two_session_folders_is_refused(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    write(tree / "007/post/one", ONE.all_images())
    done = upload(sandbox, tmp_path / "w", tree, "INTWO")
    assert done.code == 3
    assert "its images lie in 2 session folders" in done.out
    assert all(ONE.series_instance_uid not in scans for scans in archived(sandbox, "INTWO").values())


def test_images_without_a_patient_need_names(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {name: ONE.image(nth, PatientID="") for nth, name in enumerate(["a", "b"], 1)})
    done = upload(sandbox, tmp_path / "w", tree, "NOBODY")
    assert (done.code, "have no PatientID" in done.out) == (3, True)
    assert not archived(sandbox, "NOBODY")
    tree = write(tmp_path / "named/x/y", {"a": ONE.image(1, PatientID="")}).parents[1]
    assert upload(sandbox, tmp_path / "w", tree, "NOBODY").code == 0
    assert archived(sandbox, "NOBODY") == {"x_y": {ONE.series_instance_uid: 1}}


def test_a_file_that_changes_between_planning_and_sending(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    """It has the size and the time of before, as copies and in-place anonymisers leave them; it is read again."""
    path = tree / "007/pre/one/IM0002.dcm"
    assert upload(sandbox, tmp_path / "w", tree, "-n", XNAT_HOST="").code == 0
    before = path.stat()
    path.write_bytes(Scan("A", 1, 7).image(2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    done = upload(sandbox, tmp_path / "w", tree, "CHANGED")
    assert done.code == 0, done.err
    assert archived(sandbox, "CHANGED") == {
        "007_pre": {ONE.series_instance_uid: 2, Scan("A", 1, 7).series_instance_uid: 1, TWO.series_instance_uid: 3}
    }


# zips


def test_zips_in_session_folders(sandbox: Sandbox, tmp_path: Path) -> None:
    tree, localizer = tmp_path / "tree", Scan("A", 1, 3, "Localizer")
    content = {f"Scans/{name}": data for name, data in ONE.all_images().items()}
    content |= {f"Localizers/{name}": data for name, data in localizer.all_images().items()}
    write(tree / "007/pre", {"all.zip": zipped(content | {"readme.txt": b"x"})})
    write(tree / "007/pre/two", TWO.all_images())
    (tmp_path / "c.json").write_text('{"Exclude": ["localizers"]}')
    wanted = {"nozip": [TWO], "process": [ONE, TWO], "asis": [ONE, TWO, localizer]}
    for mode, scans in wanted.items():
        done = upload(sandbox, tmp_path / "w", tree, f"Z{mode}", "--zipmode", mode, "--config", tmp_path / "c.json")
        assert done.code == 0, done.err
        assert_holds(sandbox, f"Z{mode}", {"007_pre": scans})


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_same_images_loose_and_in_a_zip_are_there_once(
    sandbox: Sandbox, tmp_path: Path, tree: Path, method: int
) -> None:
    both = {**ONE.all_images(), "again/1.dcm": ONE.image(1)}
    write(tree / "007/pre", {"backup.zip": zipped(both, method)})
    done = upload(sandbox, tmp_path / "w", tree, f"ONCE{method}", "--zipmode", "process")
    assert done.code == 0, done.err
    assert_holds(sandbox, f"ONCE{method}", WHOLE)
    assert len(left_out(done)) == 4


def _flipped(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


ZIPS: Mapping[str, Callable[[], bytes]] = {
    "no zip at all": lambda: b"<html>",
    "cut off": lambda: zipped(ONE.all_images())[:-40],
    "a zip in a zip": lambda: zipped({"inner.zip": zipped(ONE.all_images()), "x": TWO.image(9)}),
    "bzip2": lambda: zipped(ONE.all_images(), zipfile.ZIP_BZIP2),
    "a flipped bit": lambda: _flipped(zipped(ONE.all_images(), zipfile.ZIP_STORED)),
}


@pytest.mark.parametrize("name", ZIPS)
def test_zips_that_cannot_be_used(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    tree = write(tmp_path / "tree", {"a/b.zip": ZIPS[name]()})
    other = Scan("B", 2, 1)
    write(tree, other.all_images())
    project = "ZIP_" + name.replace(" ", "_")
    done = upload(sandbox, tmp_path / "w", tree, project)
    assert done.code == 3, done.err
    assert archived(sandbox, project)["B"] == {other.series_instance_uid: 3}
    assert ONE.series_instance_uid not in archived(sandbox, project).get("A", {})
    assert "a/b.zip" in done.out


def test_a_downloaders_zip_that_lacks_what_it_lists(sandbox: Sandbox, tmp_path: Path) -> None:
    files = ONE.all_images()
    listed = "Filename,MD5Hash\n" + "".join(f"{name},\n" for name in [*files, "IM0004.dcm"])
    uid = ONE.series_instance_uid
    tree = write(tmp_path / "tree", {f"{uid}/img.zip": zipped({**files, "md5hashes.csv": listed.encode()})})
    done = upload(sandbox, tmp_path / "w", tree, "SHORT")
    assert done.code == 3
    assert not archived(sandbox, "SHORT")
    assert "lacks 1 of 4 files" in done.out


@pytest.mark.parametrize("content", [b"", zipped({"LICENSE": b"x"})])
def test_a_downloaders_zip_without_images_is_a_series_that_failed(
    sandbox: Sandbox, tmp_path: Path, content: bytes
) -> None:
    tree = write(tmp_path / "tree", {f"{TWO.series_instance_uid}/img.zip": content})
    write(tree / ONE.series_instance_uid, {"img.zip": zipped(ONE.all_images())})
    project = f"BARE{len(content)}"
    done = upload(sandbox, tmp_path / "w", tree, project)
    assert done.code == 3
    assert done.states() == {ONE.series_instance_uid: "archived", TWO.series_instance_uid: "failed"}


def test_a_downloaders_zip_in_the_folder_of_another_series(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {f"{TWO.series_instance_uid}/img.zip": zipped(ONE.all_images())})
    done = upload(sandbox, tmp_path / "w", tree, "WRONGPLACE")
    assert done.code == 3
    assert not archived(sandbox, "WRONGPLACE")
    assert f"it lies in the folder of series {TWO.series_instance_uid}" in done.out
