"""One sandbox for all tests of a worker that need no special one: each test has a project of its own."""

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), collections=["cmb_aml"], pixels=16) as started:
        yield started


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """Lift what a test left wrong: one that fails must not make others fail."""
    yield shared
    for faults in (shared.xnat_faults, shared.nbia_faults, shared.idc_faults):
        faults.lift()
