"""The sandbox of the main job's tests, one for all tests of a worker."""

from tests.job.conftest import sandbox

__all__ = ["sandbox"]
