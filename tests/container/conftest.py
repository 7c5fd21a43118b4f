"""The image, built once, and a sandbox that containers reach over the network of this machine."""

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox
from tests.container.engine import IMAGE, Engine, base_image
from tests.container.engine import engine as working_engine
from tests.container.pip_settings import PipSettings


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Build the image of this checkout."""
    found = working_engine()
    found.build(IMAGE, base_image(found), PipSettings.of_this_machine())
    return found


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), collections=["cmb_aml"], pixels=16) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    for faults in (sandbox.nbia_faults, sandbox.idc_faults, sandbox.xnat_faults):
        faults.lift()
