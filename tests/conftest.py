"""Settings of all tests."""

import os

from hypothesis import settings

settings.register_profile("seeded", derandomize="SEED" not in os.environ, deadline=None)  # timings are no test
settings.register_profile("few", settings.get_profile("seeded"), max_examples=20)  # for make mutants
settings.load_profile("seeded")
