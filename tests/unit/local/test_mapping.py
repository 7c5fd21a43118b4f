"""A mapping in the encodings that spreadsheets write; each path once; what it does not name is said."""

import errno
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Label
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.mapping import is_mapping, mapped, read_mapping
from tcia_xnat.sources.local.tree import find_root
from tests.unit.local.look import look
from tests.upload.trees import Scan, write, zipped

TABLE = "path,subject,session\r\nJörg/m0,S1,V1\r\n"
ONE, TWO = Scan("x", 91, 1), Scan("y", 92, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_encodings_and_forms_of_accents(tmp_path: Path, encoding: str, form: Literal["NFC", "NFD"]) -> None:
    tree = write(tmp_path / "t", {unicodedata.normalize(form, "Jörg/m0/1"): b"x"})
    write(tree, {"map.csv": TABLE.replace(",", "\t").encode(encoding)})
    assert is_mapping(tree / "map.csv")
    names = read_mapping(tree / "map.csv", tree)
    assert mapped(names, unicodedata.normalize(form, "Jörg/m0/1")) == Label("S1", "V1")


@pytest.mark.parametrize("layout", [Layout.HEADERS, Layout.FOLDERS, Layout.ZIPS])
@pytest.mark.parametrize("is_root", [True, False])
def test_a_mapping_beside_another_layout_is_refused(tmp_path: Path, layout: Layout, *, is_root: bool) -> None:
    tree = write(tmp_path / "t", {"A/m0/1": b"x", "map.csv": b"path,subject,session\nA/m0,S,V\n"})
    listed = tree / "map.csv"
    with pytest.raises(UsageError, match=f"--layout {layout} and the mapping .* in two ways"):
        find_root(listed if is_root else tree, None if is_root else listed, layout)
    assert find_root(tree, None, layout) == (tree, None)  # one that only lies there


def test_another_encoding_is_refused_with_a_way_out(tmp_path: Path) -> None:
    tree = write(tmp_path / "t", {"Jörg/m0/1": b"x", "map.csv": TABLE.encode("cp1252")})
    assert is_mapping(tree / "map.csv")
    with pytest.raises(UsageError, match="neither UTF-8 nor UTF-16") as refused:
        read_mapping(tree / "map.csv", tree)
    assert "CSV UTF-8" in refused.value.hint


@pytest.mark.parametrize("again", ["A/m0", "A/m0/", "./A/m0", "A//m0", "A\\m0", "A/./m0"])
def test_a_path_that_is_named_twice(tmp_path: Path, again: str) -> None:
    tree = write(tmp_path / "t", {"A/m0/1": b"x", "map.csv": f"path,subject,session\nA/m0,S,V\n{again},T,W\n".encode()})
    with pytest.raises(UsageError, match="in line 3 and in line 2"):
        read_mapping(tree / "map.csv", tree)


@pytest.mark.parametrize(("path", "words"), [("../x", "not below"), ("B", "not there"), ("A\\..\\..\\x", "not below")])
def test_a_path_that_leads_elsewhere(tmp_path: Path, path: str, words: str) -> None:
    tree = write(tmp_path / "t", {"A/1": b"x", "map.csv": f"path,subject,session\n{path},S,V\n".encode()})
    with pytest.raises(UsageError, match=words):
        read_mapping(tree / "map.csv", tree)


def test_a_path_in_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = write(tmp_path / "t", {"map.csv": b"path,subject,session\nclosed/x,S,V\n"})

    def closed(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(UsageError, match="names closed/x in line 2, which cannot be looked at: Permission denied"):
        read_mapping(tree / "map.csv", tree)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = write(tmp_path / "t/A/m0", ONE.all_images()).parents[1]
    return write(tree, {"B.zip": zipped(TWO.all_images())})


def test_a_zip_that_the_mapping_names_is_opened(tree: Path) -> None:
    write(tree, {"map.csv": b"path,subject,session\nA/m0,S1,V1\nB.zip,S2,V1\n"})
    found = look(tree, mapping=tree / "map.csv")
    assert (found.images, found.lost) == ({ONE.series_instance_uid: 3, TWO.series_instance_uid: 3}, {})
    assert found.tree.catalogue.series[TWO.series_instance_uid].folder == Label("S2", "V1")


def test_images_that_the_mapping_does_not_name(tree: Path) -> None:
    write(tree, {"map.csv": b"path,subject,session\nA/m0,S1,V1\n", "C/1": TWO.image(7)})
    found = look(tree, mapping=tree / "map.csv")
    assert set(found.lost) == {"C/1", *(f"B.zip/{name}" for name in TWO.all_images())}
    found = look(tree, mapping=tree / "map.csv", is_partial=True)
    assert set(found.lost) == {f"B.zip/{name}" for name in TWO.all_images()}
    assert (
        "1 DICOM image in 1 series (not in the mapping"
        in look(write(tree, {"B.zip": zipped({})}), mapping=tree / "map.csv", is_partial=True).tree.catalogue.left_out
    )
