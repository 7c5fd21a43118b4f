"""One sandbox for all tests of what people see; each test has a project of its own."""

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), collections=["cmb_aml"], pixels=16) as started:
        yield started


@pytest.fixture(autouse=True)
def no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    for faults in (sandbox.idc_faults, sandbox.nbia_faults, sandbox.xnat_faults):
        faults.lift()
