"""What servers see of limits: fewer series at once after a refusal, fewer imports, no more bytes than allowed."""

import asyncio
import threading
import time
from pathlib import Path

import duckdb
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, assert_holds, download, expected, manifest, quick, run, several


class Counted:
    """Answers late, and counts how many wait at once."""

    def __init__(self, seconds: float) -> None:
        self._late, self._now, self.most = faults.slow(seconds), 0, 0

    async def __call__(self, application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        await self._late(application, scope, receive, send)
        self._now -= 1


def test_one_import_at_a_time(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest = several(sandbox, tmp_path / "m.tcia")
    counted = Counted(0.05)
    sandbox.xnat_faults.add(Fault("services/import", counted, times=None))
    done = download(sandbox, manifest, tmp_path / "out", "UPLOADS", "--uploads", "1", "--transfers", "8")
    sandbox.xnat_faults.lift()
    assert done.code == 0, done.err
    assert_holds(sandbox, "UPLOADS", expected(sandbox, manifest))
    assert counted.most == 1


class Waiting:
    """Has XNAT take nothing until something was asked of it; refuses when that does not come."""

    def __init__(self) -> None:
        self.awaited = threading.Event()

    async def __call__(self, application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        came = await asyncio.to_thread(self.awaited.wait, 30)
        if came:
            await application(scope, receive, send)
        else:
            await faults.answer(404)(application, scope, receive, send)


def test_a_series_is_fetched_while_xnat_takes_another(sandbox: Sandbox, tmp_path: Path) -> None:
    query = """
        SELECT SeriesInstanceUID FROM read_parquet(?) WHERE collection_id = 'cmb_aml' AND Modality = 'CT'
            AND (instanceCount = 1 AND PatientID = 'MSB-05167' OR instanceCount = 20 AND PatientID = 'MSB-07839')
        ORDER BY instanceCount"""
    with duckdb.connect() as database:
        first, second, *larger = database.execute(query, [str(sandbox.index.parquet)]).fetchall()
    path = manifest(tmp_path / "m.tcia", [first[0], second[0], larger[0][0]])
    waiting = Waiting()

    async def heard(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        waiting.awaited.set()
        await application(scope, receive, send)

    sandbox.xnat_faults.add(Fault("services/import", waiting))
    sandbox.nbia_faults.add(Fault("getImage", heard, first=2))
    options = ("--source", "nbia", "--transfers", "1", *quick())
    done = download(sandbox, path, tmp_path / "out", "MEANWHILE", *options)
    sandbox.xnat_faults.lift()
    sandbox.nbia_faults.lift()
    assert done.code == 0, done.err
    assert_holds(sandbox, "MEANWHILE", expected(sandbox, path))


def test_a_refusing_source_is_asked_by_fewer(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest = several(sandbox, tmp_path / "m.tcia")
    refused = Fault("getImage", faults.answer(429, headers={"Retry-After": "0"}), times=3)
    counted = Counted(0.3)
    sandbox.nbia_faults.add(
        refused, Fault("getImage", faults.slow(0.3), times=6), Fault("getImage", counted, times=None)
    )
    options = ("--source", "nbia", "--transfers", "6")
    done = download(sandbox, manifest, tmp_path / "out", "POLITE", *options, "--retry-wait", "0.05")
    sandbox.nbia_faults.lift()
    assert done.code == 0, done.err
    assert_holds(sandbox, "POLITE", expected(sandbox, manifest))
    assert refused.hits == 3
    assert 1 < counted.most <= 4


def test_bandwidth(sandbox: Sandbox, tmp_path: Path) -> None:
    started = time.monotonic()
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", "SLOWLY", "--bwlimit", "200k")
    byte_count = sum(int(row["bytes"]) for row in done.rows)
    assert done.code == 0, done.err
    assert time.monotonic() - started >= 0.9 * byte_count / 200_000 > 1


@pytest.mark.parametrize("rate", ["0", "fast", "-1M", "10 MB"])
def test_no_rate(sandbox: Sandbox, tmp_path: Path, rate: str) -> None:
    done = run(sandbox, tmp_path / "out", ONE_PATIENT, tmp_path / "out", "RATE", "--bwlimit", rate)
    assert done.code == 2
    assert "is no rate: write 500k, 20M or 1.5G" in done.err
