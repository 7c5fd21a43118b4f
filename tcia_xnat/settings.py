"""What a run is asked to do."""

from dataclasses import dataclass, field
from pathlib import Path

from tcia_xnat.plan import Existing
from tcia_xnat.retry import RETRY_WAIT
from tcia_xnat.xnat.connection import MAX_OUTAGE

THUMBNAILS = 96  # pixels of the longer side of a picture in the report
SPOOL_LIMIT = 8_000_000_000  # bytes; a larger series goes in several packages where its source allows


@dataclass(frozen=True, slots=True)
class Login:
    """Where XNAT is, and who asks."""

    host: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every run is asked to do; the defaults are those of the command line.

    `source` names where series come from, and `report_resource` the project resource that keeps the report;
    `uploads` None is as many as `transfers`, and `bwlimit` is in bytes a second.
    """

    output_dir: Path
    project: str
    source: str
    report_resource: str = "TCIA_INGEST"
    transfers: int = 4
    uploads: int | None = None
    bwlimit: float | None = None
    retries: int = 5
    existing: Existing = Existing.SKIP
    limit: int | None = None
    licence_filter: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None
    archive: bool = True
    create_project: bool = True
    subject_label: str = "{PatientID}"
    session_label: str = "{PatientID}"
    spool_dir: Path | None = None
    spool_limit: int = SPOOL_LIMIT
    max_outage: float = MAX_OUTAGE
    retry_wait: float = RETRY_WAIT
    thumbnails: int = THUMBNAILS
    run_name: str = ""
    workflow_id: str = ""

    @property
    def report_dir(self) -> Path:
        """Folder of the report."""
        return self.output_dir / "report" / self.run_name

    @property
    def place(self) -> str:
        """Where series are when all is done, in words."""
        return "in the archive"

    @property
    def state_dir(self) -> Path:
        """Folder of what runs remember."""
        return self.output_dir / "state"

    @property
    def pictures_dir(self) -> Path:
        """Folder of the pictures of series, kept from run to run."""
        return self.state_dir / "pictures"
