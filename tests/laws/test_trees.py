"""Random trees, uploaded in random orders: exit 0 is everything, nobody becomes somebody else, nothing comes unasked.

The number of stories is TREES (300 in CI), the seed is SEED; a failure prints the story as a test of its own.
"""

import os

import pytest
from hypothesis import HealthCheck, event, given, seed, settings

from sandbox.xnat import XnatServer
from tests.laws.play import play
from tests.laws.story import Story
from tests.laws.strategies import stories

TREES, SEED = int(os.environ.get("TREES", "300")), os.environ.get("SEED", "20261127")
PARTS = 4  # for as many processes of pytest


@pytest.mark.timeout(max(900, TREES * 4))  # of it five minutes for finding a small example
@pytest.mark.parametrize("part", range(PARTS))
def test_the_laws_hold_after_every_run(server: XnatServer, part: int) -> None:
    @seed(f"{SEED} {part}")
    @settings(
        max_examples=TREES // PARTS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(stories())
    def holds(story: Story) -> None:
        for ended in play(story, server):
            event(f"exit {ended.code}")

    holds()
