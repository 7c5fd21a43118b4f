"""Folders that other tools have left: in two runs, after which --verify agrees, and in another layout."""

import shutil
from pathlib import Path

from sandbox.sandbox import Sandbox
from tests.folder.case import assert_on_disk, folder_of, served, to_disk
from tests.job.case import ONE_SERIES, several
from tests.verify.case import verify


def renamed(folder: Path, name: str) -> list[Path]:
    """Call the files of a folder as another tool does."""
    paths = sorted(folder.iterdir())
    return [path.rename(path.with_name(name.format(number))) for number, path in enumerate(paths)]


def test_what_other_tools_left_is_kept_or_replaced_and_never_doubled(sandbox: Sandbox, tmp_path: Path) -> None:
    listed, out = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
    assert to_disk(sandbox, listed, out).code == 0
    for own in ("state", "report"):
        shutil.rmtree(out / own)
    part, elsewhere, beside, *_ = sorted(served(sandbox, listed), key=lambda uid: -len(served(sandbox, listed)[uid]))
    renamed(folder_of(out, part), "{}-crdc-instance-uuid.dcm")[0].unlink()
    renamed(folder_of(out, elsewhere).rename(out / elsewhere), "1-{:02}.dcm")
    damaged = folder_of(out, beside) / "1-1.dcm"
    damaged.write_bytes(min(folder_of(out, beside).iterdir()).read_bytes()[:-10])
    assert verify(sandbox, listed, out).code == 3
    for wanted in ({part}, frozenset[str]()):
        done = to_disk(sandbox, listed, out)
        assert done.code == 0, done.out + done.err
        assert {uid for uid, state in done.states().items() if state == "stored"} == wanted
        assert f"first {elsewhere} in {elsewhere}, not in cmb_aml/" in done.out + done.err
        assert_on_disk(sandbox, listed, out)
        assert verify(sandbox, listed, out).code == 0
    sandbox.s3.forget()
    done = to_disk(sandbox, listed, out, "--layout", "classic")
    assert (done.code, set(done.states().values())) == (0, {"present"})
    assert not sandbox.s3.requests
    assert_on_disk(sandbox, listed, out)


def test_a_series_in_two_folders_ends_as_verify_says(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert to_disk(sandbox, ONE_SERIES, out).code == 0
    (uid,) = served(sandbox, ONE_SERIES)
    shutil.copytree(folder_of(out, uid), out / "mine")
    done = to_disk(sandbox, ONE_SERIES, out)
    assert done.code == verify(sandbox, ONE_SERIES, out).code == 3
    assert "lie in mine, beside its folder cmb_aml/" in done.rows[0]["reason"]
    assert done.rows[0]["hint"]
