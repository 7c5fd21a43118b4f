"""A story is played: each run of it, and after each the three laws."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.xnat import XnatServer
from tests.laws.laws import Wanted, mixed_up, values, wanted
from tests.laws.story import Image, Junk, Pack, Run, Story
from tests.laws.world import Ended, Held, World

_PARTS = {"--no-archive", "--limit", "--shard"}  # options with which a run brings less, and may end with 0
_SHARED = Path("/dev/shm")  # noqa: S108  a folder of its own in it
_MEMORY = _SHARED if os.access(_SHARED, os.W_OK) else None  # state that is synced to a disk takes longer than all else
_numbers = itertools.count()


def play(story: Story, server: XnatServer) -> list[Ended]:
    """Play a story in a project of its own; return how its runs ended."""
    with TemporaryDirectory(dir=_MEMORY) as folder:
        world = World(server, Path(folder), f"STORY{next(_numbers)}")
        try:
            return _Play(story, world).play()
        finally:
            world.close()


class _Play:
    """One story as it is played."""

    def __init__(self, story: Story, world: World) -> None:
        self._story, self._world = story, world
        self._images = {(image.uid, image.pixels): image for image in _images_of(story)}
        self._pairs: set[tuple[str, str]] = set()
        for foreign in story.foreign:
            world.plant(foreign)
        self._theirs, self._their_waiting = world.archive(), world.waiting()

    def play(self) -> list[Ended]:
        """Do all runs, and check the laws after each."""
        return [self._run(run) for run in self._story.runs]

    def _run(self, run: Run) -> Ended:
        before, waiting = self._world.archive(), self._world.waiting() - self._their_waiting
        root = self._world.write(run.place or f"t{run.tree}", self._story.trees[run.tree])
        ended = self._world.upload(root, run)
        try:
            self._check(run, ended, before, {uid for _, uid in waiting})
            if run.again and ended.code == 0 and "--existing" not in run.options:
                self._repeat(root, run)
        except AssertionError as error:
            error.add_note(f"{run}: {ended}")
            raise
        return ended

    def _check(self, run: Run, ended: Ended, before: list[Held], waited: set[str]) -> None:
        assert ended.code in {0, 2, 3}
        assert ended.code == 0 or (ended.error and ended.hint), "no word about what is not there, or about a way out"
        self._pairs |= {_pair(text) for text in values(run.options, "--same-patient")}
        held, asked = self._world.archive(), wanted(self._story.trees[run.tree], run)
        if ended.code == 0 and not _PARTS & {*run.options}:
            self._check_all_is_there(asked, held, before)
        self._check_nobody_is_mixed_up(held)
        self._check_nothing_is_unasked(asked, held, before, waited)

    def _check_all_is_there(self, asked: Wanted, held: list[Held], before: list[Held]) -> None:
        has, had = {one.uid: one.pixels for one in held}, {one.uid for one in before}
        missing = [
            one for one in asked.surely if has.get(one.uid) != one.pixels and not (one.uid in had and one.uid in has)
        ]
        assert not missing, f"law 1, exit 0 and not there: {missing}"
        broken = [one for one in asked.broken if one.form != "cut" or one.image.uid not in has]
        assert not broken, f"law 1, exit 0 and cannot be read: {broken}"

    def _check_nobody_is_mixed_up(self, held: list[Held]) -> None:
        strange = [one for one in held if (one.uid, one.pixels) not in self._images]
        assert not strange, f"law 1, other pixels: {strange}"
        mixed = mixed_up([one for one in held if one not in self._theirs], self._images, self._pairs)
        assert not mixed, f"law 2: {mixed}"
        assert not [one for one in self._theirs if one not in held], "a session of others has changed"
        assert self._world.waiting() >= self._their_waiting, "what waited of others is gone"

    def _check_nothing_is_unasked(self, asked: Wanted, held: list[Held], before: list[Held], waited: set[str]) -> None:
        earlier = waited - {image.uid for image in asked.named}  # an earlier run was asked for these
        new = [one for one in held if one not in before]
        unasked = [
            one for one in new if self._images[one.uid, one.pixels] not in asked.maybe and one.uid not in earlier
        ]
        assert not unasked, f"law 3, archived and not asked for: {unasked}"
        assert len({one.uid for one in held}) == len(held), "an image is there twice"

    def _repeat(self, root: Path, run: Run) -> None:
        held = self._world.archive()
        again = self._world.upload(root, run)
        assert (again.code, again.sent) == (0, 0), f"the same command again: {again}"
        assert self._world.archive() == held, "the same command again changed the archive"


def _pair(text: str) -> tuple[str, str]:
    held, _, patient = text.partition("=")
    return held, patient


def _images_of(story: Story) -> Iterator[Image]:
    for tree in story.trees:
        for what in tree.values():
            members = what.members.values() if isinstance(what, Pack) else [what]
            yield from (one.image for one in members if not isinstance(one, Junk))
    for foreign in story.foreign:
        yield from foreign.images
