"""What is known of the files of a tree: headers, kept from run to run, and the choice of this run.

All of it is in SQLite, so that a tree of a million files takes little more memory than one of a thousand. Paths are
bytes there, since not all names are text.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from tcia_xnat.core.closing import Closing
from tcia_xnat.core.model import Label, Person
from tcia_xnat.core.sqlite import Say, Schema, open_database, sqlite_errors
from tcia_xnat.sources.local import sql
from tcia_xnat.sources.local.left_out import LeftOut
from tcia_xnat.sources.local.model import (
    LOOSE,
    File,
    Gathered,
    Image,
    Passed,
    PassedOver,
    Place,
    Spot,
    Weight,
    is_zip,
    shown,
)
from tcia_xnat.sources.local.neighbours import name_pattern
from tcia_xnat.sources.local.read import INDEX, NOT_IMAGES
from tcia_xnat.sources.local.walk import Found

_SCHEMA = Schema(
    3,
    sql.TABLES,
    foreign=(sql.FOREIGN,),
    without="all headers are read again, nothing is lost",
)
_fields = attrgetter(*(field.name for field in fields(Image)))
_BATCH = 500  # files between two commits, and two looks whether the run is to end

Choose = Callable[[str, Image | Passed], Label | Passed | None]
"""Path below the root and what is there → the names its folders ask for, None where headers do, or why it is left."""


class Inventory(Closing):
    """The files of one tree, for one run.

    Parameters
    ----------
    path
        Database that keeps the headers from run to run.
    root
        The tree: names are those below it.

    say
        Told when an unusable database was moved aside.

    Raises
    ------
    UsageError
        The database cannot be used.
    SpaceError, FolderError
        The disk does not take it; raised by every method, too.
    """

    def __init__(self, path: Path, root: Path, say: Say = lambda _text: None) -> None:
        self._root, self._file = f"{root}{os.sep}", path
        self._database = open_database(path, _SCHEMA, say=say)
        self._database.create_function("holder", 2, _holder, deterministic=True)
        self._database.create_function("pattern", 2, _pattern, deterministic=True)
        self._database.create_function("name", 2, self._name, deterministic=True)
        self._lock = threading.Lock()  # lanes ask for places side by side

    # what lies there

    def see(self, found: Iterable[Found]) -> None:
        """Take in what lies in the tree now."""
        self._write((sql.SEE, map(_seen, found)))

    def unread(self, *, zips: bool) -> Iterator[list[File]]:
        """Yield the files that are new or have changed since they were read, some at a time."""
        last = b""
        while rows := list(self._ask(sql.UNREAD, zips, last, _BATCH)):
            yield [_file(*row) for row in rows]
            last = rows[-1][0]

    def keep(self, read: Iterable[tuple[File, Sequence[Image | Passed]]]) -> None:
        """Keep what some files hold; they are read again when size, times or inode change."""
        files, entries = [], []
        for file, content in read:
            path = os.fsencode(file.path)
            files.append((path, file.size, file.mtime_ns, file.ctime_ns, str(file.inode)))
            entries += [_entry(path, thing) for thing in content]
        self._write((sql.DROP, [row[:1] for row in files]), (sql.KEEP_ENTRY, entries), (sql.KEEP_FILE, files))

    def mark(self, path: str, passed: Passed) -> None:
        """Note that a file cannot be read now; the next run tries again."""
        self._write((sql.MARK, [(passed.reason, passed.weight, os.fsencode(path))]))

    def count(self, *, zips: bool) -> int:
        """Return how many files there are to read, known ones included."""
        ((count,),) = self._ask(sql.COUNT, zips)
        return int(count)

    def zips(self) -> list[str]:
        """Return the paths of all zips below the root."""
        return [self._below(path) for (path,) in self._ask(sql.ZIPS)]

    def spots(self, refuses: Callable[[str, Image], bool] | None = None) -> Iterable[Spot]:
        """Return in which folders the images of each series lie, those in zips left out.

        Parameters
        ----------
        refuses
            Told path and image, whether it does not take part.
        """
        if refuses is None:
            return (Spot(self._below(folder), *rest) for folder, *rest in self._ask(sql.SPOTS))
        return dict.fromkeys(spot for path, image in self._images() for spot in self._spot(path, image, refuses))

    def _images(self) -> Iterator[tuple[bytes, Image]]:
        """Yield all images that lie in no zip."""
        for path, *columns in self._ask(sql.ENTRIES):
            if not is_zip(os.fsdecode(path)) and isinstance(thing := _thing(columns), Image):
                yield path, thing

    def _spot(self, path: bytes, image: Image, refuses: Callable[[str, Image], bool]) -> Iterator[Spot]:
        below = self._below(path)
        if not refuses(below, image):
            folder = self._below(_holder(path, LOOSE))
            yield Spot(folder, image.series_instance_uid, image.study_instance_uid, image.patient_id)

    # what is sent

    def choose(self, choose: Choose) -> None:
        """Decide what is sent, thing by thing, in the order of their paths; of copies the first is sent.

        What stands in the place of an image, and is none, is lost.
        """
        rows = self._ask(sql.ENTRIES)
        while batch := list(islice(rows, _BATCH)):
            chosen: list[tuple[Any, ...]] = []
            passed: list[tuple[Any, ...]] = []
            for path, *columns in batch:
                thing = _thing(columns)
                decided = choose(self._below(path), thing)
                holder = _holder(path, thing.place)
                if isinstance(decided, Passed):
                    passed.append(
                        (path, thing.place, thing.member, holder, decided.reason, decided.weight, *_uids(thing))
                    )
                elif isinstance(thing, Image):
                    names = (os.fsencode(decided.subject), os.fsencode(decided.session)) if decided else (b"", b"")
                    chosen.append((*_uids(thing), path, thing.place, thing.member, holder, *names))
            self._write((sql.CHOOSE, chosen), (sql.LEAVE, passed))
        self._write(
            (sql.KEEP_COPIES, [()]),
            (sql.FIND_COPIES, [()]),
            (sql.LEAVE_COPIES, [()]),
            (sql.LOSE_NEIGHBOURS, [NOT_IMAGES]),
        )

    def indexes(self) -> list[Path]:
        """Return the DICOMDIR files of the tree, those in zips left out."""
        return [Path(os.fsdecode(path)) for (path,) in self._ask(sql.INDEXES, INDEX)]

    def lose(self, choose: Choose, gaps: Iterable[tuple[Path, Passed]], promised: Iterable[Path]) -> None:
        """Note what an index names: files that are not there, unless left out, and files that are no images."""
        rows = []
        for path, gap in gaps:
            name = os.fsencode(path)
            decided = choose(self._below(name), gap)
            if isinstance(decided, Passed):
                rows.append((name, LOOSE, "", _holder(name, LOOSE), decided.reason, decided.weight, "", ""))
        self._write((sql.LEAVE, rows), (sql.LOSE_PROMISED, [(os.fsencode(one), *NOT_IMAGES) for one in promised]))

    def series(self) -> list[Gathered]:
        """Return all series that are to be sent, in the order of their first paths."""
        return [_gathered(row) for row in self._ask(sql.SERIES)]

    def places(self, series_instance_uid: str) -> list[Place]:
        """Return where the images of a series lie, copies behind the first of them."""
        with self._lock:
            rows = list(self._ask(sql.PLACES, series_instance_uid))
        return [Place(_file(*row[:5]), *row[5:]) for row in rows]

    def images_of(self, series_instance_uid: str) -> frozenset[str]:
        """Return the SOPInstanceUIDs of a series."""
        return frozenset(place.sop_instance_uid for place in self.places(series_instance_uid))

    def suspects(self) -> dict[str, tuple[str, str]]:
        """Return name and reason of something beside it that cannot be read, by SeriesInstanceUID."""
        return {series: (name, reason) for series, name, reason, _ in self._ask(sql.SUSPECTS)}

    def passed_over(self) -> Iterator[PassedOver]:
        """Yield what is not sent, folder by folder."""
        for holder, reason, weight, count, first, _ in self._ask(sql.PASSED_OVER):
            yield PassedOver(self._name(holder, ""), reason, Weight(weight), count, first)

    def left_out(self) -> list[LeftOut]:
        """Return how many images and other files are not sent, by reason."""
        return [LeftOut(*row) for row in self._ask(sql.LEFT_OUT)]

    def unwanted(self) -> dict[str, frozenset[str]]:
        """Return by StudyInstanceUID the series of which the user leaves out all images, or some."""
        found: dict[str, frozenset[str]] = {}
        for study, series in self._ask(sql.UNWANTED):
            found[study] = found.get(study, frozenset()) | {series}
        return found

    def passed_one_by_one(self) -> Iterator[tuple[Any, ...]]:
        """Yield name, weight and reason of everything that is not sent."""
        return self._ask(sql.PASSED)

    # SQLite

    def _ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401  what SQLite takes
        with sqlite_errors(self._file):
            yield from self._database.execute(query, values)

    def _write(self, *statements: tuple[str, Iterable[Sequence[Any]]]) -> None:
        with sqlite_errors(self._file), self._database:
            self._database.execute("BEGIN")
            for statement, rows in statements:
                self._database.executemany(statement, rows)

    def name_of(self, place: Place) -> str:
        """Return how the place of an image is called for people."""
        return self._name(os.fsencode(place.file.path), place.member)

    def folder(self, path: str) -> str:
        """Return the folder that a file lies in, below the root, for people."""
        return self._name(_holder(os.fsencode(path), LOOSE), "")

    def _below(self, path: bytes) -> str:
        text = os.fsdecode(path)
        return "" if f"{text}{os.sep}" == self._root else text.removeprefix(self._root)

    def _name(self, path: bytes, member: str) -> str:
        """Return how something is called for people: its path below the root, and its name in a zip."""
        text = shown(self._below(path)) or "."
        return f"{text}/{shown(member)}" if member else text

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _holder(path: bytes, place: int) -> bytes:
    return path.rpartition(b"/")[0] if place == LOOSE else path


def _uids(thing: Image | Passed) -> tuple[str, str]:
    return (thing.series_instance_uid, thing.sop_instance_uid) if isinstance(thing, Image) else ("", "")


def _pattern(path: bytes, member: str) -> str:
    return name_pattern(member or os.fsdecode(path.rpartition(b"/")[2]))


def _file(path: bytes, size: int, mtime_ns: int, ctime_ns: int, inode: str) -> File:
    return File(os.fsdecode(path), size, mtime_ns, ctime_ns, int(inode))  # inodes may have 64 bits: text for SQLite


def _seen(found: Found) -> tuple[Any, ...]:
    passed = found.passed or Passed("")
    known = found.size, found.mtime_ns, found.ctime_ns, str(found.inode)
    return os.fsencode(found.path), *known, is_zip(found.path), passed.reason, passed.weight


def _entry(path: bytes, thing: Image | Passed) -> tuple[Any, ...]:
    if isinstance(thing, Image):
        return path, "", "", *map(storable, _fields(thing))
    return path, thing.reason, thing.weight, *[""] * 10, 0, thing.place, storable(thing.member)


def storable(value: str | int) -> str | int:
    """Return what SQLite can keep: text without halves of surrogates, which broken names may bring."""
    if isinstance(value, int) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _thing(columns: Sequence[Any]) -> Image | Passed:
    seen_reason, seen_weight, _, reason, weight, *image = columns
    if seen_reason:
        return Passed(seen_reason, Weight(seen_weight))
    if reason is None:  # a zip that was not opened
        return Passed("")
    if reason:
        return Passed(reason, Weight(weight), *image[-2:])
    return Image(*image)


def _gathered(row: Sequence[Any]) -> Gathered:
    path, subject, session, images, size, copies, studies, folders, patients, people, *first = row
    folder = Label(os.fsdecode(subject), os.fsdecode(session)) if session else None
    ids, named = frozenset(json.loads(patients)), frozenset(Person(*one.split("|")) for one in json.loads(people))
    return Gathered(os.fsdecode(path), folder, images, size, copies, studies, folders, ids, named, Image(*first))
