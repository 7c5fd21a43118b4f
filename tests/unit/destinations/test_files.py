"""Where a run keeps its files: in the project, or in the output folder."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tcia_xnat.core.errors import RightsRefused
from tcia_xnat.core.events import Event, Noted, NotKept
from tcia_xnat.destinations.xnat.files import ProjectFiles
from tcia_xnat.xnat.roles import OWNER, Rights

if TYPE_CHECKING:
    from tcia_xnat.xnat.project import XnatProject

MEMBER = Rights(may_create=True, may_edit=True, role="member")


class Fake:
    """A project that stores files, or none."""

    def __init__(self, *, stores: bool) -> None:
        self.stores, self.kept, self.asked = stores, dict[str, bytes](), 0

    def put_resource(self, resource: str, name: str, content: bytes, **_options: float) -> None:
        self.asked += 1
        if not self.stores:
            raise RightsRefused("not stored")
        self.kept[f"{resource}/{name}"] = content


def files(fake: Fake, rights: Rights, folder: Path) -> tuple[ProjectFiles, list[Event]]:
    told: list[Event] = []
    return ProjectFiles(cast("XnatProject", fake), rights, folder, told.append), told


def test_an_owner_keeps_files_in_the_project(tmp_path: Path) -> None:
    fake = Fake(stores=True)
    kept, told = files(fake, OWNER, tmp_path)
    kept.keep("R", "a.csv", b"x")
    assert (fake.kept, told, list(tmp_path.iterdir())) == ({"R/a.csv": b"x"}, [], [])


def test_a_member_keeps_them_in_the_output_folder_without_asking(tmp_path: Path) -> None:
    fake = Fake(stores=False)
    kept, told = files(fake, MEMBER, tmp_path)
    kept.keep("R", "a.csv", b"x")
    assert (fake.asked, told) == (0, [])
    assert (tmp_path / "R" / "a.csv").read_bytes() == b"x"


def test_where_rights_are_unknown_the_first_file_tells_once(tmp_path: Path) -> None:
    fake = Fake(stores=False)
    kept, told = files(fake, Rights(), tmp_path)
    kept.keep("R", "a.csv", b"x")
    kept.keep("R", "b.csv", b"y")
    assert (fake.asked, [type(event) for event in told]) == (1, [Noted])
    assert {path.name for path in (tmp_path / "R").iterdir()} == {"a.csv", "b.csv"}


def test_an_owner_whose_file_is_not_stored_is_no_member(tmp_path: Path) -> None:
    kept, _ = files(Fake(stores=False), OWNER, tmp_path)
    with pytest.raises(RightsRefused):
        kept.keep("R", "a.csv", b"x")


@pytest.mark.parametrize("name", ["../../out.csv", "/out.csv", "a/b/out.csv"])
def test_names_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    kept, _ = files(Fake(stores=False), MEMBER, tmp_path / "output")
    kept.keep("R", name, b"x")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")] == ["output/R/out.csv"]


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "R").write_text("in the way")
    kept, told = files(Fake(stores=False), MEMBER, tmp_path)
    kept.keep("R", "a.csv", b"x")
    assert [type(event) for event in told] == [NotKept]
