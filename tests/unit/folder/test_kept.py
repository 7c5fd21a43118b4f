"""What a folder remembers: damaged, older or foreign, it is moved aside and the images are read again."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tcia_xnat.core.errors import SpaceError
from tcia_xnat.core.model import State
from tcia_xnat.destinations.disk.kept import Kept
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.tree import Wanted, gather
from tests.images import SERIES, image
from tests.unit.folder.case import Archive, bring

Harm = Callable[[Path], object]


def edit(statement: str) -> Harm:
    def harm(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(statement)

    return harm


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)


HARMS: dict[str, Harm] = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "older columns": edit("ALTER TABLE series RENAME COLUMN folder TO place"),
    "no database": lambda path: path.write_bytes(b"nonsense " * 600),
}


@pytest.mark.parametrize("name", HARMS)
def test_a_memory_of_a_folder_that_cannot_be_used_costs_a_look(tmp_path: Path, name: str) -> None:
    archive, path = Archive(), tmp_path / "state/folder.sqlite"
    assert bring(tmp_path, archive).state is State.STORED
    HARMS[name](path)
    assert bring(tmp_path, archive).state in {State.PRESENT, State.STORED}
    assert archive.fetched == 1
    (aside,) = path.parent.glob("folder.sqlite.damaged-*")
    assert aside.stat().st_size


def test_a_disk_that_takes_nothing_any_more_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Kept.__init__

    def shut(kept: Kept, path: Path) -> None:
        opened(kept, path)
        kept._database.execute("PRAGMA query_only = 1")  # SQLite says the same of a disk that is read-only

    monkeypatch.setattr(Kept, "__init__", shut)
    with pytest.raises(SpaceError, match=r"folder\.sqlite cannot be written"):
        bring(tmp_path, Archive())


@pytest.mark.parametrize("name", ["flipped", "no database"])
def test_headers_that_were_remembered_are_read_again(tmp_path: Path, name: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.dcm").write_bytes(image(1))
    path, said = tmp_path / "files.sqlite", list[str]()
    Inventory(path, tmp_path / "tree").close()
    HARMS[name](path)
    with Inventory(path, tmp_path / "tree", said.append) as inventory:
        tree = gather(Wanted(tmp_path / "tree"), inventory, lambda: None, lambda _count, _total: None)
    assert list(tree.catalogue.series) == [SERIES]
    assert len(said) == 1
