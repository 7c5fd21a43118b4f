"""Trees as people have them, in whole runs: what is sent, what is said, and what is asked."""

import json
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ask, projects, resource
from tests.upload.case import archived, left_out, upload
from tests.upload.trees import Scan, write

REFUSED = {
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
