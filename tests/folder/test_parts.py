"""Runs on a part of a list: what they say of it, what they leave of the record of the whole, and what they return."""

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.folder.case import to_disk
from tests.job.case import ONE_PATIENT, manifest

AWAY = ("--source", "nbia", "--nbia-url", "http://127.0.0.1:1", "--retries", "1")


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_limit_hides_neither_an_outage_nor_what_nobody_offers(
    sandbox: Sandbox, tmp_path: Path, more: tuple[str, ...]
) -> None:
    away = to_disk(sandbox, ONE_PATIENT, tmp_path / "away", *AWAY, "--limit", "4", *more)
    assert away.code == 4, away.out + away.err
    gone = manifest(tmp_path / "gone.tcia", ["1.2.3.4.5.6.7.8.9"])
    done = to_disk(sandbox, gone, tmp_path / "gone", "--limit", "1", *more)
    assert done.code == 3
    assert "All" not in away.out + done.out
