"""Stories that once broke a law, as small as they became, and how their runs end now."""

import pytest

from sandbox.xnat import XnatServer
from tests.laws.play import play
from tests.laws.story import Image, Run, Stored, Story

ONE, TWO, OTHER = Image(), Image(number=2), Image(series=2)

FOUND: dict[str, tuple[Story, list[int]]] = {
    "an image that waits from an earlier run, and is excluded now": (
        Story(
            trees=({"a/IM1": Stored(ONE), "a/IM2": Stored(TWO)},),
            runs=(Run(options=("--no-archive",)), Run(options=("--exclude", "IM1"))),
        ),
        [3, 3],
    ),
    "a series that waits from an earlier run, and is excluded now": (
        Story(
            trees=({"a/IM1": Stored(ONE), "b/IM1": Stored(OTHER)},),
            runs=(Run(options=("--no-archive",)), Run(options=("--exclude", "b"), workdir="v")),
        ),
        [3, 3],
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_laws_hold_in_what_was_found(server: XnatServer, name: str) -> None:
    story, codes = FOUND[name]
    assert [ended.code for ended in play(story, server)] == codes
