"""What the tests of --verify share: a run, and its report read back."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.sandbox import Sandbox
from tests.job.case import Done, run

Snapshot = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Found:
    """What --verify said: exit code, stdout, and the rows of verify.json."""

    code: int
    out: str
    rows: list[dict[str, Any]]

    def signs(self) -> dict[str, str]:
        """Return the sign of each series, or of each file that belongs to none."""
        return {row["SeriesInstanceUID"] or row["where"]: row["sign"] for row in self.rows}

    def reasons(self, series_instance_uid: str) -> str:
        """Return what was said of one series."""
        (row,) = [row for row in self.rows if row["SeriesInstanceUID"] == series_instance_uid]
        return "; ".join(row["reasons"])


def verify(sandbox: Sandbox, manifest: object, output: Path, *more: str, **changed: str) -> Found:
    """Run --verify to its end; its three reports say the same, and nothing but them was written."""
    before = snapshot(output)
    done = run(sandbox, output, manifest, output, *more, "--verify", **changed)
    assert snapshot(output) == before
    assert done.code in {0, 3}, done.err
    return _found(done)


def _found(done: Done) -> Found:
    document = json.loads((done.report_dir / "verify.json").read_text())
    assert document["exit_code"] == done.code
    with (done.report_dir / "verify.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["sign"] for row in table] == [row["sign"] for row in document["rows"]]
    for row in document["rows"]:
        assert f"{row['sign']}  {row['SeriesInstanceUID'] or row['where']}" in done.out
    return Found(done.code, done.out, document["rows"])


def snapshot(output: Path) -> Snapshot:
    """Return size and time of change of all files below a folder but its reports."""
    own = {"report", "state"}  # of which it drops what was disproved
    paths = [path for path in output.rglob("*") if path.relative_to(output).parts[0] not in own]
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}
