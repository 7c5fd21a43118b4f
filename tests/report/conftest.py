"""One sandbox for the tests that need a real run, as those of the main job have it."""

from tests.job.conftest import sandbox, shared

__all__ = ["sandbox", "shared"]
