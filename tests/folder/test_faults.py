"""Every fault of IDC and NBIA against a download to disk: while it lasts nothing of the series is there, after it all.

Each fault hits a series of its own, so that one run meets all of them at once.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

from sandbox.faults import Action, Fault
from sandbox.sandbox import Sandbox
from tests.folder.case import assert_on_disk, on_disk, served, to_disk
from tests.job.case import ONE_PATIENT, manifest, quick
from tests.job.test_source_faults import IDC, NBIA, REPAIRED, folder


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    for rules in (sandbox.nbia_faults, sandbox.idc_faults):
        rules.lift()


def small_series(sandbox: Sandbox, count: int) -> list[str]:
    """Return series of several images, small ones first."""
    query = "SELECT SeriesInstanceUID FROM read_parquet(?) WHERE instanceCount > 1 ORDER BY instanceCount, 1 LIMIT ?"
    with duckdb.connect() as database:
        return [uid for (uid,) in database.execute(query, [str(sandbox.index.parquet), count]).fetchall()]


def dealt(sandbox: Sandbox, table: Mapping[str, tuple[str, Action]]) -> dict[str, str]:
    """Deal a series to each fault: name → SeriesInstanceUID."""
    return dict(zip(table, small_series(sandbox, len(table)), strict=True))


@pytest.mark.parametrize("lasts", [False, True])
def test_nbia(sandbox: Sandbox, tmp_path: Path, lasts: bool) -> None:  # noqa: FBT001  a parameter
    hit, out = dealt(sandbox, NBIA), tmp_path / "out"
    listed = manifest(tmp_path / "m.tcia", hit.values())
    for name, (where, action) in NBIA.items():
        if lasts or name != "redirect":  # what is refused for good is not tried again
            rule = Fault(where.format(uid=re.escape(hit[name])), action, times=None if lasts else 1)
            sandbox.nbia_faults.add(rule)
    done = to_disk(sandbox, listed, out, *quick("--source", "nbia", "--transfers", "16"))
    lost = {hit[name] for name in set(NBIA) - REPAIRED} if lasts else set()
    assert done.code == (3 if lasts else 0), done.err
    assert {uid for uid, state in done.states().items() if state != "stored"} == lost
    assert not lost & set(on_disk(out))
    assert all(uid in done.out for uid in list(lost)[:1])
    sandbox.nbia_faults.lift()
    assert to_disk(sandbox, listed, out, *quick("--source", "nbia")).code == 0
    assert_on_disk(sandbox, listed, out)


@pytest.mark.parametrize("source", ["idc", "auto"])
def test_idc(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    hit, out = dealt(sandbox, IDC), tmp_path / "out"
    listed = manifest(tmp_path / "m.tcia", hit.values())
    for name, (where, action) in IDC.items():
        sandbox.idc_faults.add(Fault(where.format(uuid=folder(sandbox, hit[name])), action, times=None))
    done = to_disk(sandbox, listed, out, *quick("--source", source, "--transfers", "16"))
    if source == "idc":
        assert done.code == 3, done.err
        assert set(done.states().values()) <= {"failed", "unavailable"}
        assert not on_disk(out)
        sandbox.idc_faults.lift()
        assert to_disk(sandbox, listed, out, *quick("--source", source)).code == 0
    else:
        assert done.code == 0, done.err
        assert {row["source"] for row in done.rows} == {"nbia"}
        assert all("IDC" in row["notes"] for row in done.rows)
    assert_on_disk(sandbox, listed, out)


def test_a_part_of_a_large_series_is_no_series(sandbox: Sandbox, tmp_path: Path) -> None:
    uid = max(served(sandbox, ONE_PATIENT), key=lambda uid: len(served(sandbox, ONE_PATIENT)[uid]))
    listed, out = manifest(tmp_path / "m.tcia", [uid]), tmp_path / "out"
    where, action = IDC["no such key"]
    sandbox.idc_faults.add(Fault(where.format(uuid=folder(sandbox, uid)), action, first=300, times=None))
    options = quick("--source", "idc", "--spool-limit", "100000")
    assert to_disk(sandbox, listed, out, *options).code == 3
    assert not on_disk(out)
    done = to_disk(sandbox, listed, out, *quick("--spool-limit", "100000"))
    assert (done.code, [row["source"] for row in done.rows]) == (0, ["nbia"])
    assert_on_disk(sandbox, listed, out)


def test_sources_that_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    nowhere = {"TCIA_XNAT_IDC_URL": "http://127.0.0.1:9", "TCIA_XNAT_NBIA_URL": "http://127.0.0.1:9/nbia"}
    done = to_disk(sandbox, ONE_PATIENT, tmp_path / "out", *quick(), **nowhere)
    assert done.code == 4
    assert set(done.states().values()) == {"failed"}
    assert not on_disk(tmp_path / "out")
    assert not list((tmp_path / "out" / "state" / "incoming").iterdir())
