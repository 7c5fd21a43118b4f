"""Where series lie that nobody remembers, and which folder is theirs then."""

import errno
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tcia_xnat.destinations.disk.scan import scan
from tcia_xnat.destinations.disk.survey import Survey, homes, survey
from tests.images import SERIES, image
from tests.unit.folder.case import nothing, put

OTHER = "1.2.826.1.3"


def test_unknown_files_are_found_by_their_headers(tmp_path: Path) -> None:
    put(tmp_path, "a", "{}".format, 1, 2)
    (tmp_path / "a" / "cut.dcm").write_bytes(image(3)[:-10])
    (tmp_path / "a" / "notes.txt").write_text("mine")
    (tmp_path / "a" / "zeros.dcm").write_bytes(bytes(1000))
    (tmp_path / "a" / "of-another").write_bytes(image(1, OTHER))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "x.dcm").write_bytes(image(1))
    with zipfile.ZipFile(tmp_path / "img.zip", "w") as archive:
        for series in (SERIES, OTHER):
            archive.writestr(series, image(1, series))
        archive.writestr("README", "none")
    found = survey(tmp_path, [SERIES], lambda folder: {"2"} if folder == "a" else (), 2, nothing)
    assert found == Survey({SERIES: ("img.zip", "a/1", "a/cut.dcm")}, {"a": ("a/zeros.dcm",)})
    assert found.concerns(SERIES, "b")
    assert found.concerns(OTHER, "a")
    assert not found.concerns(OTHER, "b")
    assert found.paths(SERIES, "a") == {"img.zip", "a/1", "a/cut.dcm", "a/zeros.dcm"}


def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.dcm")
    assert survey(tmp_path, [SERIES], lambda _folder: (), 1, nothing) == Survey({}, {"": ("x.dcm",)})
    (found,) = scan(tmp_path, 1, nothing)
    assert (found.claims, found.problem) == (frozenset(), "x.dcm is no regular file")


def test_a_folder_that_cannot_be_listed_is_an_error_of_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/b", "{}.dcm".format, 1)
    listed = os.scandir

    def refused(path: str | Path) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    (found,) = scan(tmp_path, 1, nothing)
    assert (found.path, found.is_error) == ("a/b", True)
    assert "Permission denied" in found.problem


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert survey(tmp_path / "none", [SERIES], lambda _folder: (), 1, nothing) == Survey()


@pytest.mark.parametrize(
    ("remembered", "found", "home"),
    [
        ({}, (), "new"),
        ({}, ("new/1", "new/2"), "new"),
        ({}, ("old/1", "old/2"), "old"),
        ({}, ("1", "2"), ""),
        ({}, ("old/1", "new/2"), "new"),
        ({}, ("a/1", "b/2"), "new"),
        ({SERIES: "old"}, (), "old"),
        ({SERIES: "old"}, ("old/copy",), "old"),
        ({SERIES: "old"}, ("new/copy",), "new"),
        ({OTHER: "old"}, (), "new"),
    ],
)
def test_a_series_is_at_home_where_all_of_it_lies(
    remembered: Mapping[str, str], found: tuple[str, ...], home: str
) -> None:
    assert homes({SERIES: "new"}, remembered, Survey({SERIES: found} if found else {})) == {SERIES: home}
