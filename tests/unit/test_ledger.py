"""The ledger: what one process wrote is there for the next, also after a kill."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tcia_xnat.core.model import Label
from tcia_xnat.planning.held import Imported
from tcia_xnat.transfer.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
ENTRY = Imported("1.2.3", "1.2", "/prearchive/projects/P/20260101_000000000/S", "idc", 12, 3456)


def test_entries_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite"
    code = f"""
import os, signal
from pathlib import Path
from tcia_xnat.transfer.ledger import Imported, Ledger
Ledger(Path({str(path)!r}), "http://x/", "P").add({ENTRY!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    with Ledger(path, "http://x", "P") as ledger:
        assert ledger.imported() == [ENTRY]


def test_projects_and_hosts_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "http://x", "P") as ledger, Ledger(path, "http://x", "Q") as other:
        ledger.add(ENTRY)
        assert not other.imported()
        other.forget([ENTRY.series_instance_uid])
        assert ledger.imported() == [ENTRY]
        ledger.forget(["9", ENTRY.series_instance_uid])
        assert not ledger.imported()


def test_a_second_sending_replaces_the_first(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", "h", "P") as ledger:
        ledger.add(ENTRY)
        later = replace(ENTRY, prearchive="/prearchive/x", source="nbia", image_count=1)
        ledger.add(later)
        assert ledger.imported() == [later]


def test_a_file_that_is_no_ledger_is_moved_aside(tmp_path: Path) -> None:
    path, said = tmp_path / "ledger.sqlite", list[str]()
    path.write_text("no database at all, but long enough to be looked at " * 40)
    with Ledger(path, "h", "P", said.append) as ledger:
        ledger.add(ENTRY)
        assert ledger.imported() == [ENTRY]
    (aside,) = tmp_path.glob("ledger.sqlite.damaged-*")
    assert aside.read_text().startswith("no database")
    assert len(said) == 1
    assert aside.name in said[0]


def test_a_source_that_nobody_knows_is_moved_aside(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", "h", "P") as ledger:
        ledger.add(replace(ENTRY, source="moon"))
    with Ledger(tmp_path / "l", "h", "P") as ledger:
        assert not ledger.imported()


def test_a_disk_that_fills_up_costs_the_memory_alone(tmp_path: Path) -> None:
    said: list[str] = []
    with Ledger(tmp_path / "l", "h", "P", said.append) as ledger:
        ledger._database.execute("PRAGMA max_page_count = 2")  # as a full disk says it: SQLITE_FULL
        for number in range(200):
            ledger.add(replace(ENTRY, series_instance_uid=f"1.{number}"))
        ledger.forget(["1.1"])
        ledger.forget(["1.2"])
    assert len(said) == 1
    assert "goes on without its memory" in said[0]


def test_sessions_and_images_outlive_a_closed_ledger(tmp_path: Path) -> None:
    path, said = tmp_path / "ledger.sqlite", list[str]()
    entry = replace(ENTRY, images=b"packed", kept=2)
    with Ledger(path, "http://x", "P", said.append) as ledger:
        ledger.add(entry)
        ledger.remember("1.2", Label("S", "E"))
    with Ledger(path, "http://x", "P", said.append) as ledger:
        assert ledger.imported() == [entry]
        assert ledger.sessions() == {"1.2": [Label("S", "E")]}
    assert not said
