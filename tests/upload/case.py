"""What the tests of uploads share: the tool as a process, and what the archive must hold of a tree."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.sandbox import Sandbox
from tests import zygote
from tests.job.case import ROOT, Done, assert_nothing_waits, environment, images, subjects
from tests.upload.trees import Scan


def command(*arguments: object) -> list[str]:
    """Return the command line of upload.py."""
    return [sys.executable, str(ROOT / "upload.py"), *map(str, arguments)]


def upload(sandbox: Sandbox, workdir: Path, *arguments: object, **changed: str) -> Done:
    """Run upload.py with these arguments to its end; `changed` are variables."""
    workdir.parent.mkdir(parents=True, exist_ok=True)
    line = command(*arguments, "--workdir", workdir)
    done = zygote.run(line, env=environment(sandbox, **changed), cwd=workdir.parent, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr, workdir / "report")


def archived(sandbox: Sandbox, project: str) -> dict[str, dict[str, int]]:
    """Read the archive: session → SeriesInstanceUID → number of images; no image may be there twice."""
    found = images(sandbox, project)
    assert len({(image.session, image.sop_instance_uid) for image in found}) == len(found)
    counts = Counter((image.session, image.series_instance_uid) for image in found)
    sessions: dict[str, dict[str, int]] = {}
    for (session, uid), count in counts.items():
        sessions.setdefault(session, {})[uid] = count
    return sessions


def wanted(scans: Mapping[str, Iterable[Scan]]) -> dict[str, dict[str, int]]:
    """Return what `archived` must find of some scans by their session."""
    return {session: {scan.series_instance_uid: scan.images for scan in those} for session, those in scans.items()}


def assert_holds(
    sandbox: Sandbox,
    project: str,
    scans: Mapping[str, Iterable[Scan]],
    *,
    may_strand: bool = False,
    state_lost: bool = False,
) -> None:
    """Assert that the archive holds exactly these scans under these sessions, and nothing waits.

    `may_strand` and `state_lost` are those of the main job's `assert_holds`.
    """
    assert archived(sandbox, project) == wanted(scans)
    assert set(subjects(sandbox, project)) == set(scans)
    assert_nothing_waits(sandbox, project, may_strand=may_strand, state_lost=state_lost)


def left_out(done: Done) -> dict[str, tuple[str, str]]:
    """Return what was not sent, by path: how bad that is, and why."""
    with (done.report_dir / "left_out.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"]: (row["what"], row["reason"]) for row in csv.DictReader(file)}
