"""A run that dies at any step of its way into a folder: no reader finds an image twice, the next run has it whole."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tcia_xnat.core.model import State
from tests.images import md5
from tests.unit.folder.case import HOME, IMAGES, Archive, bring, images_in, put

WHOLE = sorted(md5(content) for content in IMAGES.values())
STEPS = ("rename", "replace", "unlink")  # how names change


def dies_at(step: int, act: Callable[[], object]) -> bool:
    """Do something in a process that is killed at a step that changes names; return whether it came to that step."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    taken = 0

    def counted(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal taken
            taken += 1
            if taken > step:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **named)

        return call

    try:
        for name in STEPS:
            setattr(Path, name, counted(getattr(Path, name)))
        act()
    finally:
        os._exit(0)


@pytest.mark.parametrize("with_notes", [True, False])
def test_each_step(tmp_path: Path, with_notes: bool) -> None:  # noqa: FBT001  a parameter
    archive, step = Archive(), 0
    while True:
        root = tmp_path / str(step)
        put(root, HOME, "crdc-{}.dcm".format, 1, 2)
        if with_notes:  # then the folder cannot be exchanged as a whole
            (root / HOME / "notes.txt").write_text("mine")
        was_killed = dies_at(step, partial(bring, root, archive))
        assert max(Counter(images_in(root)).values(), default=0) <= 1
        assert bring(root, archive).state in {State.STORED, State.PRESENT}
        assert images_in(root) == WHOLE
        assert (root / HOME / "notes.txt").exists() == with_notes
        assert not list((root / "state" / "incoming").iterdir())
        if not was_killed:
            break
        step += 1
    assert step > 3
