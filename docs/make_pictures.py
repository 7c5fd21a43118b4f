"""`python -m docs.make_pictures`: the pictures of README, from a real run on the sandbox; needs Chromium."""

import io
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import PASSWORD, USER, Sandbox
from tcia_xnat import report
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.events import Event
from tcia_xnat.jobs.tcia_to_xnat import Job, Login, run
from tcia_xnat.progress.frame import frame
from tcia_xnat.progress.standing import Standing

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
_MANIFEST = ROOT / "resources" / "TCIA" / "CMB-AML.tcia"
_COLUMNS, _LINES, _IMPORTED = 100, 12, 30  # a terminal, and when the picture of it is taken
_PAGE = "1100,1320"  # pixels


def main() -> None:
    """Bring a collection into the sandbox's XNAT; take the picture of the terminal on the way, of the report after."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder) / "sandbox", collections=["cmb_aml"]) as there:
        there.xnat_faults.add(Fault("services/import", faults.slow(0.4), times=None))  # so that lanes are seen at work
        job = Job(
            manifest=str(_MANIFEST),
            output_dir=Path(folder) / "output",
            project="CMB-AML",
            nbia_url=there.environment["TCIA_XNAT_NBIA_URL"],
            idc_url=there.environment["TCIA_XNAT_IDC_URL"],
            idc_index=there.environment["TCIA_XNAT_IDC_INDEX"],
        )
        terminal = _Terminal()
        run(job, Login(there.xnat.url, USER, PASSWORD), Stop(), terminal.tell, report.write)
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / "terminal.svg").write_text(terminal.picture, encoding="utf-8")
        _photograph(job.report_dir / "report.html", PICTURES / "report.png")


class _Terminal:
    """Follows a run, and keeps how the live view looked when some series were in XNAT."""

    def __init__(self) -> None:
        self._standing = Standing(time.monotonic())
        self.picture = ""

    def tell(self, event: Event) -> None:
        now = time.monotonic()
        self._standing.take(event, now)
        self._standing.sample(now)
        if not self.picture and self._standing.done_count >= _IMPORTED:
            console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
            console.print(frame(self._standing, _COLUMNS, _LINES, now))
            self.picture = console.export_svg(title="download.py CMB-AML.tcia output CMB-AML")


def _photograph(page: Path, picture: Path) -> None:
    chromium = shutil.which("chromium") or "chromium"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={_PAGE}", f"--screenshot={picture}"]
    command = [chromium, *options, page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603  a page of our own


if __name__ == "__main__":
    main()
