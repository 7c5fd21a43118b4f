"""One XNAT for all stories of a module: each has a project of its own."""

from collections.abc import Iterator

import pytest

from sandbox.xnat import XnatServer
from tests.laws.world import login


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XnatServer]:
    with XnatServer(tmp_path_factory.mktemp("xnat")) as started, login(started):
        yield started
