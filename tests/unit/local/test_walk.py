"""What lies in a tree: links that stay in it are followed, others are named, and no entry ends the walk."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Label
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.plan import make
from tcia_xnat.report.verdict import plan_exit_code
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.model import Weight
from tcia_xnat.sources.local.tree import find_root
from tcia_xnat.sources.local.walk import Found, walk
from tests.folder.case import heed_rights
from tests.unit.local.look import look
from tests.upload.trees import Scan, write

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "s").mkdir(parents=True)
    (made / "s/one.dcm").write_bytes(b"1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/far.dcm").write_bytes(b"2")
    return made


def found(root: Path, *, follows: bool = False) -> dict[str, Found]:
    return {os.path.relpath(one.path, root): one for one in walk(root, follows=follows)}


def test_links_that_stay_in_the_tree_are_followed(root: Path) -> None:
    (root / "again").symlink_to("s")
    (root / "file.dcm").symlink_to(root / "s/one.dcm")
    assert {name for name, one in found(root).items() if one.passed is None} == {
        "s/one.dcm",
        "again/one.dcm",
        "file.dcm",
    }


@pytest.mark.parametrize("target", ["../../out", "../../out/far.dcm", "/etc", "chain"])
def test_links_out_of_the_tree_are_named_and_not_followed(root: Path, target: str) -> None:
    (root / "s/chain").symlink_to("../../out")
    (root / "s/link").symlink_to(target)
    passed = found(root)["s/link"].passed
    assert passed is not None
    assert passed.weight is Weight.LOST
    assert "--follow-links" in passed.reason
    assert not any(name.startswith("s/link/") for name in found(root))


def test_a_sibling_whose_name_begins_alike_is_outside(root: Path) -> None:
    (root.parent / "root2").mkdir()
    (root / "link").symlink_to(root.parent / "root2")
    assert found(root)["link"].passed is not None


def test_links_are_followed_anywhere_on_request(root: Path) -> None:
    (root / "link").symlink_to("../out")
    assert found(root, follows=True)["link/far.dcm"].passed is None


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("target", ["self", "nowhere"])
def test_a_link_to_itself_or_to_nothing_is_that_entry_s_problem(root: Path, target: str, *, follows: bool) -> None:
    (root / "s/self").symlink_to(target)
    seen = found(root, follows=follows)
    passed = seen["s/self"].passed
    assert passed is not None
    assert passed.weight is Weight.SUSPECT
    assert passed.reason.startswith("cannot be read: ")
    assert seen["s/one.dcm"].passed is None


def test_a_root_that_is_a_link_is_what_it_leads_to(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert found(link)["s/one.dcm"].passed is None


def closed(*names: str) -> Callable[..., Any]:
    """Return a `scandir` for a user who may not read some folders: root may read all, so no mode bits can be used."""
    real = os.scandir

    def scandir(path: str) -> Any:  # noqa: ANN401  as `os.scandir`
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    return scandir


def test_a_folder_that_cannot_be_listed_is_named_and_makes_the_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Scan("P", 91, 1), Scan("P", 91, 2)
    write(tmp_path / "t/open", one.all_images())
    write(tmp_path / "t/closed/deep", other.all_images())
    assert len(look(tmp_path / "t").images) == 2  # what was known of it before does not count
    monkeypatch.setattr("tcia_xnat.sources.local.walk.os.scandir", closed("closed"))
    found = look(tmp_path / "t")
    assert found.images == {one.series_instance_uid: 3}
    assert found.lost == {"closed": "cannot be read: Permission denied"}
    catalogue = found.tree.catalogue
    assert "closed cannot be read: Permission denied" in str(catalogue.missing["closed"])
    plan = make(catalogue, Held(), dict.fromkeys(catalogue.series, Label("P", "P")))
    assert plan_exit_code(plan) == 3


def test_a_tree_that_cannot_be_seen_is_a_usage_error_with_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_more: object, **_options: object) -> Any:  # noqa: ANN401  as the methods of Path
        raise PermissionError(13, "Permission denied", str(path))

    for method in ("exists", "iterdir"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, method, refuse)
            with pytest.raises(UsageError, match="root cannot be read: Permission denied"):
                find_root(root, None, None)
    (root / "names.csv").write_bytes(b"path,subject,session\n")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with pytest.raises(UsageError, match=r"names\.csv cannot be read"):
            find_root(root, None, None)
        assert find_root(root, None, Layout.HEADERS) == (root, None)


CLOSED = """
import sys
from pathlib import Path
from tcia_xnat.sources.local.walk import walk
for one in walk(Path(sys.argv[1])):
    print(Path(one.path).name, one.passed.reason if one.passed else "taken")
"""


def test_a_folder_that_is_closed_to_this_user_is_that_entry_s_problem(root: Path) -> None:
    (root / "closed/deep").mkdir(parents=True)
    (root / "link").symlink_to("closed/deep")
    (root / "closed").chmod(0)
    line = [sys.executable, "-c", CLOSED, str(root)]
    done = subprocess.run(line, preexec_fn=heed_rights, cwd=ROOT, capture_output=True, text=True, check=False)
    (root / "closed").chmod(0o700)
    said = "cannot be read: Permission denied"
    assert sorted(done.stdout.splitlines()) == [f"closed {said}", f"link {said}", "one.dcm taken"], done.stderr
