"""Files that move into a folder of several series never take the place of others."""

from pathlib import Path

import pytest

from tcia_xnat.core.errors import FolderError
from tcia_xnat.destinations.disk.disk import add_to


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    folder = tmp_path / "made"
    folder.mkdir()
    for name in ("1.dcm", "2.dcm"):
        (folder / name).write_text(f"new {name}")
    return folder


def there(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


NEW = {"1.dcm": "new 1.dcm", "2.dcm": "new 2.dcm"}


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a disk with hard links, and on one without."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr("os.link", refuse)


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("old", [{}, {"3.dcm": "of others"}, {"2.dcm": "new 2.dcm"}])
def test_they_are_added(made: Path, old: dict[str, str]) -> None:
    out = made.parent / "out"
    for name, text in old.items():
        (out / name).write_text(text)
    add_to(made, out, NEW.keys(), remove=(), replace=())
    assert there(out) == NEW | old


@pytest.mark.usefixtures("links")
def test_a_name_that_another_series_took_meanwhile_is_refused_and_nothing_is_left(made: Path) -> None:
    out = made.parent / "out"
    (out / "2.dcm").write_text("of others")
    with pytest.raises(FolderError, match=r"2\.dcm"):
        add_to(made, out, NEW.keys(), remove=(), replace=())
    assert there(out) == {"2.dcm": "of others"}


@pytest.mark.usefixtures("links")
def test_files_of_the_series_are_replaced_and_removed(made: Path) -> None:
    out = made.parent / "out"
    for name in ("1.dcm", "old.dcm", "3.dcm"):
        (out / name).write_text("old")
    add_to(made, out, NEW.keys(), remove=["old.dcm"], replace=["1.dcm"])
    assert there(out) == NEW | {"3.dcm": "old"}
