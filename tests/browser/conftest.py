"""One browser for all tests, and the report of a real run in which something failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.browser.browser import chromium
from tests.job.case import WHOLE, download, expected, quick


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return report.html of a run that brought in all but some series of a real collection."""
    folder = tmp_path_factory.mktemp("run")
    with Sandbox(folder / "sandbox", collections=["cmb_aml"], pixels=128) as sandbox:
        uids = list(expected(sandbox, WHOLE).images)
        for uid, status in ((uids[3], 404), (uids[20], 404), (uids[30], 500)):
            sandbox.nbia_faults.add(Fault(f"getImage.*{uid}", faults.answer(status), times=None))
        pictures = {"TCIA_XNAT_THUMBNAILS": ""}
        done = download(sandbox, WHOLE, folder / "out", "CMB-AML", "--source", "nbia", *quick(), **pictures)
        assert done.code == 3, done.err
    return done.report_dir / "report.html"
