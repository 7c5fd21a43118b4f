"""NBIA and IDC for the clients of a worker; lists of IDC come in small pages."""

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("archives")
    with Sandbox(folder, collections=["cmb_aml"], pixels=16, page_size=7, with_xnat=False) as started:
        yield started
