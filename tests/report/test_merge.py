"""The reports of shards, and of runs one after the other, as one."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tcia_xnat.core.errors import Stopped, UsageError
from tcia_xnat.core.metrics import Measured
from tcia_xnat.core.model import SourceName, State
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.report.document import document
from tcia_xnat.report.files import write_files
from tcia_xnat.report.merge import merge, notes
from tcia_xnat.report.read import checked
from tests.job.case import ROOT
from tests.report.case import STARTED, by_id, outcome, parsed, report_json, run, series, text


def test_shards_add_up(tmp_path: Path) -> None:
    one = report_json(tmp_path, [(series(n), outcome(series(n))) for n in range(10)])
    two = report_json(tmp_path, [(series(n), outcome(series(n), State.FAILED, reason="no")) for n in range(20, 23)])
    merged = merge([one, two], tmp_path / "merged")
    assert merged["verdict"] == "10 of 13 series are in the archive; 3 failed."
    assert merged["exit_code"] == 3
    assert merged["states"] == {"archived": 10, "failed": 3}
    assert merged["series"] == [*one["series"], *two["series"]]
    assert [cause["count"] for cause in merged["causes"]] == [3]
    assert str(tmp_path / "merged" / "failed.tcia") in merged["next_command"]


@pytest.mark.parametrize(
    ("earlier", "later", "merged"),
    [
        (State.FAILED, State.ARCHIVED, "archived"),
        (State.ARCHIVED, State.PRESENT, "archived"),
        (State.ARCHIVED, State.FAILED, "failed"),
        (State.FAILED, State.UNAVAILABLE, "unavailable"),
        (State.HELD, State.FAILED, "failed"),
        (State.PRESENT, State.ARCHIVED, "archived"),
    ],
)
def test_of_two_runs_the_later_counts_and_what_was_brought_stays_new(
    tmp_path: Path, earlier: State, later: State, merged: str
) -> None:
    documents = [
        document(run(tmp_path, [(series(1), outcome(series(1), state))], ended=STARTED + timedelta(seconds=seconds)))
        for state, seconds in ((later, 200), (earlier, 100))
    ]
    (row,) = merge(documents, tmp_path)["series"]
    assert row["state"] == merged


def test_codes_that_agree_are_kept(tmp_path: Path) -> None:
    failed = [(series(1), outcome(series(1), State.FAILED))]
    stopped = report_json(tmp_path, failed, Stopped(143))
    assert merge([stopped, stopped], tmp_path)["exit_code"] == 143
    assert merge([stopped, report_json(tmp_path, failed)], tmp_path)["exit_code"] == 3
    assert merge([stopped, report_json(tmp_path, [(series(1), outcome(series(1)))])], tmp_path)["exit_code"] == 0


def test_bytes_that_arrived_at_one_time_add_up(tmp_path: Path) -> None:
    first = Measured(1, {SourceName.IDC: (1, 2, 3, 4)})
    second = Measured(2, {SourceName.IDC: (10, 20), SourceName.NBIA: (5,)})
    documents = [
        document(run(tmp_path, [], measured=measured, started=STARTED + timedelta(seconds=late)))
        for measured, late in ((first, 0), (second, 2))
    ]
    assert merge(documents, tmp_path)["timeline"]["bytes"] == {"idc": [3, 17, 20], "nbia": [0, 5]}


def test_reports_of_different_projects_are_refused(tmp_path: Path) -> None:
    one = report_json(tmp_path, [])
    with pytest.raises(UsageError, match="OTHER, PROJECT"):
        merge([one, one | {"project": "OTHER"}], tmp_path)


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "query.py"), "merge-reports", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_writes_a_whole_report_with_the_pictures_of_all(tmp_path: Path) -> None:
    folders = []
    for name, number, state in (("a", 1, State.ARCHIVED), ("b", 20, State.FAILED)):
        content = report_json(tmp_path / name, [(series(number), outcome(series(number), state))])
        folders.append(tmp_path / name / "out" / "report")
        pictures = tmp_path / name / "out" / "state" / "pictures"
        pictures.mkdir(parents=True)
        (pictures / f"{series(number).series_instance_uid}.webp").write_bytes(b"RIFF" + name.encode())
        write_files(content, folders[-1], [])
    done = command(*folders, "-o", tmp_path / "merged")
    assert (done.returncode, done.stderr) == (3, "")
    assert "1 of 2 series are in the archive; 1 failed." in done.stdout
    merged = tmp_path / "merged"
    assert json.loads((merged / "report.json").read_text())["states"] == {"archived": 1, "failed": 1}
    with (merged / "report.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["archived", "failed"]
    assert series(20).series_instance_uid in (merged / "failed.tcia").read_text()
    tree = parsed((merged / "report.html").read_text())
    assert "P00000" in text(by_id(tree, "sessions"))
    assert [image.get("src") for image in by_id(tree, "sessions").iter("img")] == [
        "data:image/webp;base64,UklGRmE=",  # RIFFa
        "data:image/webp;base64,UklGRmI=",
    ]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"series": [{}], "timeline": {}}', "null"])
def test_what_is_no_report_is_one_line_and_a_hint(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    done = command(tmp_path, "-o", tmp_path / "merged")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not (tmp_path / "merged").exists()


def shard(tmp_path: Path, number: int, of: int) -> dict[str, Any]:
    """Return the report of a part of a list of twelve series."""
    members = [series(one) for one in range(12)]
    mine = [one for position, one in enumerate(members) if position % of == number]
    done = run(tmp_path, [(one, outcome(one)) for one in mine])
    catalogue = Catalogue({one.series_instance_uid: one for one in members}, {})
    prepared = replace(done.prepared, catalogue=catalogue)
    return document(replace(done, prepared=prepared, job=replace(done.job, shard=(number, of))))


def test_a_missing_part_is_missed_and_named(tmp_path: Path) -> None:
    parts = [shard(tmp_path, number, 3) for number in range(3)]
    assert parts[0]["verdict"].startswith("4 of the 12 series of list.tcia (shard 0 of 3) are in the archive")
    merged = merge(parts[:2], tmp_path)
    assert merged["exit_code"] == 3
    assert merged["verdict"] == (
        "8 of the 12 series of list.tcia (shards 0, 1 of 3) are in the archive: 8 new, 0 were there; that is all of "
        "this part. Part 2 of 3 of list.tcia is in none of these reports."
    )
    (cause,) = merged["causes"]
    assert (cause["count"], cause["hint"]) == (4, "run --shard 2/3, and merge again")
    complete = merge([merged, parts[2]], tmp_path)
    assert (complete["exit_code"], complete["verdict"]) == (
        0,
        "All 12 series are in the archive: 12 new, 0 were there.",
    )
    assert complete["asked"][0]["shards"] == ["0/3", "1/3", "2/3"]


def test_doubled_and_foreign_parts_are_named(tmp_path: Path) -> None:
    other = report_json(tmp_path, [(series(40), outcome(series(40)))])
    said = notes([shard(tmp_path, 0, 3), shard(tmp_path, 0, 3), other])
    assert [len(said), "different lists" in said[0], "part 0 of 3 of list.tcia is in 2 reports" in said[1]] == [
        2,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"host": "javascript:alert(1)///"},
        {"host": "https://user:word@xnat.example.org"},
        {"exit_code": "0"},
        {"started": "yesterday"},
        {"runs": ["../../x"]},
        {"series": [{}]},
        {"timeline": {"bin_seconds": 0, "bytes": {}, "steps": {}}},
    ],
)
def test_a_report_that_no_run_wrote_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    content = json.loads(json.dumps(report_json(tmp_path, [(series(1), outcome(series(1)))])))
    assert checked(content)["series"] == content["series"]
    with pytest.raises((ValueError, KeyError, TypeError)):
        checked(content | change)


def test_a_command_of_somebody_else_is_not_handed_on(tmp_path: Path) -> None:
    content = report_json(tmp_path, []) | {"next_command": "python download.py x; rm -rf ~"}
    assert not checked(content)["next_command"]
    assert checked(content | {"next_command": "python upload.py 'a b' P"})["next_command"] == "python upload.py 'a b' P"
