"""The report of a folder over its runs."""

from pathlib import Path

import pytest

from tcia_xnat.core.errors import Error, LoginRefused, Stopped
from tcia_xnat.core.model import State
from tcia_xnat.report.document import document
from tcia_xnat.report.files import write_files
from tcia_xnat.report.history import whole
from tests.report.case import outcome, run, series


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Stopped(143), "Interrupted: 1 of 2 series are in the archive; 1 failed."),
        (LoginRefused("no"), "Ended early: 1 of 2 series are in the archive; 1 failed."),
        (None, "1 of 2 series are in the archive; 1 failed."),
    ],
)
def test_a_run_that_ends_early_is_told_in_the_report_of_the_folder(
    tmp_path: Path, error: Error | None, verdict: str
) -> None:
    before = run(tmp_path, [(series(1), outcome(series(1)))])
    write_files(document(before) | {"runs": ["one"]}, tmp_path, [])
    now = document(run(tmp_path, [(series(2), outcome(series(2), State.FAILED))], error)) | {"runs": ["two"]}
    assert whole(tmp_path, now)["verdict"] == verdict
