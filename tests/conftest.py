"""Settings of all tests."""

import os

from hypothesis import settings

settings.register_profile("seeded", derandomize="SEED" not in os.environ, deadline=None)  # timings are no test
settings.load_profile("seeded")
