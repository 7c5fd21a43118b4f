"""One site for all checks, set up anew for each."""

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tests.check_up.case import SECRET, put, site


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="module")
def sandbox(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with site(tmp_path_factory.mktemp("site"), settings) as started:
        for name, code in (("OPEN", 0), ("AUTO", 4), ("OVER", 5)):
            put(started, f"/data/projects/{name}")
            put(started, f"/data/projects/{name}/prearchive_code/{code}")
        for user, role in (("owner", "Owners"), ("member", "Members"), ("reader", "Collaborators")):
            started.xnat.add_user(user, SECRET, {"OPEN": role})
        yield started


@pytest.fixture(autouse=True)
def as_before(sandbox: Sandbox, settings: Settings) -> Iterator[None]:
    before = dict(vars(settings))
    yield
    vars(settings).update(before)
    for each in (sandbox.idc_faults, sandbox.nbia_faults, sandbox.xnat_faults):
        each.lift()
