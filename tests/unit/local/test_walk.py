"""What lies in a tree: links that stay in it are followed, others are named, and no entry ends the walk."""

import os
from pathlib import Path

import pytest

from tcia_xnat.local.model import Weight
from tcia_xnat.local.walk import Found, walk


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
