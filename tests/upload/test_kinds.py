"""Trees as people have them, in whole runs: what is sent, what is said, and what is asked."""

import gzip
import json
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ask, projects, resource, subjects
from tests.upload.case import archived, assert_holds, left_out, upload
from tests.upload.trees import Scan, write, zipped

WHOLE = Scan("K1", 7601, 1, images=6)


def test_images_in_whatever_form_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    one, two, three, four, five, six = (WHOLE.image(number) for number in range(1, 7))
    tree = write(tmp_path / "t", {".5mm bone/.IM1": one, "IM2": two[132:], "IM3.gz": gzip.compress(three)})
    write(tree, {"cd.zip": zipped({"DATA\\IM4": four, "__MACOSX\\DATA\\._IM4": b"x"}), "IM5.0001": five + b"\xff"})
    write(tree, {"DICOMDIR": six, "._IM5.0001": b"x"})
    done = upload(sandbox, tmp_path / "w", tree, "FORMS")
    assert done.code == 0, done.out
    assert_holds(sandbox, "FORMS", {"K1": [WHOLE]})
    said = "Left out: 2 other files: left_out.csv."
    assert said in done.out
    assert "layout headers (" in done.err
    again = upload(sandbox, tmp_path / "w", tree, "FORMS")
    assert again.report["verdict"] == f"1 series is in the archive: 0 new, 1 were there. {said}"


def test_what_stands_in_the_place_of_images_is_named_in_every_run(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {f"IM{number}": WHOLE.image(number) for number in range(1, 7)}
    lost = {"IM3": b"", "IM4": b"/annex/objects/MD5E-s9--0\n", "IM5": zipped({"x": WHOLE.image(5)})}
    tree = write(tmp_path / "t", {**files, **lost})
    for workdir in ("w", "w", "state lost"):
        done = upload(sandbox, tmp_path / workdir, tree, "PLACES")
        assert done.code == 3
        assert {path for path, (what, _) in left_out(done).items() if what == "lost"} == set(lost)
        assert all(name in done.out for name in lost)
    assert upload(sandbox, tmp_path / "w", write(tree, files), "PLACES").code == 0
    assert_holds(sandbox, "PLACES", {"K1": [WHOLE]})


def test_a_series_in_a_wrong_folder_is_named_and_takes_no_name(sandbox: Sandbox, tmp_path: Path) -> None:
    own, other, strange = Scan("KA", 7611, 1), Scan("KB", 7612, 1), Scan("KA", 7611, 2)
    for scan, folder in ((own, "KA/v1"), (other, "KB/v1/t1"), (strange, "KB/v1/t2")):
        write(tmp_path / "t" / folder, scan.all_images())
    done = upload(sandbox, tmp_path / "w", tmp_path / "t", "WRONGFOLDER", "--layout", "folders")
    assert done.code == 3
    assert "its images are PatientID KA's and lie under subject KB" in done.out
    assert_holds(sandbox, "WRONGFOLDER", {"KA_v1": [own], "KB_v1": [other]})
    assert subjects(sandbox, "WRONGFOLDER") == {"KA_v1": "KA", "KB_v1": "KB"}


REFUSED = {
    "two readings": ((), "can be read in two ways"),
    "a pattern that fits nothing": (
        ("--layout", "headers", "--exclude", "Protokol"),
        "--exclude 'Protokol' fits nothing",
    ),
    "a name of sessions": (("--layout", "folders", "--session-label", "{StudyDate}"), "--session-label has no effect"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_is_asked_before_anything_is_sent(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    for number in (1, 2, 3):
        write(tmp_path / f"t/S{number}/v1", Scan(f"MRN{number}", 7620 + number, 1).all_images())
    write(tmp_path / "t", {"stray.dcm": Scan("MRN4", 7624, 1).image(1)})
    options, words = REFUSED[name]
    project = f"ASKED{len(name)}"
    done = upload(sandbox, tmp_path / "w", tmp_path / "t", project, *options)
    assert (done.code, words in done.err) == (2, True), done.err
    assert project not in projects(sandbox)


@pytest.mark.parametrize("keeps", [False, True])
def test_names_of_folders_stay_on_disk_unless_asked_otherwise(sandbox: Sandbox, tmp_path: Path, *, keeps: bool) -> None:
    good, bad = Scan("K7", 7631, 1), Scan("K8", 7632, 1)
    write(tmp_path / "t/Secret_Jane/v1/x", good.all_images())
    write(tmp_path / "t/Secret_Joe/v1/x", {**bad.all_images(), "IM0002.dcm": bad.image(2)[:-40], "cut.dcm": b"x"})
    project, options = ("PATHSKEPT", ["--keep-paths"]) if keeps else ("PATHS", [])
    write(tmp_path, {"m.csv": b"path,subject,session\nSecret_Jane,S1,V1\nSecret_Joe,S2,V1\n"})
    listed = ("--mapping", tmp_path / "m.csv")
    done = upload(sandbox, tmp_path / "w", tmp_path / "t", project, *listed, *options)
    assert done.code == 3
    assert "Secret_Joe/v1/x/IM0002.dcm" in done.out
    assert "Secret_Joe/v1/x/cut.dcm" in left_out(done)
    rows = ask(sandbox, f"/data/projects/{project}/resources/UPLOAD/files")
    kept = {Path(row["URI"]).name: resource(sandbox, project, "UPLOAD", row["URI"].split("/files/")[1]) for row in rows}
    assert set(kept) >= {"t.json", "t.csv", "report.json", "report.csv", "report.html"}
    assert ("left_out.csv" in kept) is keeps
    assert any(b"Secret" in content or str(tmp_path).encode() in content for content in kept.values()) is keeps
    assert json.loads(kept["report.json"])["states"]["archived"] == 1
    assert archived(sandbox, project) == {"V1": {good.series_instance_uid: 3}}
