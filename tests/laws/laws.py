"""What must be true after a run, worked out from the story and the manual alone: nothing of the tool is asked."""

import fnmatch
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.laws.story import Image, Junk, Mapped, Pack, Run, Stored, Tree
from tests.laws.world import Held


@dataclass(frozen=True)
class Wanted:
    """What a run is to bring.

    Attributes
    ----------
    surely
        Images that no option may name.
    maybe
        Images that no option names for certain.
    named
        Images of the tree that an option names for certain.
    broken
        Files in the place of an image that no option names and that cannot be read; those of images have another copy
        nowhere in the tree.
    """

    surely: frozenset[Image]
    maybe: frozenset[Image]
    named: frozenset[Image]
    broken: tuple[Stored, ...]


@dataclass(frozen=True)
class _Place:
    path: str
    member: str
    what: Stored
    is_zip: bool

    @property
    def whole(self) -> str:
        return f"{self.path}/{self.member}" if self.member else self.path


def wanted(tree: Tree, run: Run) -> Wanted:
    """Return what a run of a tree is to bring, by its options."""
    places = list(_places(tree))
    whole = [place for place in places if not place.what.is_broken]
    surely = frozenset(place.what.image for place in whole if not _is_named(place, run, loosely=True))
    maybe = frozenset(place.what.image for place in whole if not _is_named(place, run, loosely=False))
    named = frozenset(place.what.image for place in whole) - maybe
    asks_of_images = bool({"--include", "--modality"} & {*run.options})  # what cannot be read has no answer
    lost = [place for place in places if place.what.is_broken and not _is_named(place, run, loosely=True)]
    missed = [one for one in lost if one.what.image not in maybe and _stands_out(one, places)]
    return Wanted(surely, maybe, named, () if asks_of_images else tuple(one.what for one in missed))


def _stands_out(place: _Place, places: Sequence[_Place]) -> bool:
    """Whether a broken file can be told from one that nobody misses."""
    folder, _, name = place.whole.rpartition("/")
    if place.what.form in {"cut", "pointer", "nested"} or name.endswith((".dcm", ".IMA")):
        return True
    pattern = re.sub(r"\d+", "#", name)
    beside = [one.whole.rpartition("/") for one in places if not one.what.is_broken]
    return any(there == folder and re.sub(r"\d+", "#", other) == pattern for there, _, other in beside)


def _places(tree: Tree) -> Iterator[_Place]:
    for path, what in tree.items():
        if isinstance(what, Stored):
            yield _Place(path, "", what, is_zip=False)
        elif isinstance(what, Pack):
            for name, member in what.members.items():
                if not isinstance(member, Junk):
                    yield _Place(path, name, member, is_zip=path.endswith(".zip"))


def _is_named(place: _Place, run: Run, *, loosely: bool) -> bool:
    """Whether an option leaves an image out; where that depends on the layout, `loosely` says yes."""
    zip_mode = values(run.options, "--zipmode")[-1:]
    if place.is_zip and zip_mode == ["asis"]:
        return False
    if place.is_zip and zip_mode == ["nozip"]:
        return True
    if run.mapping and "--partial" in run.options and not _is_mapped(place, run.mapping):
        return True
    return _is_filtered(place, run) or any(_has_folder(place, name.lower(), loosely=loosely) for name in run.config)


def _is_filtered(place: _Place, run: Run) -> bool:
    excluded, included = values(run.options, "--exclude"), values(run.options, "--include")
    modalities = [
        one.upper().replace("PET", "PT") for given in values(run.options, "--modality") for one in given.split(",")
    ]
    return (
        any(_fits(pattern, place) for pattern in excluded)
        or bool(included and not any(_fits(pattern, place) for pattern in included))
        or bool(modalities and place.what.image.modality not in modalities)
    )


def values(options: Sequence[str], name: str) -> list[str]:
    """Return the values of an option."""
    return [value for option, value in itertools.pairwise(options) if option == name]


def _fits(pattern: str, place: _Place) -> bool:
    parts = place.whole.split("/")
    folders = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    names = [name.lower() for name in (*folders, *parts, place.what.image.description)]
    return pattern.lower() in names or any(fnmatch.fnmatchcase(name, pattern.lower()) for name in names)


def _has_folder(place: _Place, name: str, *, loosely: bool) -> bool:
    folders = [part.lower() for part in place.whole.split("/")[:-1]]
    if loosely:
        return any(name in part for part in folders)
    return name in folders[2:]


def _is_mapped(place: _Place, mapping: Mapped) -> bool:
    listed = {row[0].removeprefix("./") for row in mapping.rows}
    parts = place.path.split("/")
    return any("/".join(parts[:end]) in listed for end in range(1, len(parts) + 1))


def mixed_up(
    held: Iterable[Held], images: Mapping[tuple[str, bytes], Image], pairs: Collection[tuple[str, str]]
) -> list[str]:
    """Return the subjects that hold what several PatientIDs name, though the user has not said that they are one."""
    people: dict[str, set[str]] = defaultdict(set)
    for one in held:
        people[one.subject].add(images[one.uid, one.pixels].person)
    return [
        f"subject {subject} holds images of {sorted(those)}"
        for subject, those in people.items()
        if len(_apart(subject, those, pairs)) > 1
    ]


def _apart(subject: str, people: set[str], pairs: Collection[tuple[str, str]]) -> set[str]:
    """Return one name for each person of a subject."""
    one_of = {name: name for pair in pairs for name in pair} | {name: name for name in people} | {subject: subject}
    for held, patient in pairs:
        left, right = one_of[held], one_of[patient]
        one_of = {name: left if of == right else of for name, of in one_of.items()}
    return {one_of[name] for name in people}
