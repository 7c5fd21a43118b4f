"""The sandbox of the main job's tests, one for all tests of a worker."""

from tests.job.conftest import sandbox, shared

__all__ = ["sandbox", "shared"]
