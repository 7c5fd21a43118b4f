"""Disks that are full, read-only or closed: one mapping, and files that are replaced whole or not at all."""

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tcia_xnat.core.errors import FolderError, SpaceError
from tcia_xnat.core.storage import replacing, storage_errors

ROOT = Path(__file__).resolve().parents[3]
LIMITED = """
import sys
from pathlib import Path
from tcia_xnat.core.storage import replacing
try:
    with replacing(Path(sys.argv[1])) as file:
        file.write("x" * 100_000)
except Exception as error:
    print(error.exit_code, error)
"""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_disk_that_takes_nothing_is_told_with_its_folder(number: int) -> None:
    with pytest.raises(SpaceError, match="/out: ") as raised, storage_errors("/out"):
        raise OSError(number, "no")
    assert raised.value.hint


def test_anything_else_is_an_error_of_the_folder() -> None:
    with pytest.raises(FolderError, match="/out: no"), storage_errors("/out"):
        raise PermissionError(errno.EACCES, "no")


def test_a_file_that_cannot_be_written_leaves_its_predecessor_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"6 the disk is full ({path}")
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "before"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    with replacing(path) as file:
        file.write("after")
        assert not path.exists()
    assert path.read_text() == "after"
