"""State files: unusable ones are moved aside and begun again, newer ones refused, full disks are told as such."""

import random
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tcia_xnat.core.errors import FolderError, SpaceError, UsageError
from tcia_xnat.core.sqlite import Schema, open_database, sqlite_errors

SCHEMA = Schema(
    2,
    "CREATE TABLE IF NOT EXISTS things (name TEXT NOT NULL, kind TEXT NOT NULL)",
    foreign=("SELECT 1 FROM things WHERE kind NOT IN ('a', 'b')",),
    without="things are looked for again",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "things.sqlite"
    with closing(open_database(made, SCHEMA)) as database:
        database.execute("BEGIN")
        database.executemany("INSERT INTO things VALUES (?, 'a')", [[f"{number}" * 50] for number in range(500)])
        database.execute("COMMIT")
    return made


def names(path: Path, *, said: list[str] | None = None) -> int:
    with closing(open_database(path, SCHEMA, say=(said if said is not None else []).append)) as database:
        return int(database.execute("SELECT count(*) FROM things").fetchone()[0])


def edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def test_a_good_file_stays(path: Path) -> None:
    said: list[str] = []
    assert names(path, said=said) == 500
    assert not said
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE things RENAME COLUMN kind TO sort",
        "CREATE TABLE others (x)",
        "INSERT INTO things VALUES ('x', 'moon')",
        "DROP TABLE things",
    ],
)
def test_other_columns_tables_and_values_are_moved_aside(path: Path, statement: str) -> None:
    edit(path, statement)
    if statement.startswith("DROP"):
        edit(path, "CREATE TABLE foreign_things (x)")
    said: list[str] = []
    assert names(path, said=said) == 0
    assert len(said) == 1
    assert "things are looked for again" in said[0]
    assert len(list(path.parent.glob("things.sqlite.damaged-*"))) == 1
    assert names(path, said=said) == 0
    assert len(said) == 1


def test_an_older_version_is_moved_aside(path: Path) -> None:
    edit(path, "ALTER TABLE things DROP COLUMN kind")
    edit(path, "PRAGMA user_version = 1")
    said: list[str] = []
    assert names(path, said=said) == 0
    assert "older version" in said[0]


def test_a_file_without_a_version_and_with_the_right_tables_is_taken(path: Path) -> None:
    edit(path, "PRAGMA user_version = 0")
    assert names(path) == 500
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_newer_version_is_refused_and_stays(path: Path) -> None:
    edit(path, "PRAGMA user_version = 3")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="newer version"):
        names(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("seed", range(15))
def test_flipped_bytes_and_cut_files_never_end_in_a_crash(path: Path, seed: int) -> None:
    dice, content = random.Random(seed), bytearray(path.read_bytes())  # noqa: S311  nothing secret
    if seed % 5 == 0:
        del content[dice.randrange(len(content)) :]
    for _ in range(dice.choice([1, 20, 500])):
        if content:
            content[dice.randrange(len(content))] ^= dice.randrange(1, 256)
    path.write_bytes(content)
    with suppress(UsageError):  # the version itself was hit: a newer one
        assert names(path) in range(501)


def test_the_journal_goes_with_its_file(path: Path) -> None:
    path.write_bytes(b"no database " * 100)
    path.with_name("things.sqlite-journal").write_bytes(b"of the damaged one")
    assert names(path) == 0
    assert not path.with_name("things.sqlite-journal").exists()


def test_reading_alone_moves_nothing(path: Path) -> None:
    edit(path, "INSERT INTO things VALUES ('x', 'moon')")
    with pytest.raises(UsageError):
        open_database(path, SCHEMA, writes=False)
    assert [one.name for one in path.parent.iterdir()] == ["things.sqlite"]


def test_no_room_is_told_as_such(path: Path) -> None:
    with closing(open_database(path, SCHEMA)) as database:
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(SpaceError, match="the state"), sqlite_errors(path):
            database.execute("INSERT INTO things VALUES (?, 'a')", ["x" * 100_000])


@pytest.mark.parametrize("code", ["SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR_WRITE"])
def test_no_inodes_and_a_read_only_disk_are_no_room_either(path: Path, code: str) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = getattr(sqlite3, code)
    with pytest.raises(SpaceError, match=f"the state {path} cannot be written"), sqlite_errors(path):
        raise error


def test_another_writer_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcia_xnat.core.sqlite._WAIT_SECONDS", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(open_database(path, SCHEMA)) as ours:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FolderError, match="in use"), sqlite_errors(path):
            ours.execute("INSERT INTO things VALUES ('x', 'a')")
        with pytest.raises(FolderError, match="in use"):
            open_database(path, SCHEMA)
    assert not list(path.parent.glob("*.damaged-*"))
